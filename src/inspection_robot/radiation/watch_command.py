"""`./robot radwatch FILE…`: replay recorded counts through the same watch that runs on the robot."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.radiation.count_logs import CountLog, read_count_log
from inspection_robot.radiation.count_watch import CountAlarm, CountState, CountWatch, WatchParameters, alarms_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="CSV time,cps; bGeigie log; RadiaCode ndjson; GeigerLog"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--false-alarms-per-hour",
        type=float,
        default=WatchParameters().false_alarms_per_hour,
        metavar="N",
        help="budget of chance alarms (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay every file."""
    parameters = replace(WatchParameters(), false_alarms_per_hour=arguments.false_alarms_per_hour)

    def process(name: str) -> None:
        log = read_count_log(Path(name))
        result = summarise(name, log, replay(log, parameters))
        if arguments.json:
            print_json(result)
        else:
            _print_text(result)

    return for_each("radwatch", arguments.files, process)


def replay(log: CountLog, parameters: WatchParameters | None = None) -> list[CountState]:
    """Return the state of the watch after every interval of a log."""
    watch = CountWatch(parameters)
    gaps = sorted(gap.end_s for gap in log.discontinuities)
    states: list[CountState] = []
    next_gap = 0
    for interval in log.intervals:
        while next_gap < len(gaps) and gaps[next_gap] <= interval.end_s:
            watch.discontinue()
            next_gap += 1
        states.append(watch.update(interval))
    return states


def summarise(name: str, log: CountLog, states: list[CountState]) -> dict[str, Any]:
    """Return the result of one file as the command prints it; faults are what was refused or silent, never an alarm."""
    alarms = alarms_of(states)
    faults = [
        {"kind": "silent", "start": alarm.start_s, "end": alarm.end_s} for alarm in alarms if alarm.kind == "silent"
    ]
    faults += [{"kind": "gap", "end": gap.end_s, "reason": gap.reason} for gap in log.discontinuities]
    if log.refused_lines:
        faults.append({"kind": "refused_lines", "count": log.refused_lines, "reason": log.first_refusal})
    return {
        "file": name,
        "hours": round(sum(interval.duration_s for interval in log.intervals) / 3600.0, 4),
        "alarms": [_alarm(alarm) for alarm in alarms if alarm.kind != "silent"],
        "faults": faults,
    }


def _alarm(alarm: CountAlarm) -> dict[str, Any]:
    return {
        "start": alarm.start_s,
        "end": alarm.end_s,
        "kind": alarm.kind,
        "peak_cps": round(alarm.peak_cps, 2),
        "significance": round(alarm.significance, 2),
    }


def _print_text(result: dict[str, Any]) -> None:
    print(f"{result['file']}: {result['hours']} h, {len(result['alarms'])} alarms, {len(result['faults'])} faults")
    for alarm in result["alarms"]:
        print(
            f"  {alarm['kind']:8} {alarm['start']:.1f} to {alarm['end']:.1f} s, peak {alarm['peak_cps']} /s, "
            f"{alarm['significance']} sigma"
        )
    for fault in result["faults"]:
        where = f"{fault['end']:.1f} s" if "end" in fault else f"{fault['count']} lines"
        print(f"  {fault['kind']:8} {where}: {fault.get('reason', 'no counts at all')}")
