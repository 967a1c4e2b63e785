"""What a finished draw changes: cases become selected or not, officers and allotments are kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select, update

from inspection_center.clock import now_text
from inspection_center.database.bulk import insert_rows
from inspection_center.database.writer import Transaction
from inspection_center.draws.plan import Plan
from inspection_center.draws.tables import draw_assignment
from inspection_center.risk.tables import risk_case
from inspection_center.supervision.events import BusinessEvent, emit_all

_CHUNK = 500
_ASSIGNMENT = ("draw", "kind", "item", "place", "company", "time")
_IN_WORDS = {"release": "low", "draw": "medium", "inspect": "high"}


def bind_cases(connection: Connection, draw: int, plan: Plan) -> None:
    """The objects of a committed draw take part in no other."""
    _mark(connection, [item.label["case"] for item in plan.items], draw=draw, drawn="committed")


def free_cases(connection: Connection, draw: int) -> None:
    """The objects of a draw that came to nothing, or is repeated, wait again."""
    connection.execute(
        update(risk_case)
        .where(risk_case.c.draw == draw, risk_case.c.outcome == "")
        .values(draw=None, drawn="", officers_draw=None)
    )


def free_officers(connection: Connection, draw: int) -> None:
    """The objects of a draw of officers that is repeated wait for officers again."""
    connection.execute(delete(draw_assignment).where(draw_assignment.c.draw == draw))
    connection.execute(
        update(risk_case).where(risk_case.c.officers_draw == draw, risk_case.c.outcome == "").values(officers_draw=None)
    )


def apply(transaction: Transaction, row: dict[str, Any], proof: dict[str, Any]) -> None:
    """Bring a result to where it belongs."""
    labels = proof["labels"]
    chosen = [[labels["items"][position]["label"] for position in drawn] for drawn in proof["result"]]
    places = [entry["label"] for entry in labels["places"]]
    if row["kind"] == "objects":
        _apply_objects(transaction, row, [label["case"] for label in chosen[0]])
        return
    companies = _companies(transaction.connection, [place["id"] for place in places])
    present = now_text()
    insert_rows(
        transaction.connection,
        draw_assignment,
        _ASSIGNMENT,
        [
            (row["number"], row["kind"], label["id"], place["id"], companies.get(place["id"], ("", 0))[0], present)
            for place, drawn in zip(places, chosen, strict=True)
            for label in drawn
        ],
    )
    if row["kind"] == "officers":
        numbers = [companies[place["id"]][1] for place in places if place["id"] in companies]
        _mark(transaction.connection, numbers, officers_draw=row["number"])
        _tell_officers(transaction, row, places, chosen, companies)


def _apply_objects(transaction: Transaction, row: dict[str, Any], selected: list[int]) -> None:
    connection = transaction.connection
    connection.execute(update(risk_case).where(risk_case.c.draw == row["number"]).values(drawn="not_selected"))
    _mark(connection, selected, drawn="selected")
    found = connection.execute(
        select(risk_case.c.reference, risk_case.c.company, risk_case.c.level).where(
            risk_case.c.draw == row["number"], risk_case.c.drawn == "selected"
        )
    )
    name = f"{row['series']}#{row['in_series']}"
    emit_all(
        transaction,
        [
            BusinessEvent(
                "draw.selected",
                "",
                {"draw": name, "declaration": reference, "company": company, "level": _IN_WORDS[level]},
            )
            for reference, company, level in found
        ],
    )


def _tell_officers(
    transaction: Transaction,
    row: dict[str, Any],
    places: list[dict[str, Any]],
    chosen: list[list[dict[str, Any]]],
    companies: dict[str, tuple[str, int]],
) -> None:
    name = f"{row['series']}#{row['in_series']}"
    emit_all(
        transaction,
        [
            BusinessEvent(
                "draw.assigned",
                "",
                {
                    "draw": name,
                    "officer": label["id"],
                    "partner": " ".join(other["id"] for other in drawn if other is not label),
                    "declaration": place["id"],
                    "company": companies.get(place["id"], ("", 0))[0],
                    "conflict": False,
                },
            )
            for place, drawn in zip(places, chosen, strict=True)
            for label in drawn
        ],
    )


def _companies(connection: Connection, references: list[str]) -> dict[str, tuple[str, int]]:
    """Company and number of the drawn case of each reference."""
    found: dict[str, tuple[str, int]] = {}
    for start in range(0, len(references), _CHUNK):
        rows = connection.execute(
            select(risk_case.c.reference, risk_case.c.company, risk_case.c.number)
            .where(risk_case.c.reference.in_(references[start : start + _CHUNK]), risk_case.c.drawn == "selected")
            .order_by(risk_case.c.number)
        )
        found |= {str(reference): (str(company), int(number)) for reference, company, number in rows}
    return found


def _mark(connection: Connection, numbers: list[int], **values: Any) -> None:
    for start in range(0, len(numbers), _CHUNK):
        connection.execute(
            update(risk_case).where(risk_case.c.number.in_(numbers[start : start + _CHUNK])).values(**values)
        )
