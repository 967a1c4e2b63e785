"""`./robot record`: every topic of the running robot into one MCAP file, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from inspection_contract.resources import state
from inspection_robot.recording.mcap_file import McapFile


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--output", type=Path, metavar="FILE.mcap", help="default: a new file in var/runs")
    parser.add_argument("--duration", type=float, metavar="S", help="end after so many seconds")
    parser.add_argument("--namespace", default="", help="only this robot's topics (and the clock); default: all topics")


def run(arguments: argparse.Namespace) -> int:
    """Record; 0 when something was recorded, 1 when nothing was there."""
    from inspection_robot.ros.bag import Recorder  # ROS is needed only to record, not to print --help

    path = arguments.output
    if path is None:
        folder = state() / "runs"
        folder.mkdir(exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%dT%H%M%S')}.mcap"
    prefix = f"/{arguments.namespace.strip('/')}/" if arguments.namespace.strip("/") else "/"
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stop.append(received))
    deadline = time.monotonic() + arguments.duration if arguments.duration else float("inf")
    with McapFile(path) as file:
        recorder = Recorder(file, lambda topic: topic.startswith(prefix) or topic in ("/clock", "/tf", "/tf_static"))
        print(f"recording to {path}, end with Ctrl-C", flush=True)
        try:
            recorder.run(lambda: bool(stop) or time.monotonic() > deadline)
        finally:
            recorder.close()
        for topic, fault in recorder.refused.items():
            print(f"robot record: {topic}: not recorded: {fault}", file=sys.stderr)
        print(f"{file.messages} messages of {recorder.topics} topics in {path}")
        return 0 if file.messages else 1
