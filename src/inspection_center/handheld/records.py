"""What a handheld recorded at the steps of an order: checked, stored once, the order brought up to date."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, RowMapping, insert, select, update

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text, text
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.handheld.receipts import issue_receipt
from inspection_center.handheld.tables import order_assignment, order_record
from inspection_center.orders import OPEN_STATES
from inspection_center.supervision import sources
from inspection_contract.container_number import is_container_number
from inspection_contract.fields import SHA256_PATTERN, Text, Time, Word
from inspection_contract.signatures import SigningKey

CHOICES: dict[str, tuple[str, ...]] = {
    "seal": ("intact", "broken", "missing"),
    "goods": ("as_declared", "not_as_declared"),
    "packaging": ("sound", "damaged"),
    "container": ("sound", "damaged"),
    "result": ("released", "held"),
}
"""What can be said at a step; for all but the result, only the first is as it should be."""
Refusal = Literal["", "unknown", "others", "over", "number", "choice", "reason", "photo", "unfinished"]


class StepRecord(BaseModel):
    """One deed on a handheld: the order taken, or a step done, skipped or failed. The handheld makes the id."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    order_id: Annotated[str, Field(max_length=64)]
    step: Word = ""
    state: Literal["taken", "done", "skipped", "failed"]
    value: Word = ""
    number: Word = ""
    note: Text = ""
    photos: Annotated[tuple[Annotated[str, Field(pattern=SHA256_PATTERN)], ...], Field(max_length=8)] = ()
    recorded: Time


@dataclass(frozen=True)
class _Order:
    row: RowMapping
    steps: list[dict[str, Any]]
    officer: str | None


def store(transaction: Transaction, key: SigningKey, officer: Principal, item: StepRecord) -> Refusal:
    """Store a record and bring its order up to date; an id that is known changes nothing.

    Returns:
        Why it is refused; empty when it is stored, now or before.
    """
    connection = transaction.connection
    known = connection.execute(select(order_record.c.officer).where(order_record.c.id == str(item.id))).scalar()
    if known is not None:
        return "" if known == officer.name else "others"
    order = _find(connection, item.order_id)
    if order is None:
        return "unknown"
    if order.officer not in (None, officer.name):
        return "others"
    if order.row["state"] not in OPEN_STATES:
        return "over"
    if item.state == "taken":
        _keep(connection, officer, item)
        _take(transaction, officer, item.order_id)
        return ""
    step = next((one for one in order.steps if one["id"] == item.step), None)
    if step is None:
        return "unknown"
    evidence = _evidence(connection, item.photos)
    refusal = fault_of(step["kind"], item, order.steps) or ("" if evidence is not None else "photo")
    if refusal:
        return refusal
    if order.officer is None:
        _take(transaction, officer, item.order_id)
    _keep(connection, officer, item)
    step.update(_said(item, officer), evidence=evidence)
    _update_order(transaction, key, officer, order, item)
    return ""


def fault_of(kind: str, item: StepRecord, steps: list[dict[str, Any]]) -> Refusal:
    """Why a record does not fit its step; empty when it does."""
    if item.state in ("skipped", "failed") and not item.note.strip():
        return "reason"
    if item.state == "skipped":
        return "reason" if kind == "result" else ""
    choices = CHOICES.get(kind)
    if choices is not None and item.value not in choices:
        return "choice"
    if item.state == "done" and choices is not None and kind != "result" and item.value != choices[0]:
        return "choice"
    if kind == "container_number" and item.state == "done" and not is_container_number(item.number):
        return "number"
    if kind == "seal" and item.value == "intact" and not item.number.strip():
        return "number"
    if kind == "photo" and not item.photos:
        return "photo"
    if kind == "result" and unanswered(steps):
        return "unfinished"
    return ""


def unanswered(steps: list[dict[str, Any]]) -> list[str]:
    """Kinds of the required steps, the result aside, that nobody has answered."""
    return [
        str(step["kind"])
        for step in steps
        if step.get("required", True) and step["kind"] != "result" and step["state"] == "open"
    ]


def _find(connection: Connection, identity: str) -> _Order | None:
    order, assignment = schema.order, order_assignment
    row = (
        connection.execute(
            select(order, assignment.c.officer.label("assignee"), assignment.c.taken)
            .join(assignment, assignment.c.order_id == order.c.id)
            .where(order.c.id == identity, order.c.robot.is_(None))
        )
        .mappings()
        .first()
    )
    return None if row is None else _Order(row, json.loads(row["steps"]), row["assignee"])


def _take(transaction: Transaction, officer: Principal, identity: str) -> None:
    order, assignment = schema.order, order_assignment
    changed = transaction.connection.execute(
        update(assignment)
        .where(assignment.c.order_id == identity, assignment.c.taken.is_(None))
        .values(officer=officer.name, taken=now_text())
    )
    if changed.rowcount:
        transaction.connection.execute(
            update(order).where(order.c.id == identity, order.c.state == "issued").values(state="accepted")
        )
        record(transaction, officer.actor, "order.taken", identity)


def _keep(connection: Connection, officer: Principal, item: StepRecord) -> None:
    connection.execute(
        insert(order_record).values(
            id=str(item.id),
            order_id=item.order_id,
            step=item.step,
            officer=officer.name,
            recorded=text(item.recorded),
            received=now_text(),
            body=item.model_dump_json(),
        )
    )


def _said(item: StepRecord, officer: Principal) -> dict[str, Any]:
    told = [part for part in (item.number, item.value, item.note) if part]
    return {
        "state": item.state,
        "result": " · ".join(told),
        "value": item.value,
        "number": item.number,
        "note": item.note,
        "officer": officer.name,
        "recorded": text(item.recorded),
    }


def _evidence(connection: Connection, photos: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """References to photos; None when one is not here."""
    blob = schema.blob
    rows = connection.execute(
        select(blob.c.sha256, blob.c.media_type, blob.c.size_bytes).where(
            blob.c.sha256.in_(photos), blob.c.removed.is_(None)
        )
    ).mappings()
    found = {row["sha256"]: {**row, "role": "photo", "retention": "incident"} for row in rows}
    return [found[photo] for photo in photos] if found.keys() == set(photos) else None


def _update_order(
    transaction: Transaction, key: SigningKey, officer: Principal, order: _Order, item: StepRecord
) -> None:
    kinds = {step["kind"]: step for step in order.steps}
    result = kinds.get("result")
    over = not unanswered(order.steps) and (result is None or result["state"] != "open")
    table = schema.order
    sources.order_changed(
        transaction,
        item.order_id,
        (order.row["state"], json.loads(order.row["steps"])),
        ("done" if over else "running", order.steps),
        actor=officer,
        time=item.recorded,
    )
    transaction.connection.execute(
        update(table)
        .where(table.c.id == order.row["id"])
        .values(steps=json.dumps(order.steps, ensure_ascii=False), state="done" if over else "running")
    )
    step = next(one for one in order.steps if one["id"] == item.step)
    record(transaction, officer.actor, "order.step", item.order_id, step=step["kind"], state=item.state)
    if over and result is not None:
        number = issue_receipt(transaction, key, officer, order.row, order.steps)
        record(transaction, officer.actor, "order.filed", item.order_id, receipt=number, result=result["value"])
