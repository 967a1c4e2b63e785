"""How far a declaration is, for whoever knows both its numbers: one query whether there is one or not."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, and_, select

from inspection_center.database import schema
from inspection_center.declarations.deadlines import look_at_steps
from inspection_center.declarations.item_codes import read_code
from inspection_center.declarations.queries import OPTIONAL_STEPS
from inspection_center.declarations.states import State
from inspection_center.declarations.tables import declaration, receipt

STAGES: dict[State, str] = {
    State.RECEIVED: "received",
    State.SCORED: "received",
    State.IN_REVIEW: "documents",
    State.SELECTED: "inspection",
    State.ORDERED: "inspection",
    State.INSPECTING: "inspection",
    State.INSPECTED: "decision",
    State.HELD: "held",
    State.RELEASED: "released",
    State.FOLLOW_UP: "released",
    State.RECALLED: "held",
    State.FILED: "released",
    State.RETURNED: "returned",
    State.WITHDRAWN: "withdrawn",
}
"""What the public is told of each state: no more than the declarant must do or may expect."""
PATH = ("received", "documents", "inspection", "decision", "released")


def find_progress(connection: Connection, lookup: str) -> dict[str, Any] | None:
    """Progress of the declaration under a keyed digest of both numbers; None without one."""
    order = schema.order
    row = connection.execute(
        select(
            declaration.c.id,
            declaration.c.number,
            declaration.c.kind,
            declaration.c.state,
            declaration.c.received,
            declaration.c.changed,
            declaration.c.content,
            declaration.c.follow_up,
            order.c.steps,
            receipt.c.id.label("receipt"),
        )
        .outerjoin(order, order.c.id == declaration.c.order_id)
        .outerjoin(receipt, and_(receipt.c.declaration == declaration.c.id, receipt.c.revoked.is_(None)))
        .where(declaration.c.lookup == lookup)
        .limit(1)
    ).first()
    if row is None:
        return None
    steps = look_at_steps(json.loads(row.steps or "[]"), False, OPTIONAL_STEPS)
    state = State(row.state)
    released = STAGES[state] == "released"
    codes = [
        {"kind": one["code_kind"], "code": read_code(one["code_kind"], one["code"])}
        for one in json.loads(row.content)["items"]
        if one["code_kind"] and released
    ]
    return {
        "reference": row.id, "number": row.number, "kind": row.kind, "stage": STAGES[state],
        "received": row.received, "changed": row.changed, "steps_done": steps.done, "steps": steps.total,
        "receipt": row.receipt, "follow_up": row.follow_up, "codes": codes,
    }  # fmt: skip
