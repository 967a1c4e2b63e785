"""Many rows at once, past the per-row work of the expression layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Float, Integer, Table


def insert_rows(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    ignore: bool = False,
) -> None:
    """Insert rows given as tuples in the order of `columns`.

    SQLite takes them as prepared executions, PostgreSQL as one statement over arrays (`unnest`).

    Args:
        connection: inside a transaction.
        table: where.
        columns: names of the columns of the tuples.
        rows: the values.
        ignore: leave out rows whose key is already there.
    """
    if not rows:
        return
    statement = _statement(connection.dialect.name, table, columns, ignore)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))
    else:
        connection.exec_driver_sql(statement, list(rows))


@cache
def _statement(dialect: str, table: Table, columns: tuple[str, ...], ignore: bool) -> str:
    # Names come from the schema of this program, never from outside.
    names = ", ".join(f'"{column}"' for column in columns)
    conflict = " ON CONFLICT DO NOTHING" if ignore else ""
    if dialect == "postgresql":
        arrays = ", ".join(f"%s::{_array_type(table.c[column].type)}[]" for column in columns)
        return f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays}){conflict}'
    marks = ", ".join("?" * len(columns))
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}){conflict}'


def _array_type(column_type: Any) -> str:
    if isinstance(column_type, Float):
        return "double precision"
    if isinstance(column_type, BigInteger):
        return "bigint"
    return "integer" if isinstance(column_type, Integer) else "text"
