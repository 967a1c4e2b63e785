"""`./robot replay RUN`: the sensor topics of a recording into the nodes, as if the run happened now."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from inspection_contract.errors import InputError
from inspection_robot.recording.mcap_file import messages, summarise
from inspection_robot.recording.topics import is_sensor, moved, namespace_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("recording", type=Path, metavar="RUN.mcap", help="file written by ./robot record")
    parser.add_argument("--rate", type=float, default=1.0, help="times the recorded pace (default %(default)s)")
    parser.add_argument("--namespace", help="robot to play into; default: the one that was recorded")
    parser.add_argument("--all", action="store_true", help="every topic, for viewing, and not only the sensors'")
    parser.add_argument("--list", action="store_true", help="print the topics and end")


def run(arguments: argparse.Namespace) -> int:
    """Play a recording; the nodes use its clock when it has one (use_sim_time)."""
    if not arguments.rate > 0:
        raise InputError("--rate", "must be positive")
    summary, length_s = summarise(arguments.recording)
    if arguments.list:
        for topic in summary:
            print(f"{topic.messages:8} {topic.topic} {topic.type}")
        print(f"{length_s:.1f} s")
        return 0
    recorded = namespace_of([topic.topic for topic in summary])
    target = recorded if arguments.namespace is None else arguments.namespace
    played = [t for t in summary if arguments.all or is_sensor(t.topic, recorded)]
    if not played:
        raise InputError(arguments.recording, "holds no sensor topics")
    from inspection_robot.ros.bag import Player

    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stop.append(received))
    names = {topic.topic: moved(topic.topic, recorded, target) for topic in played}
    player = Player((names[topic.topic], topic.type) for topic in played)
    print(f"playing {len(played)} topics, {length_s / arguments.rate:.0f} s", flush=True)
    try:
        stored = messages(arguments.recording, list(names))
        sent = player.play(
            (type(m)(names[m.topic], m.type, m.time_ns, m.data) for m in stored), arguments.rate, lambda: bool(stop)
        )
    finally:
        player.close()
    print(f"{sent} messages played")
    return 0
