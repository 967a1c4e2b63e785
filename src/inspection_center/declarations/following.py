"""Declarations follow their orders: begun, finished, given up.

Whoever changes an order may call this at once; the center's own rounds do so too, so that a restart or a forgotten call
leaves nothing behind.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import RowMapping, Select, and_, or_, select

from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.declarations.deadlines import look_at_steps
from inspection_center.declarations.handling import CENTER_ACTOR, change
from inspection_center.declarations.queries import OPTIONAL_STEPS
from inspection_center.declarations.states import Deed, State
from inspection_center.declarations.tables import declaration
from inspection_center.supervision.events import emit

_GIVEN_UP = ("cancelled", "expired")
_CHUNK = 500


def follow_order(transaction: Transaction, order_id: str) -> None:
    """Bring the declaration of an order up to date; nothing happens for an order without one."""
    for row in transaction.connection.execute(_behind().where(declaration.c.order_id == order_id)).mappings().all():
        _follow(transaction, row)


def follow_orders(transaction: Transaction) -> int:
    """Bring every declaration up to date whose order went on without it; returns how many."""
    rows = transaction.connection.execute(_behind().limit(_CHUNK)).mappings().all()
    for row in rows:
        _follow(transaction, row)
    return len(rows)


def _behind() -> Select[Any]:
    order = schema.order
    waiting = declaration.c.state == State.ORDERED.value
    running = declaration.c.state == State.INSPECTING.value
    return (
        select(
            declaration.c.id,
            declaration.c.state,
            declaration.c.company,
            declaration.c.registration_number,
            declaration.c.inspector,
            order.c.id.label("order_id"),
            order.c.state.label("order_state"),
            order.c.steps,
            order.c.reason,
        )
        .join(order, order.c.id == declaration.c.order_id)
        .where(
            or_(
                and_(waiting, order.c.state.in_(("running", "done", "failed", *_GIVEN_UP))),
                and_(running, order.c.state.in_(("done", "failed", *_GIVEN_UP))),
            )
        )
    )


def _follow(transaction: Transaction, row: RowMapping) -> None:
    identity, order_state = row["id"], row["order_state"]
    if order_state in _GIVEN_UP:
        reason = f"order {row['order_id']} {order_state}: {row['reason']}"
        change(
            transaction, CENTER_ACTOR, identity, Deed.CANCEL_ORDER, reason, columns={"order_id": None, "inspector": ""}
        )
        return
    if order_state == "running":
        change(transaction, CENTER_ACTOR, identity, Deed.BEGIN, details={"order": row["order_id"]})
        return
    steps = json.loads(row["steps"])
    looked = look_at_steps(steps, True, OPTIONAL_STEPS)
    outcome = "failed" if order_state == "failed" and looked.outcome == "passed" else looked.outcome
    told = {"outcome": outcome, "skipped": list(looked.skipped), "failed": list(looked.failed)}
    change(transaction, CENTER_ACTOR, identity, Deed.FINISH, row["reason"], details=told, columns={"result": outcome})
    emit(
        transaction,
        "result.filed",
        row["inspector"],
        order=row["order_id"],
        declaration=identity,
        company=row["registration_number"],
        unfit=outcome == "failed",
        outcome=outcome,
        evidence=sum(len(step.get("evidence", ())) for step in steps),
    )
