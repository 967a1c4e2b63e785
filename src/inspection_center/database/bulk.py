"""Many rows at once, past the per-row work of the expression layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic_core import to_json
from sqlalchemy import BigInteger, Connection, Float, Integer, Table

_SQLITE_ROWS = 200
_CONFLICT = " ON CONFLICT DO NOTHING"


def insert_rows(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    ignore: bool = False,
) -> None:
    """Insert rows given as tuples in the order of `columns`, many in one statement.

    PostgreSQL takes them as one JSON text (arrays of texts cost the driver five times as much), SQLite as a list of
    VALUES. One statement for many rows matters with SQLite too: its driver gives up Python's interpreter lock at each
    step, and a busy neighbour keeps it for milliseconds, so that a step for each row would wait that long for each row.

    Args:
        connection: inside a transaction.
        table: where.
        columns: names of the columns of the tuples.
        rows: the values.
        ignore: leave out rows whose key is already there.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        records = to_json([dict(zip(columns, row, strict=True)) for row in rows]).decode()
        connection.exec_driver_sql(_record_statement(table, columns, ignore), (records,))
        return
    for start in range(0, len(rows), _SQLITE_ROWS):
        chunk = rows[start : start + _SQLITE_ROWS]
        statement = _values_statement(table, columns, ignore, len(chunk))
        connection.exec_driver_sql(statement, tuple(itertools.chain.from_iterable(chunk)))


@cache
def _record_statement(table: Table, columns: tuple[str, ...], ignore: bool) -> str:
    fields = ", ".join(f'"{column}" {_postgresql_type(table.c[column].type)}' for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    source = f"SELECT {names} FROM json_to_recordset(%s::json) AS record({fields})"
    return f"{_head(table, columns)} {source}{_CONFLICT if ignore else ''}"


@cache
def _values_statement(table: Table, columns: tuple[str, ...], ignore: bool, rows: int) -> str:
    marks = f"({', '.join('?' * len(columns))})"
    return f"{_head(table, columns)} VALUES {', '.join([marks] * rows)}{_CONFLICT if ignore else ''}"


def _head(table: Table, columns: tuple[str, ...]) -> str:
    # Names come from the schema of this program, never from outside.
    names = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table.name}" ({names})'


def _postgresql_type(column_type: Any) -> str:
    if isinstance(column_type, Float):
        return "double precision"
    if isinstance(column_type, BigInteger):
        return "bigint"
    return "integer" if isinstance(column_type, Integer) else "text"
