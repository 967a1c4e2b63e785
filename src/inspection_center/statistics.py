"""Totals and trends: by hour and kind, screening rates, how fast alerts are decided."""

from __future__ import annotations

import csv
import io
from typing import Any

from sqlalchemy import Connection, func, select

from inspection_center.clock import parse
from inspection_center.database import schema

_HOUR_CHARACTERS = 13


def findings_by_hour(connection: Connection, since: str) -> list[dict[str, Any]]:
    """Number of detections, and of alarms among them, by hour (UTC) and kind since a time, in order."""
    table = schema.finding_count
    rows = connection.execute(
        select(table.c.hour, table.c.kind, table.c.findings, table.c.alarms)
        .where(table.c.hour >= since[:_HOUR_CHARACTERS])
        .order_by(table.c.hour, table.c.kind)
    )
    return [{"hour": row[0], "kind": row[1], "findings": int(row[2]), "alarms": int(row[3])} for row in rows]


def screenings(connection: Connection, since: str) -> dict[str, int]:
    """People screened since a time, by outcome."""
    table = schema.screening_count
    row = connection.execute(
        select(
            *(func.coalesce(func.sum(table.c[name]), 0) for name in ("people", "ok", "indeterminate", "alarms"))
        ).where(table.c.hour >= since[:_HOUR_CHARACTERS])
    ).one()
    return {"people": int(row[0]), "ok": int(row[1]), "indeterminate": int(row[2]), "alarms": int(row[3])}


def decisions(connection: Connection, since: str) -> dict[str, Any]:
    """Alerts opened since a time: how many by state, and the median time to a decision [s] (None without any)."""
    table = schema.alert
    rows = connection.execute(
        select(table.c.state, table.c.opened, table.c.decided).where(table.c.opened >= since).limit(100_000)
    ).all()
    states: dict[str, int] = {}
    seconds = []
    for state, opened, decided in rows:
        states[state] = states.get(state, 0) + 1
        if decided is not None:
            seconds.append((parse(decided) - parse(opened)).total_seconds())
    seconds.sort()
    return {"states": states, "median_decision_s": seconds[len(seconds) // 2] if seconds else None}


def to_csv(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """Rows as CSV. What a spreadsheet would take for a formula is quoted with an apostrophe (CWE-1236)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(row[column]) for column in columns])
    return out.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
