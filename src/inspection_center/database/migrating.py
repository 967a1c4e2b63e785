"""The version of a database, and the way from an older one to this program's: alembic, inside the start's transaction.

A new database gets today's tables at once. One of an earlier version goes through the steps in `migrations/versions`.
Tables that are merely new need no step: what is missing is made at each start.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from inspection_center.database.partitions import make_event_table
from inspection_center.database.tables import metadata, schema
from inspection_contract.errors import InputError

REVISION = "0002"
"""The newest step in `migrations/versions`: what this program's tables look like."""
_FIRST_REVISION = "0001"
_SCRIPTS = Path(__file__).parent / "migrations"
_START_LOCK = 0x6D696772  # Any constant: instances that start at the same time go one after the other.


def bring_up_to_date(connection: Connection, name: str | Path) -> None:
    """Make or migrate the tables, inside the caller's transaction: all or nothing.

    Args:
        connection: in a transaction that holds the write lock (SQLite).
        name: of the database, for the error.

    Raises:
        InputError: the database is of a newer version than this program.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _START_LOCK})
    found = revision(connection)
    if found is not None and found != REVISION:
        _migrate(connection, found, name)
    if connection.dialect.name == "postgresql":
        make_event_table(connection)
    metadata.create_all(connection)
    if found != REVISION:
        _stamp(connection, REVISION)


def revision(connection: Connection) -> str | None:
    """The version of a database; None when it is empty."""
    names = inspect(connection).get_table_names()
    if "alembic_version" in names:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    # The first version kept its number among the settings.
    return _FIRST_REVISION if schema.setting.name in names else None


def _migrate(connection: Connection, found: str, name: str | Path) -> None:
    # Alembic costs a quarter of a second that a start over an up-to-date database need not wait for.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if found not in {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}:
        raise InputError(name, f"database of version {found}, newer than this program's {REVISION}: update the program")
    if found == _FIRST_REVISION:
        _stamp(connection, found)
    command.upgrade(config, REVISION)


def _stamp(connection: Connection, number: str) -> None:
    """Write down the version, also where programs of the first version look, so that they refuse a newer database."""
    connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
    connection.execute(text("DELETE FROM alembic_version"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:number)"), {"number": number})
    setting = schema.setting
    connection.execute(setting.delete().where(setting.c.name == "schema_version"))
    connection.execute(setting.insert().values(name="schema_version", value=str(int(number))))
