"""Orders and announcements to robots."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, select, update

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.commands.issuing import issue
from inspection_center.database import schema
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.problems import Conflict, NotFound
from inspection_contract.commands import Announcement, LiveViewRequest, Order, OrderStep, SpeechPriority
from inspection_contract.fields import Pose, Position
from inspection_contract.signatures import SigningKey

# The steps of an on-site check (mission, row 14): container number, seal, goods, packaging, container.
INSPECTION_STEPS: tuple[OrderStep, ...] = (
    OrderStep(id="1", kind="go_to", instruction_key="step.go_to"),
    OrderStep(id="2", kind="container_number", instruction_key="step.container_number"),
    OrderStep(id="3", kind="seal", instruction_key="step.seal"),
    OrderStep(id="4", kind="goods", instruction_key="step.goods"),
    OrderStep(id="5", kind="packaging", instruction_key="step.packaging"),
    OrderStep(id="6", kind="container", instruction_key="step.container"),
    OrderStep(id="7", kind="sensor_sweep", instruction_key="step.sensor_sweep", required=False),
    OrderStep(id="8", kind="result", instruction_key="step.result"),
)
_ANNOUNCEMENT_LIFE = timedelta(minutes=10)
_LIVE_LIFE = timedelta(minutes=1)


def give_order(
    transaction: Transaction,
    key: SigningKey,
    officer: Principal,
    robot: str,
    kind: str,
    due: timedelta,
    *,
    place: tuple[float, float] | None = None,
    place_name: str = "",
) -> str:
    """Give a robot an order and return the order's id.

    Raises:
        NotFound: there is no such robot.
    """
    check_robot(transaction.connection, robot)
    identity = uuid4().hex[:16]
    body = Order.model_validate(
        {
            "order_id": identity,
            "kind": kind,
            "officer": officer.name,
            "place": None if place is None else Pose(position=Position(x=place[0], y=place[1])),
            "place_name": place_name,
            "steps": INSPECTION_STEPS if kind == "inspection" else (),
        }
    )
    steps = [{"id": step.id, "kind": step.kind, "state": "open", "result": ""} for step in body.steps]
    transaction.connection.execute(
        insert(schema.order).values(
            id=identity,
            revision=body.revision,
            robot=robot,
            officer=officer.name,
            kind=body.kind,
            place_name=place_name,
            created=now_text(),
            due=now_text(due),
            state="issued",
            steps=json.dumps(steps),
            reason="",
        )
    )
    issue(transaction, key, robot, body, officer.name, due)
    record(transaction, officer.actor, "order.given", identity, robot=robot, kind=kind, place=place_name)
    return identity


def announce(
    transaction: Transaction,
    key: SigningKey,
    officer: Principal,
    robots: list[str],
    text_zh: str,
    text_en: str,
    priority: SpeechPriority,
) -> list[str]:
    """Have words said by some robots, by all when none is named; returns the robots.

    Raises:
        NotFound: there is no such robot.
    """
    connection = transaction.connection
    names = robots or [
        str(row[0]) for row in connection.execute(select(schema.robot.c.name).where(~schema.robot.c.revoked))
    ]
    body = Announcement(announcement_id=uuid4(), priority=priority, text_zh=text_zh, text_en=text_en)
    for name in names:
        check_robot(connection, name)
        issue(transaction, key, name, body, officer.name, _ANNOUNCEMENT_LIFE)
    record(
        transaction,
        officer.actor,
        "announcement.given",
        ",".join(names),
        text_zh=text_zh,
        text_en=text_en,
        priority=int(priority),
    )
    return names


def ask_live_view(
    transaction: Transaction, key: SigningKey, officer: Principal, robot: str, camera: str, enable: bool
) -> None:
    """Ask a robot for pictures; they stop by themselves.

    Raises:
        NotFound: there is no such robot.
    """
    check_robot(transaction.connection, robot)
    body = LiveViewRequest.model_validate(
        {"camera": camera, "enable": enable, "rate_hz": 2.0, "duration_s": 60.0, "officer": officer.name}
    )
    issue(transaction, key, robot, body, officer.name, _LIVE_LIFE)
    record(transaction, officer.actor, "live_view.asked", robot, camera=camera, enable=enable)


def cancel_order(transaction: Transaction, officer: Principal, identity: str) -> None:
    """Close an order that no robot has finished.

    Raises:
        NotFound: there is no such order.
        Conflict: it is finished.
    """
    order = schema.order
    changed = transaction.connection.execute(
        update(order)
        .where(order.c.id == identity, order.c.state.in_(("issued", "accepted", "running")))
        .values(state="cancelled", reason=f"{officer.name}")
    )
    if changed.rowcount == 0:
        if transaction.connection.execute(select(order.c.id).where(order.c.id == identity)).first() is None:
            raise NotFound("there is no such order")
        raise Conflict("this order is finished")
    record(transaction, officer.actor, "order.cancelled", identity)


def list_orders(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """The newest orders first, their steps readable; `late` when due and not finished."""
    rows = connection.execute(select(schema.order).order_by(schema.order.c.created.desc()).limit(limit))
    present = now_text()
    orders = []
    for row in rows:
        order = row_dict(row)
        order["steps"] = json.loads(order["steps"])
        order["late"] = order["state"] in ("issued", "accepted", "running") and order["due"] < present
        orders.append(order)
    return orders


def check_robot(connection: Connection, name: str) -> None:
    """Raise NotFound unless the robot is enrolled and not revoked."""
    robot = schema.robot
    if connection.execute(select(robot.c.name).where(robot.c.name == name, ~robot.c.revoked)).first() is None:
        raise NotFound("there is no such robot")
