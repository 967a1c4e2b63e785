"""What pages and the interface read about declarations."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Select, func, select

from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.database.engine import row_dict
from inspection_center.declarations import receipts
from inspection_center.declarations.deadlines import look_at_steps, overdue
from inspection_center.declarations.states import FINAL_STATES, TRANSITIONS, State
from inspection_center.declarations.tables import declaration, declaration_deed, declaration_duty
from inspection_center.orders import INSPECTION_STEPS
from inspection_center.problems import NotFound

OPTIONAL_STEPS = frozenset(step.kind for step in INSPECTION_STEPS if not step.required)
_OVER = ("done", "failed", "cancelled", "expired")
_LISTED = (
    "id", "registration_number", "number", "kind", "company", "state", "received", "changed", "due", "score", "source",
    "draw", "on_documents", "spot_check", "order_id", "inspector", "result", "follow_up",
)  # fmt: skip


def list_declarations(
    connection: Connection, limit: int = 100, *, state: str = "", kind: str = "", late: bool = False
) -> list[dict[str, Any]]:
    """The newest declarations first, each with its steps and what of it is late or left out."""
    query = _rows().order_by(declaration.c.received.desc(), declaration.c.id).limit(limit)
    if state:
        query = query.where(declaration.c.state == state)
    if kind:
        query = query.where(declaration.c.kind == kind)
    if late:
        query = query.where(declaration.c.due < now_text(), declaration.c.state.notin_(FINAL_STATES))
    return [_readable(row_dict(row)) for row in connection.execute(query)]


def details(connection: Connection, identity: str) -> dict[str, Any]:
    """A declaration with what was declared, done about it, by whom, and the receipts.

    Raises:
        NotFound: there is no such declaration.
    """
    row = connection.execute(
        _rows(declaration.c.content, declaration.c.risk).where(declaration.c.id == identity)
    ).first()
    if row is None:
        raise NotFound("there is no such declaration")
    found = _readable(row_dict(row))
    duties = connection.execute(
        select(declaration_duty.c.duty, declaration_duty.c.person).where(declaration_duty.c.declaration == identity)
    )
    return {
        **found,
        "content": json.loads(found["content"]),
        "risk": json.loads(found["risk"]),
        "possible": [deed.value for deed in TRANSITIONS[State(found["state"])]],
        "duties": [{"duty": duty, "person": person} for duty, person in duties],
        "deeds": deeds(connection, identity),
        "receipts": receipts.of_declaration(connection, identity),
    }


def deeds(connection: Connection, identity: str) -> list[dict[str, Any]]:
    """What was done about a declaration, oldest first."""
    table = declaration_deed
    rows = connection.execute(select(table).where(table.c.declaration == identity).order_by(table.c.number))
    return [{**row_dict(row), "details": json.loads(row.details)} for row in rows]


def photos(connection: Connection, identity: str) -> list[dict[str, Any]]:
    """References of the pictures taken at the steps of a declaration's present order."""
    row = connection.execute(_rows().where(declaration.c.id == identity)).first()
    steps = json.loads(row.steps) if row is not None and row.steps else []
    return [
        one for step in steps for one in step.get("evidence", ()) if str(one.get("media_type", "")).startswith("image/")
    ]


def counts(connection: Connection) -> dict[str, int]:
    """How many declarations are in each state."""
    rows = connection.execute(select(declaration.c.state, func.count()).group_by(declaration.c.state))
    return {str(row[0]): int(row[1]) for row in rows}


def _rows(*columns: Any) -> Select[Any]:
    order = schema.order
    return select(
        *(declaration.c[name] for name in _LISTED),
        *columns,
        order.c.steps,
        order.c.state.label("order_state"),
        order.c.due.label("order_due"),
        order.c.robot,
    ).outerjoin(order, order.c.id == declaration.c.order_id)


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    steps = json.loads(row.pop("steps") or "[]")
    over = row["order_state"] in _OVER
    looked = look_at_steps(steps, over, OPTIONAL_STEPS)
    present = now_text()
    return {
        **row,
        "steps": steps,
        "steps_done": looked.done,
        "steps_skipped": list(looked.skipped),
        "steps_failed": list(looked.failed),
        "late": row["state"] not in FINAL_STATES
        and (
            overdue(row["due"], present) or (bool(row["order_id"]) and not over and overdue(row["order_due"], present))
        ),
    }


def level_of(risk: str) -> str:
    """The risk level in a declaration's `risk` column; empty before it was scored."""
    return str(json.loads(risk).get("level", ""))
