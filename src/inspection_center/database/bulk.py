"""Many rows at once, past the per-row work of the expression layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

_SQLITE_ROWS = 200
_FEW_ROWS = 8
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

    PostgreSQL takes many by COPY, everything else is a list of VALUES. One statement for many rows matters with SQLite
    too: its driver gives up Python's interpreter lock at each step, and a busy neighbour keeps it for a while, so that
    a step for each row would wait that long for each row.

    Args:
        connection: inside a transaction.
        table: where.
        columns: names of the columns of the tuples.
        rows: the values.
        ignore: leave out rows whose key is already there.
    """
    postgresql = connection.dialect.name == "postgresql"
    if postgresql and len(rows) > _FEW_ROWS:
        _copy(connection, table, columns, rows, ignore)
        return
    mark = "%s" if postgresql else "?"
    for start in range(0, len(rows), _SQLITE_ROWS):
        chunk = rows[start : start + _SQLITE_ROWS]
        statement = _values_statement(table, columns, ignore, len(chunk), mark)
        connection.exec_driver_sql(statement, tuple(itertools.chain.from_iterable(chunk)))


def _copy(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], ignore: bool
) -> None:
    """COPY knows no ON CONFLICT: where rows may be there already they go by way of a temporary table."""
    target = f'"{table.name}"'
    names = ", ".join(f'"{column}"' for column in columns)
    if ignore:
        target = f'"arriving_{table.name}"'
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {target} ON COMMIT DELETE ROWS "
            f'AS SELECT {names} FROM "{table.name}" WITH NO DATA'
        )
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {target} ({names}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect) from error
    if ignore:
        connection.exec_driver_sql(f"{_head(table, columns)} SELECT {names} FROM {target}{_CONFLICT}")
        connection.exec_driver_sql(f"DELETE FROM {target}")


@cache
def _values_statement(table: Table, columns: tuple[str, ...], ignore: bool, rows: int, mark: str) -> str:
    marks = f"({', '.join([mark] * len(columns))})"
    return f"{_head(table, columns)} VALUES {', '.join([marks] * rows)}{_CONFLICT if ignore else ''}"


def _head(table: Table, columns: tuple[str, ...]) -> str:
    # Names come from the schema of this program, never from outside.
    names = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table.name}" ({names})'
