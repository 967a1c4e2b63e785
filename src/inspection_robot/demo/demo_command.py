"""`./robot demo`: center, robot and a recording or a simulated scenario; findings live, then found against truth."""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import shutil
import sys
import threading
import time
from pathlib import Path

from inspection_contract.errors import InputError
from inspection_contract.events import Incident
from inspection_contract.receipts import StoredEvent
from inspection_contract.resources import state
from inspection_robot.cli.bench import commit, machine
from inspection_robot.demo.findings import StoredFinding, line, parse, summary
from inspection_robot.demo.processes import ProcessError
from inspection_robot.demo.shows import RecordingShow, ScenarioShow, Show, scenario_names
from inspection_robot.demo.stack import Stack

DEFAULT_SCENARIO = "morning_arrivals"
_DRAIN_S = 3.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    show = parser.add_mutually_exclusive_group()
    show.add_argument("--scenario", choices=scenario_names(), help=f"simulated scenario (default {DEFAULT_SCENARIO})")
    show.add_argument("--recording", type=Path, metavar="FILE", help="thermal recording to play instead of a scenario")
    parser.add_argument(
        "--duration", type=float, metavar="S", help="end after so many seconds (default: its own length)"
    )
    parser.add_argument("--headless", action="store_true", help="for machines: no colours, never waits for anybody")
    parser.add_argument("--keep", action="store_true", help="leave center and console running until Ctrl-C")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the summary as JSON")
    parser.add_argument(
        "--port", type=int, default=8080, help="the console's port on this machine (default 8080; 0: any)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 when findings reached the center as they should, 1 when the stack failed."""
    if arguments.duration is not None and arguments.duration <= 0:
        raise InputError("--duration", "must be positive")
    if arguments.report is not None and not arguments.report.absolute().parent.is_dir():
        raise InputError(arguments.report, "its folder does not exist")
    folder = state() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    show: Show
    if arguments.recording is not None:
        show = RecordingShow(arguments.recording)
    else:
        show = ScenarioShow(arguments.scenario or DEFAULT_SCENARIO, folder / "simulation", arguments.duration)
    try:
        report = _play(show, folder, arguments)
    except ProcessError as error:
        print(f"robot demo: {error}", file=sys.stderr)
        return 1
    if arguments.report is not None:
        arguments.report.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 0


def _play(show: Show, folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """Start the stack, show what reaches the center, compare, stop."""
    colour = sys.stdout.isatty() and not arguments.headless
    started = time.monotonic()
    with Stack(folder, arguments.port) as stack:
        _say(f"{show.title}; logs in {folder / 'log'}")
        stack.start_center()
        show.before_robot(stack)
        stack.start_robot(show.robot())
        stack.await_center()
        _say(f"center is up: {stack.center['console_url']} signs in once")
        show.prepare(stack)
        stack.await_robot()
        start_s = time.monotonic() - started
        _say(f"robot is up: all nodes active, {start_s:.1f} s after the start")
        findings, incidents = _watch(stack, show, arguments.duration or show.duration_s, colour)
        report: dict[str, object] = {
            "show": show.title,
            "start_s": round(start_s, 2),
            **summary(findings, incidents, show.simulated_clock),
            **show.compare(findings),
            "machine": machine(),
            "commit": commit(),
        }
        _print_summary(report, show)
        if arguments.keep:
            stack.stop_all_but_center()
            _say(f"console stays at {stack.center['url']} until Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    return report


def _watch(stack: Stack, show: Show, duration_s: float, colour: bool) -> tuple[list[StoredFinding], list[Incident]]:
    """Print each finding and incident as the center stores it until the time is over or the show has ended."""
    arrivals: queue.Queue[StoredEvent] = queue.Queue()

    def listen() -> None:
        for event in stack.events():
            arrivals.put(event)

    threading.Thread(target=listen, name="center", daemon=True).start()
    findings: list[StoredFinding] = []
    incidents: list[Incident] = []
    deadline = time.monotonic() + duration_s
    draining = False
    while (remaining := deadline - time.monotonic()) > 0:
        try:
            item = parse(arrivals.get(timeout=min(remaining, 0.5)))
        except queue.Empty:
            stack.check()
            if not draining and show.ended(stack):
                draining = True
                deadline = min(deadline, time.monotonic() + _DRAIN_S)
            continue
        if item is None:
            continue
        print(line(item, show.simulated_clock, colour), flush=True)
        if isinstance(item, Incident):
            incidents.append(item)
        else:
            findings.append(item)
    return findings, incidents


def _print_summary(report: dict[str, object], show: Show) -> None:
    print()
    for key, value in report.items():
        if key not in ("machine", "commit", "show", "score") and value is not None:
            print(f"{key.replace('_', ' '):24} {value if not isinstance(value, dict) else _counts(value)}")
    if table := show.table():
        print()
        print(table)
    print()


def _counts(counts: dict[object, object]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _say(text: str) -> None:
    print(f"demo: {text}", flush=True)
