"""What draws mean for a case: whether it was drawn, and who inspects it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select

from inspection_center.database.engine import row_dict
from inspection_center.draws.tables import draw, draw_assignment
from inspection_center.risk.tables import risk_case


@dataclass(frozen=True)
class CaseDraw:
    """Where a case stands in the draws; `draw` and `officers_draw` name them as objects/2026-11-20#3."""

    state: Literal["waiting", "committed", "selected", "not_selected"]
    draw: str = ""
    officers: tuple[str, ...] = ()
    officers_draw: str = ""


def draw_of(connection: Connection, reference: str) -> CaseDraw | None:
    """Where the newest case of a reference stands; None when there is no case."""
    row = connection.execute(
        select(risk_case.c.level, risk_case.c.drawn, risk_case.c.draw, risk_case.c.officers_draw)
        .where(risk_case.c.reference == reference)
        .order_by(risk_case.c.number.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    if row.level == "release" and not row.drawn:
        return CaseDraw("not_selected")
    names = _names(connection, [number for number in (row.draw, row.officers_draw) if number is not None])
    officers: tuple[str, ...] = ()
    if row.officers_draw is not None:
        found = connection.execute(
            select(draw_assignment.c.item)
            .where(draw_assignment.c.draw == row.officers_draw, draw_assignment.c.place == reference)
            .order_by(draw_assignment.c.number)
        )
        officers = tuple(str(item) for item in found.scalars())
    return CaseDraw(row.drawn or "waiting", names.get(row.draw, ""), officers, names.get(row.officers_draw, ""))


def finished_since(connection: Connection, after: int, limit: int = 100) -> list[dict[str, Any]]:
    """Draws that were done, by number, after one."""
    rows = connection.execute(
        select(draw.c.number, draw.c.series, draw.c.in_series, draw.c.kind, draw.c.finished)
        .where(draw.c.number > after, draw.c.state == "done")
        .order_by(draw.c.number)
        .limit(limit)
    )
    return [row_dict(row) for row in rows]


def entry_of(connection: Connection, reference: str) -> dict[str, Any] | None:
    """The label and salt behind a case's leaf: give it to whom the case belongs, for `verify_draw.py --mine`."""
    number = connection.execute(
        select(risk_case.c.draw)
        .where(risk_case.c.reference == reference, risk_case.c.draw.is_not(None))
        .order_by(risk_case.c.number.desc())
        .limit(1)
    ).scalar()
    if number is None:
        return None
    content = connection.execute(select(draw.c.commitment).where(draw.c.number == number)).scalar_one()
    entries = json.loads(content)["labels"]["items"]
    return next((entry for entry in entries if entry["label"]["id"] == reference), None)


def _names(connection: Connection, numbers: list[int]) -> dict[int | None, str]:
    rows = connection.execute(select(draw.c.number, draw.c.series, draw.c.in_series).where(draw.c.number.in_(numbers)))
    return {row.number: f"{row.series}#{row.in_series}" for row in rows}
