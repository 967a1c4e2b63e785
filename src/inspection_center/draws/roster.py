"""The duty roster: who may be drawn, when, for what, and for whom not."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text, text
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.draws.tables import draw_roster
from inspection_center.problems import NotFound, Unfit
from inspection_center.supervision.events import set_unit

COLUMNS = ("officer", "unit", "lead", "qualifications", "conflicts", "duty_from", "duty_until")
MAXIMUM_OFFICERS = 5000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def read_roster(content: str) -> list[dict[str, Any]]:
    """Read a roster: CSV with a header of `COLUMNS`; several qualifications or companies are set apart by spaces.

    Raises:
        Unfit: no such list; the text names the line and the reason.
    """
    reader = csv.DictReader(io.StringIO(content.removeprefix("\ufeff")), restkey="", strict=True)
    try:
        if set(reader.fieldnames or ()) != set(COLUMNS):
            raise Unfit(f"line 1: the columns must be {', '.join(COLUMNS)}")
        rows = [_read_row(row, reader.line_num) for row in reader]
    except csv.Error as error:
        raise Unfit(f"line {reader.line_num}: no CSV: {error}") from error
    if not rows:
        raise Unfit("the roster is empty")
    if len(rows) > MAXIMUM_OFFICERS:
        raise Unfit(f"more than {MAXIMUM_OFFICERS} officers")
    seen: set[str] = set()
    for place, row in enumerate(rows, 2):
        if row["officer"] in seen:
            raise Unfit(f"line {place}: {row['officer']} stands there twice")
        seen.add(row["officer"])
    return rows


def store_roster(transaction: Transaction, supervisor: Principal, rows: Sequence[dict[str, Any]]) -> int:
    """Put officers on the roster; who is there already gets the new entry."""
    connection = transaction.connection
    names = [row["officer"] for row in rows]
    connection.execute(delete(draw_roster).where(draw_roster.c.officer.in_(names)))
    present = now_text()
    connection.execute(
        insert(draw_roster), [{**row, "changed": present, "changed_by": supervisor.actor[:80]} for row in rows]
    )
    for row in rows:
        set_unit(transaction, row["officer"], row["unit"])
    record(transaction, supervisor.actor, "draw.roster_changed", "", officers=names[:1000])
    return len(rows)


def remove_officer(transaction: Transaction, supervisor: Principal, name: str) -> None:
    """Take somebody off the roster.

    Raises:
        NotFound: nobody of this name is on it.
    """
    changed = transaction.connection.execute(delete(draw_roster).where(draw_roster.c.officer == name))
    if changed.rowcount == 0:
        raise NotFound("nobody of this name is on the roster")
    record(transaction, supervisor.actor, "draw.roster_changed", name, removed=True)


def roster(connection: Connection) -> list[dict[str, Any]]:
    """Everybody by name; `on_duty` tells who is now."""
    present = now_text()
    rows = [row_dict(row) for row in connection.execute(select(draw_roster).order_by(draw_roster.c.officer))]
    for row in rows:
        row["qualifications"] = json.loads(row["qualifications"])
        row["conflicts"] = json.loads(row["conflicts"])
        row["on_duty"] = row["duty_from"] <= present < row["duty_until"]
    return rows


def _read_row(row: dict[str, str | None], line: int) -> dict[str, Any]:
    if "" in row or None in row.values():
        raise Unfit(f"line {line}: the number of fields is not that of the columns")
    fields = {name: (value or "").strip() for name, value in row.items()}
    if _NAME.fullmatch(fields["officer"]) is None:
        raise Unfit(f"line {line}: officer must be an account's name")
    if fields["lead"] not in ("yes", "no"):
        raise Unfit(f"line {line}: lead must be yes or no")
    if not 1 <= len(fields["unit"]) <= 64 or not fields["unit"].isprintable():
        raise Unfit(f"line {line}: unit must have 1 … 64 printable characters")
    if len(fields["qualifications"]) > 1000 or len(fields["conflicts"]) > 5000 or "\x00" in "".join(fields.values()):
        raise Unfit(f"line {line}: too long, or with a NUL character")
    begins, ends = (_moment(fields[name], name, line) for name in ("duty_from", "duty_until"))
    if begins >= ends:
        raise Unfit(f"line {line}: duty ends before it begins")
    return {
        "officer": fields["officer"],
        "unit": fields["unit"],
        "lead": fields["lead"] == "yes",
        "qualifications": json.dumps(sorted(set(fields["qualifications"].split()))),
        "conflicts": json.dumps(sorted(set(fields["conflicts"].split()))),
        "duty_from": begins,
        "duty_until": ends,
    }


def _moment(value: str, name: str, line: int) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise Unfit(f"line {line}: {name} is no time (2026-11-20T08:00+08:00)") from error
    if moment.tzinfo is None:
        raise Unfit(f"line {line}: {name} needs a time zone (2026-11-20T08:00+08:00)")
    try:
        return text(moment)
    except OverflowError as error:
        raise Unfit(f"line {line}: {name} is no usable time") from error
