"""Orders to robots and officers, announcements, live views."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection, Select, insert, or_, select, update

from inspection_center.audit.log import record
from inspection_center.auth.permissions import PERMISSIONS, Principal
from inspection_center.clock import now_text
from inspection_center.commands.doorbell import ALERTS
from inspection_center.commands.issuing import issue
from inspection_center.database import schema
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.handheld.tables import order_assignment, order_receipt
from inspection_center.problems import Conflict, NotFound
from inspection_center.supervision import sources
from inspection_center.supervision.events import emit
from inspection_contract.commands import Announcement, LiveViewRequest, Order, OrderStep, SpeechPriority
from inspection_contract.fields import Number, Pose, Position, RobotName, Word
from inspection_contract.signatures import SigningKey

if TYPE_CHECKING:
    from inspection_center.service import Center

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
# What an officer does who is sent to a place.
DISPATCH_STEPS: tuple[OrderStep, ...] = (
    OrderStep(id="1", kind="go_to", instruction_key="step.go_to"),
    OrderStep(id="2", kind="photo", instruction_key="step.photo", required=False),
)
OFFICER_KINDS = ("inspection", "dispatch")
OPEN_STATES = ("issued", "accepted", "running")
_ANNOUNCEMENT_LIFE = timedelta(minutes=10)
_LIVE_LIFE = timedelta(minutes=1)
_SHOWN = 200
_EMPTY_STEP: dict[str, Any] = {
    "required": True, "value": "", "number": "", "note": "", "evidence": (), "officer": "", "recorded": "",
}  # fmt: skip


class NewOrder(BaseModel):
    """An order to a robot, to a colleague, or (neither named) to whichever officer takes it."""

    model_config = ConfigDict(extra="forbid")

    robot: RobotName | None = None
    colleague: Annotated[str, Field(max_length=64)] = ""
    kind: Literal["inspection", "patrol", "dispatch", "recalibrate", "return_to_dock"]
    due_minutes: Annotated[float, Field(gt=0, le=10_080, allow_inf_nan=False)] = 60.0
    x: Number | None = None
    y: Number | None = None
    place_name: Word = ""
    alert: UUID | None = None

    @model_validator(mode="after")
    def _whole(self) -> NewOrder:
        if (self.x is None) != (self.y is None):
            raise ValueError("a place needs x and y")
        if self.robot is None and self.kind not in OFFICER_KINDS:
            raise ValueError("only a robot can carry this out")
        if self.robot is not None and self.colleague:
            raise ValueError("an order goes to a robot or to a colleague")
        return self


async def give(center: Center, officer: Principal, order: NewOrder) -> str:
    """Give an order, tell whom it concerns, and return its id.

    Raises:
        NotFound: there is no such robot, colleague or alert.
        StorageError: the database cannot take it now.
    """

    def job(transaction: Transaction) -> str:
        identity = give_order(
            transaction,
            center.key,
            officer,
            order.robot,
            order.kind,
            timedelta(minutes=order.due_minutes),
            place=None if order.x is None or order.y is None else (order.x, order.y),
            place_name=order.place_name,
            assignee=order.colleague,
            alert=None if order.alert is None else str(order.alert),
        )
        emit(
            transaction,
            "order.given",
            officer,
            order=identity,
            kind=order.kind,
            robot=order.robot or "",
            officer=order.colleague,
            due_minutes=order.due_minutes,
        )
        return identity

    identity = await center.write(job)
    center.ring(order.robot or ALERTS)
    return identity


def give_order(
    transaction: Transaction,
    key: SigningKey,
    officer: Principal,
    robot: str | None,
    kind: str,
    due: timedelta,
    *,
    place: tuple[float, float] | None = None,
    place_name: str = "",
    assignee: str = "",
    alert: str | None = None,
) -> str:
    """Store an order and return its id.

    Args:
        transaction: of the writer.
        key: signs what a robot is told.
        officer: who gives it.
        robot: who carries it out; with an assignee it only comes to the place as well.
        kind: of order.
        due: until when.
        place: x, y in `map` [m].
        place_name: in words.
        assignee: the officer who carries it out; without one and without a robot, whoever takes it.
        alert: what it is about.

    Raises:
        NotFound: there is no such robot, officer or alert.
    """
    connection = transaction.connection
    if robot is not None:
        check_robot(connection, robot)
    if assignee:
        check_officer(connection, assignee)
    if (
        alert is not None
        and connection.execute(select(schema.alert.c.id).where(schema.alert.c.id == alert)).first() is None
    ):
        raise NotFound("there is no such alert")
    by_officer = bool(assignee) or robot is None
    steps = INSPECTION_STEPS if kind == "inspection" else DISPATCH_STEPS if by_officer else ()
    identity = uuid4().hex[:16]
    body = Order.model_validate(
        {
            "order_id": identity,
            "kind": kind,
            "officer": officer.name,
            "place": None if place is None else Pose(position=Position(x=place[0], y=place[1])),
            "place_name": place_name,
            "steps": steps,
        }
    )
    open_steps = [
        {"id": step.id, "kind": step.kind, "state": "open", "result": "", "required": step.required} for step in steps
    ]
    connection.execute(
        insert(schema.order).values(
            id=identity,
            revision=body.revision,
            robot=None if by_officer else robot,
            officer=officer.name,
            kind=body.kind,
            place_name=place_name,
            created=now_text(),
            due=now_text(due),
            state="issued",
            steps=json.dumps(open_steps),
            reason="",
        )
    )
    x, y = place or (None, None)
    connection.execute(
        insert(order_assignment).values(order_id=identity, officer=assignee or None, alert=alert, x=x, y=y, taken=None)
    )
    if robot is not None and not by_officer:
        issue(transaction, key, robot, body, officer.name, due)
    told = {"robot": robot or "", "kind": kind, "place": place_name, "colleague": assignee}
    record(transaction, officer.actor, "order.given", identity, **told)
    if alert is not None:
        record(transaction, officer.actor, "alert.dispatched", alert, reason=assignee or robot or "", order=identity)
    if by_officer and robot is not None:
        give_order(transaction, key, officer, robot, "dispatch", due, place=place, place_name=place_name, alert=alert)
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
    if enable:
        emit(transaction, "robot.live_viewed", officer, robot=robot, camera=camera)


def cancel_order(transaction: Transaction, officer: Principal, identity: str) -> None:
    """Close an order that nobody has finished.

    Raises:
        NotFound: there is no such order.
        Conflict: it is finished.
    """
    order = schema.order
    state = transaction.connection.execute(select(order.c.state).where(order.c.id == identity)).scalar()
    changed = transaction.connection.execute(
        update(order)
        .where(order.c.id == identity, order.c.state.in_(OPEN_STATES))
        .values(state="cancelled", reason=f"{officer.name}")
    )
    if state is None:
        raise NotFound("there is no such order")
    if changed.rowcount == 0:
        raise Conflict("this order is finished")
    record(transaction, officer.actor, "order.cancelled", identity)
    sources.order_changed(transaction, identity, (state, ()), ("cancelled", ()), actor=officer)


def list_orders(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """The newest orders first, their steps readable; `late` when due and not finished."""
    return [_readable(row) for row in connection.execute(_rows().order_by(schema.order.c.created.desc()).limit(limit))]


def orders_of(connection: Connection, officer: str, finished_since: str) -> list[dict[str, Any]]:
    """What an officer has to do, what anybody may take, and what he finished since a time; the most urgent first."""
    order, assignment = schema.order, order_assignment
    rows = connection.execute(
        _rows()
        .where(
            order.c.robot.is_(None),
            or_(
                order.c.state.in_(OPEN_STATES) & or_(assignment.c.officer == officer, assignment.c.officer.is_(None)),
                (assignment.c.officer == officer) & (order.c.created > finished_since),
            ),
        )
        .order_by(order.c.due)
        .limit(_SHOWN)
    )
    return [_readable(row) for row in rows]


def orders_about(connection: Connection, alert: str) -> list[dict[str, Any]]:
    """The orders that were given about an alert, newest first."""
    rows = connection.execute(
        _rows().where(order_assignment.c.alert == alert).order_by(schema.order.c.created.desc()).limit(_SHOWN)
    )
    return [_readable(row) for row in rows]


def order_details(connection: Connection, identity: str) -> dict[str, Any]:
    """One order with everything recorded at its steps and the deeds about it, oldest first.

    Raises:
        NotFound: there is no such order.
    """
    row = connection.execute(_rows().where(schema.order.c.id == identity)).first()
    if row is None:
        raise NotFound("there is no such order")
    audit = schema.audit
    deeds = connection.execute(
        select(audit.c.time, audit.c.actor, audit.c.action, audit.c.details)
        .where(audit.c.object == identity)
        .order_by(audit.c.leaf)
    )
    return {**_readable(row), "deeds": [{**row_dict(deed), "details": json.loads(deed.details)} for deed in deeds]}


def colleagues(connection: Connection) -> list[str]:
    """Officers who may carry orders out, by name."""
    account = schema.account
    roles = PERMISSIONS["orders.write"]
    rows = connection.execute(
        select(account.c.name).where(account.c.active, account.c.role.in_(roles)).order_by(account.c.name)
    )
    return [str(row[0]) for row in rows]


def check_robot(connection: Connection, name: str) -> None:
    """Raise NotFound unless the robot is enrolled and not revoked."""
    robot = schema.robot
    if connection.execute(select(robot.c.name).where(robot.c.name == name, ~robot.c.revoked)).first() is None:
        raise NotFound("there is no such robot")


def check_officer(connection: Connection, name: str) -> None:
    """Raise NotFound unless this is an open account that may carry orders out."""
    account = schema.account
    role = connection.execute(select(account.c.role).where(account.c.name == name, account.c.active)).scalar()
    if role not in PERMISSIONS["orders.write"]:
        raise NotFound("there is no such colleague")


def _rows() -> Select[Any]:
    order, assignment, receipt = schema.order, order_assignment, order_receipt
    return (
        select(
            order,
            assignment.c.officer.label("assignee"),
            assignment.c.alert,
            assignment.c.x,
            assignment.c.y,
            assignment.c.taken,
            receipt.c.number.label("receipt"),
        )
        .outerjoin(assignment, assignment.c.order_id == order.c.id)
        .outerjoin(receipt, receipt.c.order_id == order.c.id)
    )


def _readable(row: Any) -> dict[str, Any]:
    order = row_dict(row)
    order["steps"] = [{**_EMPTY_STEP, **step} for step in json.loads(order["steps"])]
    order["late"] = order["state"] in OPEN_STATES and order["due"] < now_text()
    over = order["state"] not in OPEN_STATES
    required = [step for step in order["steps"] if step["required"]]
    order["unfinished"] = [step["kind"] for step in required if step["state"] == "open"] if over else []
    order["skipped"] = [step["kind"] for step in order["steps"] if step["state"] == "skipped"]
    return order
