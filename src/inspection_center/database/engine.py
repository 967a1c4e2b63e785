"""Connections: SQLite durable at every commit, or PostgreSQL; the same code above."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from inspection_center.database.migrating import bring_up_to_date
from inspection_contract.errors import InputError


def open_engine(url: str) -> Engine:
    """An engine for readers and the writer.

    SQLite runs in WAL mode with `synchronous=FULL`: a commit that returned survives `kill -9` and power failure.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": 10.0, "check_same_thread": False}, pool_size=8, max_overflow=8)

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        # SQLAlchemy's own recipe: the driver must not begin transactions by itself, we do (below).
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA wal_autocheckpoint=8000")
        connection.execute("PRAGMA cache_size=-65536")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("inspection_writer", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def writer_connection(engine: Engine) -> Connection:
    """A connection whose transactions take the write lock at their start, so that they never fail half way."""
    return engine.connect().execution_options(inspection_writer=True)


def prepare(engine: Engine, name: str | Path) -> None:
    """Make the tables in a new database, bring an older one up to date, refuse a newer one.

    Raises:
        InputError: the database cannot be opened, or is newer than this program.
    """
    try:
        with writer_connection(engine) as connection, connection.begin():
            bring_up_to_date(connection, name)
    except DBAPIError as error:
        raise InputError(name, f"cannot be the center's database: {error.orig}") from error


def row_dict(row: Any) -> dict[str, Any]:
    """A result row as a plain dict."""
    return dict(row._mapping)
