"""`./robot incidents`: print the incident's state table, or the table of detection kinds."""

from __future__ import annotations

import argparse
from typing import Any

from inspection_robot.cli.inputs import print_json
from inspection_robot.interception.grades import PERMISSIONS
from inspection_robot.interception.incident import OPEN_STATES, TRANSITIONS, EventKind, state_table
from inspection_robot.interception.kinds import load_kinds


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("table", nargs="?", choices=("table", "kinds", "grades"), default="table")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Print the table asked for."""
    rows = _rows(arguments.table, arguments.json)
    if arguments.json:
        for row in rows:
            print_json(row)
        return 0
    columns = list(rows[0])
    widths = {column: max(len(column), *(len(str(row[column])) for row in rows)) for column in columns}
    for line in [dict(zip(columns, columns, strict=True)), *rows]:
        print("  ".join(str(line[column]).ljust(widths[column]) for column in columns).rstrip())
    return 0


def _rows(table: str, long: bool) -> list[dict[str, Any]]:
    if table == "kinds":
        return [
            {
                "kind": rule.prefix, "severity_from": rule.minimum_severity, "grade": rule.grade.value,
                "confirmed_grade": rule.confirmed_grade.value, "verification": rule.verification.value,
                "verifying_s": rule.limits.verifying, "awaiting_officer_s": rule.limits.awaiting_officer,
            }
            for rule in load_kinds().rules
        ]  # fmt: skip
    if table == "grades":
        return [{"grade": grade.value, "robot_may": permission.value} for grade, permission in PERMISSIONS.items()]
    if long:
        return [
            {"state": state.value, "event": event.value, "to": None if target is None else target.value}
            for state, event, target in state_table()
        ]
    rows = []
    for event in EventKind:
        row = {"event": event.value}
        for state in OPEN_STATES:
            target = TRANSITIONS.get((state, event))
            row[state.value] = "–" if target is None else target.value
        rows.append(row)
    return rows
