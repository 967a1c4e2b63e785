"""What of supervision goes: a person's name when it is to be erased, events when their time is over."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from sqlalchemy import delete, or_, select, update

from inspection_center.database.writer import Transaction
from inspection_center.supervision import tables
from inspection_center.supervision.counting import add

ERASED = "erased"
_SEPARATOR = " · "


def erase(transaction: Transaction, person: str) -> int:
    """Erase a person's name from events, cases and counts; what was counted stays counted, of nobody.

    Returns:
        How many events named the person.
    """
    connection = transaction.connection
    table, case, deed, count = tables.enforcement_event, tables.case, tables.deed, tables.daily_count
    quoted = json.dumps(person, ensure_ascii=False)
    rows = connection.execute(
        select(table.c.number, table.c.actor, table.c.data).where(
            or_(table.c.actor == person, table.c.data.contains(quoted, autoescape=True))
        )
    ).all()
    for row in rows:
        connection.execute(
            update(table)
            .where(table.c.number == row.number)
            .values(
                actor="" if row.actor == person else row.actor,
                data=json.dumps(_without(json.loads(row.data), person), ensure_ascii=False),
            )
        )
    shown = tables.occurrence
    for happened in connection.execute(select(shown).where(shown.c.events.contains(quoted, autoescape=True))).all():
        events = json.dumps(_without(json.loads(happened.events), person), ensure_ascii=False)
        connection.execute(
            update(shown)
            .where(shown.c.rule == happened.rule, shown.c.trigger == happened.trigger)
            .values(events=events)
        )
    for found in connection.execute(select(case.c.id, case.c.matter).where(case.c.matter.contains(person))).all():
        parts = [ERASED if part == person else part for part in found.matter.split(_SEPARATOR)]
        connection.execute(update(case).where(case.c.id == found.id).values(matter=_SEPARATOR.join(parts)))
    connection.execute(update(case).where(case.c.assignee == person).values(assignee=None))
    connection.execute(update(case).where(case.c.proposed_by == person).values(proposed_by=ERASED))
    connection.execute(update(deed).where(deed.c.actor == person).values(actor=""))
    connection.execute(update(deed).where(deed.c.action == "assigned", deed.c.text == person).values(text=""))
    connection.execute(delete(tables.concerned).where(tables.concerned.c.account == person))
    connection.execute(delete(tables.officer_unit).where(tables.officer_unit.c.account == person))
    counted = connection.execute(select(count).where(count.c.officer == person)).all()
    connection.execute(delete(count).where(count.c.officer == person))
    add(connection, Counter({(row.day, row.unit, "", row.measure): int(row.number) for row in counted}))
    return len(rows)


def delete_old(transaction: Transaction, before: str, limit: int) -> int:
    """Delete some events recorded before a time; cases keep copies of theirs. Returns how many went."""
    table = tables.enforcement_event
    numbers = select(table.c.number).where(table.c.recorded < before).order_by(table.c.number).limit(limit)
    return int(transaction.connection.execute(delete(table).where(table.c.number.in_(numbers))).rowcount)


def _without(value: Any, person: str) -> Any:
    if isinstance(value, dict):
        return {name: _without(part, person) for name, part in value.items()}
    if isinstance(value, list):
        return [_without(part, person) for part in value]
    return ERASED if value == person else value
