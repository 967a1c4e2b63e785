"""Statistics of supervision: counts and rates by unit, officer and day, with intervals, silent about small samples."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, select

from inspection_center.clock import parse
from inspection_center.supervision import tables
from inspection_center.supervision.cases import OPEN_STATES
from inspection_center.supervision.reading import RuleBook
from inspection_center.supervision.significance import wilson_interval

By = Literal["unit", "officer", "day"]
FEWEST = 20
"""A rate is told from this many on: below it, it would say more about chance than about anybody."""


def rates(connection: Connection, book: RuleBook, since_day: str, by: By) -> list[dict[str, Any]]:
    """Counts of each unit, officer or day since a day, with rates and their 95 % intervals.

    A rate of fewer than `FEWEST` is None. Events without an officer or unit stand under the empty name.
    """
    table = tables.daily_count
    rows = connection.execute(select(table.c[by], table.c.measure, table.c.number).where(table.c.day >= since_day))
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(book.measures.measures, 0))
    for name, measure, number in rows:
        if measure in book.measures.measures:
            counts[str(name)][measure] += int(number)
    return [
        {by: name, **found, "rates": {rate: _rate(found, book, rate) for rate in book.measures.rates}}
        for name, found in sorted(counts.items())
    ]


def handling(connection: Connection, since: str) -> dict[str, Any]:
    """How cases are handled: opened and closed since a time, open and overdue now, median days until closed."""
    case = tables.case
    rows = connection.execute(
        select(case.c.state, case.c.opened, case.c.closed, case.c.overdue).where(
            (case.c.opened >= since) | (case.c.closed >= since) | case.c.state.in_(OPEN_STATES)
        )
    ).all()
    closed = [row for row in rows if row.state == "closed" and row.closed >= since]
    days = [(parse(row.closed) - parse(row.opened)).total_seconds() / 86400 for row in closed]
    return {
        "opened": sum(row.opened >= since for row in rows),
        "closed": len(closed),
        "open": sum(row.state in OPEN_STATES for row in rows),
        "overdue": sum(row.state in OPEN_STATES and row.overdue for row in rows),
        "median_days": float(np.median(days)) if days else None,
    }


def table_of(found: list[dict[str, Any]], by: By, book: RuleBook) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Rows and columns for CSV; a rate that may not be told is empty."""
    columns = (
        by,
        *book.measures.measures,
        *(f"{rate}{part}" for rate in book.measures.rates for part in ("", "_low", "_high")),
    )
    rows = []
    for entry in found:
        row = {name: entry[name] for name in (by, *book.measures.measures)}
        for rate, value in entry["rates"].items():
            for part, key in (("", "rate"), ("_low", "low"), ("_high", "high")):
                row[f"{rate}{part}"] = "" if value is None else f"{value[key]:.4f}"
        rows.append(row)
    return rows, columns


def _rate(counts: dict[str, int], book: RuleBook, name: str) -> dict[str, float] | None:
    rate = book.measures.rates[name]
    part, whole = counts[rate.part], counts[rate.of]
    if whole < FEWEST or part > whole:
        return None
    low, high = wilson_interval(np.array([part]), np.array([whole]))
    return {"rate": part / whole, "low": float(low[0]), "high": float(high[0])}
