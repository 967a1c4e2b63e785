"""Daily counts by unit and officer: added to as events are read, in the transaction that moves the position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from inspection_center.database.writer import Transaction
from inspection_center.supervision import tables
from inspection_center.supervision.cases import Opened, moment
from inspection_center.supervision.columns import Batch, EventRow
from inspection_center.supervision.reading import RuleBook

_DAY_CHARACTERS = 10
_Key = tuple[str, str, str, str]


def count(
    transaction: Transaction, book: RuleBook, rows: Sequence[EventRow], opened: Sequence[Opened], zone: ZoneInfo
) -> None:
    """Add events that were read and occurrences that were taken in; an occurrence counts for each officer concerned."""
    counts = _of_events(book, rows, zone)
    for name, measure in book.measures.measures.items():
        for one in opened:
            if one.rule in measure.points:
                for officer in one.officers or ("",):
                    counts[(one.time[:_DAY_CHARACTERS], one.unit, officer, name)] += 1
    add(transaction.connection, counts)


def add(connection: Connection, counts: Counter[_Key]) -> None:
    """Add counts by day, unit, officer and measure to what is counted already."""
    if counts:
        connection.execute(
            _addition(connection.dialect.name),
            [
                {"day": day, "unit": unit, "officer": officer, "measure": name, "number": number}
                for (day, unit, officer, name), number in sorted(counts.items())
            ],
        )


@cache
def _addition(dialect: str) -> Any:
    table = tables.daily_count
    statement = (postgresql_insert if dialect == "postgresql" else sqlite_insert)(table)
    return statement.on_conflict_do_update(
        index_elements=["day", "unit", "officer", "measure"],
        set_={"number": table.c.number + statement.excluded["number"]},
    )


def _of_events(book: RuleBook, rows: Sequence[EventRow], zone: ZoneInfo) -> Counter[_Key]:
    counts: Counter[_Key] = Counter()
    if not rows:
        return counts
    by_number = {row.number: row for row in rows}
    batch = Batch(book.types, rows, np.fromiter((row.time_us for row in rows), np.int64, len(rows)), zone)
    for name, measure in book.measures.measures.items():
        if measure.of is None or not batch.has(measure.of):
            continue
        for number in batch.select(measure.of, ()).number.tolist():
            row = by_number[number]
            counts[(moment(row.time_us)[:_DAY_CHARACTERS], row.unit, row.actor, name)] += 1
    return counts
