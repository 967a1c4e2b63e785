"""Figures published for everybody: counts in which nobody can be recognised."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, case, func, select

from inspection_center.declarations.model import KINDS
from inspection_center.declarations.states import RELEASED_STATES
from inspection_center.declarations.tables import declaration

SMALLEST_SHOWN = 5
"""Smaller counts, and whatever would let them be worked out, are not told (statistical disclosure control)."""


def published(connection: Connection, since: str) -> list[dict[str, Any]]:
    """Declarations received since a time, by kind: all, released, released on documents, inspected, found unfit.

    A count below five is None; so is the whole row below five declarations.
    """
    table = declaration

    def number(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0))

    rows = connection.execute(
        select(
            table.c.kind,
            func.count(),
            number(table.c.state.in_([state.value for state in RELEASED_STATES])),
            number(table.c.on_documents),
            number(table.c.result != ""),
            number(table.c.result == "failed"),
        )
        .where(table.c.received >= since)
        .group_by(table.c.kind)
    ).all()
    names = ("received", "released", "on_documents", "inspected", "unfit")
    counted = {row[0]: dict(zip(names, map(int, row[1:]), strict=True)) for row in rows}
    return [{"kind": kind, **_suppressed(counted.get(kind, dict.fromkeys(names, 0)))} for kind in KINDS]


def _suppressed(counts: dict[str, int]) -> dict[str, int | None]:
    few = 0 < counts["received"] < SMALLEST_SHOWN
    return {name: None if few or 0 < count < SMALLEST_SHOWN else count for name, count in counts.items()}
