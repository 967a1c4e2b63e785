"""How each robot is: heard of lately, how much it still holds, what it holds of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from inspection_center import watchlist
from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now, now_text, parse
from inspection_center.database import queries, schema
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.orders import check_robot
from inspection_center.robot_rules import rules as robot_rules
from inspection_center.settings import Settings
from inspection_contract.commands import Announcement


def overview(connection: Connection, settings: Settings) -> list[dict[str, Any]]:
    """Every robot with what an operator of forty looks for: the troubled ones first."""
    robots = queries.robots(connection)
    silent_before = now_text(-timedelta(seconds=settings.silent_after_s))
    newest = {"watchlist": watchlist.version(connection), "rules": robot_rules.version(connection)}
    for robot in robots:
        status = robot["status"] or {}
        for name, number in newest.items():
            robot[f"{name}_behind"] = number > 0 and status.get(f"{name}_version", "") != str(number)
        robot["silent"] = robot["last_seen"] is None or robot["last_seen"] < silent_before
        robot["silent_s"] = None if robot["last_seen"] is None else (now() - parse(robot["last_seen"])).total_seconds()
        robot["outbox"] = status.get("outbox_findings", 0)
        robot["outbox_evidence"] = status.get("outbox_evidence", 0)
        robot["oldest_unsent_s"] = status.get("oldest_unsent_s", 0.0)
        robot["clock_wrong"] = abs(robot["clock_offset_s"] or 0.0) > settings.clock_tolerance_s
        pose = status.get("pose") or {}
        robot["position"], robot["frame"] = pose.get("position"), pose.get("frame_id", "")
        robot["heading"] = _heading(pose.get("orientation"))
        robot["troubled_nodes"] = [node["node"] for node in status.get("nodes", ()) if not node["responding"]]
    return sorted(robots, key=lambda robot: (robot["revoked"], not robot["silent"], -robot["outbox"], robot["name"]))


def _heading(turn: dict[str, float] | None) -> float | None:
    """Yaw of a quaternion [rad]; None when it says nothing (no turn was given)."""
    if turn is None or (turn["z"] == 0.0 and turn["w"] == 1.0):
        return None
    return math.atan2(
        2.0 * (turn["w"] * turn["z"] + turn["x"] * turn["y"]), 1.0 - 2.0 * (turn["y"] ** 2 + turn["z"] ** 2)
    )


def details(connection: Connection, settings: Settings, name: str) -> dict[str, Any]:
    """One robot with its faults and the last commands to it.

    Raises:
        NotFound: there is no such robot.
    """
    check_robot(connection, name)
    (found,) = [robot for robot in overview(connection, settings) if robot["name"] == name]
    fault, command = schema.fault, schema.command
    faults = connection.execute(
        select(fault).where(fault.c.robot == name, fault.c.active).order_by(fault.c.severity.desc(), fault.c.code)
    )
    commands = connection.execute(
        select(command.c.id, command.c.type, command.c.issued, command.c.issued_by, command.c.state, command.c.reason)
        .where(command.c.robot == name)
        .order_by(command.c.number.desc())
        .limit(20)
    )
    said = connection.execute(
        select(command.c.data, command.c.state)
        .where(command.c.robot == name, command.c.type == Announcement.TYPE)
        .order_by(command.c.number.desc())
        .limit(3)
    )
    return {
        **found,
        "faults": [row_dict(row) for row in faults],
        "commands": [row_dict(row) for row in commands],
        "announcements": [{**json.loads(row.data), "state": row.state} for row in said],
    }


def sort(robots: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Robots in another order than the troubled ones first: `name`, or the gravest of a column first."""
    return sorted(robots, key=_ORDERS[key]) if key in _ORDERS else robots


_ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "name": lambda robot: robot["name"],
    "battery": lambda robot: _present((robot["status"] or {}).get("battery"), 2.0),
    "outbox": lambda robot: (-robot["outbox"], -robot["outbox_evidence"], robot["name"]),
    "oldest": lambda robot: (-robot["oldest_unsent_s"] if robot["outbox"] else 0.0, robot["name"]),
    "clock": lambda robot: -abs(_present(robot["clock_offset_s"], 0.0)),
}


def _present(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def totals(robots: list[dict[str, Any]]) -> dict[str, Any]:
    """How many are silent, how much they hold together and how old the oldest of it is [s]."""
    fleet = [robot for robot in robots if not robot["revoked"]]
    return {
        "silent": sum(robot["silent"] for robot in fleet),
        "unsent": sum(robot["outbox"] for robot in fleet),
        "oldest_s": max((robot["oldest_unsent_s"] for robot in fleet if robot["outbox"]), default=0.0),
    }


def revoke(transaction: Transaction, officer: Principal, name: str) -> None:
    """Take a robot's access away; a new code can enrol it again.

    Raises:
        NotFound: there is no such robot.
    """
    check_robot(transaction.connection, name)
    transaction.connection.execute(update(schema.robot).where(schema.robot.c.name == name).values(revoked=True))
    record(transaction, officer.actor, "robot.revoked", name)
