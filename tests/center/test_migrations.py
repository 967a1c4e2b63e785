"""A database of an earlier version becomes one of this version, filled as it was; a newer one is refused."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, inspect, select, text, update

from inspection_center.database import migrating, partitions, schema
from inspection_center.database.engine import open_engine, prepare, writer_connection
from inspection_center.database.metadata import metadata
from inspection_center.maintenance import remove_old
from inspection_center.settings import Settings
from inspection_contract.client import CenterClient
from inspection_contract.errors import InputError
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.contract.builders import detection

FIRST = Path(__file__).with_name("schema_1.sql")
ROBOT = ("robot_1", "h", None, None, "k", b"w", "2026-01-01T00:00:00.000000Z", False, None, None, None)
DAYS = ("2026-01-01", "2026-01-01", "2026-03-05")


def address(database_url: str, folder: Path) -> str:
    return database_url or f"sqlite:///{folder / 'center.db'}"


def test_the_program_goes_to_the_newest_step() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrating.REVISION


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, database_url: str) -> None:
    engine = open_engine(address(database_url, tmp_path))
    prepare(engine, "center.db")
    with writer_connection(engine) as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"center\.db: database of version 9999, newer than this program's"):
        prepare(engine, "center.db")
    with engine.connect() as connection:
        assert migrating.revision(connection) == "9999"
    engine.dispose()


def make_first_version(engine: Engine) -> None:
    """A database as programs of the first version left it, with something in it."""
    script = FIRST.read_text(encoding="utf-8")
    if engine.dialect.name == "sqlite":
        for name, there in (
            ("size BIGSERIAL", "size BIGINT"),
            ("leaf BIGINT", "leaf INTEGER"),
            ("BIGSERIAL", "INTEGER"),
        ):
            script = script.replace(name, there)
        script = script.replace("BYTEA", "BLOB")
    mark = "%s" if engine.dialect.name == "postgresql" else "?"
    with writer_connection(engine) as connection, connection.begin():
        for statement in script.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)

        def fill(table: str, *rows: tuple[Any, ...]) -> None:
            marks = ", ".join([mark] * len(rows[0]))
            for row in rows:
                connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", row)

        fill("setting", ("schema_version", "1"), ("watchlist_version", "3"))
        fill("robot", ROBOT)
        fill("outbox", ("outbox-1", "robot_1", 3, 0))
        fill(
            "event",
            *(
                (7 + n, "outbox-1", n, "robot_1", f"id-{n}", "inspection.fault.v1", f"{day}T12:00:00.000000Z",
                 f"{day}T12:00:00.000000Z", "{}")
                for n, day in enumerate(DAYS, 1)
            ),
        )  # fmt: skip
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('event_number_seq', 10)")
        fill("watchlist_entry", ("w1", "name", "Zhang Wei", "1970-01-01", "", None, "li", 3, None))
        fill("audit", (0, ROBOT[6], "officer:li", "watchlist.added", "3", "{}", "00", "11"))


def described(connection: Connection) -> dict[str, Any]:
    """Columns and indexes of every table, comparable between databases of one kind."""
    found = inspect(connection)
    return {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted(
                (index["name"], tuple(index["column_names"]), index["unique"]) for index in found.get_indexes(table)
            ),
        )
        for table in found.get_table_names()
        if not table.startswith("event_")
    }


def test_the_first_version_becomes_this_one_with_everything_in_it(tmp_path: Path, database_url: str) -> None:
    engine = open_engine(address(database_url, tmp_path))
    make_first_version(engine)
    prepare(engine, "center.db")
    with engine.connect() as connection:
        assert migrating.revision(connection) == migrating.REVISION
        rows = connection.execute(
            select(schema.event.c.number, schema.event.c.received).order_by(schema.event.c.number)
        )
        assert [tuple(row) for row in rows] == [(7 + n, f"{day}T12:00:00.000000Z") for n, day in enumerate(DAYS, 1)]
        entry = connection.execute(select(schema.watchlist_entry)).one()
        assert (entry.identifier, entry.birth_date, entry.added_version) == ("Zhang Wei", "1970-01-01", 3)
        assert connection.execute(select(func.count()).select_from(schema.audit)).scalar_one() == 1
        migrated = described(connection)
    with writer_connection(engine) as connection, connection.begin():
        for table in reversed(metadata.sorted_tables):
            connection.exec_driver_sql(f'DROP TABLE "{table.name}"')
        connection.exec_driver_sql("DROP TABLE alembic_version")
    prepare(engine, "center.db")
    with engine.connect() as connection:
        assert described(connection) == migrated
    engine.dispose()


def test_a_migration_that_fails_leaves_the_first_version_as_it_was(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(address(database_url, tmp_path))
    make_first_version(engine)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(metadata, "create_all", fail)
    with pytest.raises(RuntimeError, match="the power went"):
        prepare(engine, "center.db")
    with engine.connect() as connection:
        assert migrating.revision(connection) == "0001"
        types = {column["name"]: str(column["type"]) for column in inspect(connection).get_columns("watchlist_entry")}
        assert types["birth_date"] == "VARCHAR(10)"
        assert connection.execute(select(func.count()).select_from(schema.event)).scalar_one() == len(DAYS)
    monkeypatch.undo()
    prepare(engine, "center.db")
    with engine.connect() as connection:
        assert migrating.revision(connection) == migrating.REVISION
    engine.dispose()


def test_days_that_are_over_are_dropped_as_tables(tmp_path: Path, empty_postgresql: str) -> None:
    with RunningCenter(tmp_path, Settings(database_url=empty_postgresql)) as running:
        robot = running.enrol("robot_days")
        with CenterClient(running.url, robot.token) as client:
            client.send_events(robot.name, robot.key, events(robot.name, [detection() for _ in range(3)]))
        old = date(2020, 5, 17)

        def age(transaction: Any) -> None:
            partitions.make_days(transaction.connection, old, old)
            moved = update(schema.event).values(received="2020-05-17T01:00:00.000000Z")
            transaction.connection.execute(moved)

        running.center.writer.run(age)
        with running.center.engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM event_day_20200517")).scalar_one() == 3
        asyncio.run(remove_old(running.center))
        with running.center.engine.connect() as connection:
            assert not inspect(connection).has_table("event_day_20200517")
            assert connection.execute(select(func.count()).select_from(schema.event)).scalar_one() == 0


def test_events_of_a_day_without_a_partition_are_kept_too(tmp_path: Path, empty_postgresql: str) -> None:
    with RunningCenter(tmp_path, Settings(database_url=empty_postgresql)) as running:
        robot = running.enrol("robot_other")
        with CenterClient(running.url, robot.token) as client:
            client.send_events(robot.name, robot.key, events(robot.name, [detection()]))
        day = date(2031, 1, 1)

        def move(transaction: Any) -> int:
            transaction.connection.execute(update(schema.event).values(received="2031-01-01T01:00:00.000000Z"))
            partitions.make_days(transaction.connection, day, day)
            return int(transaction.connection.execute(text("SELECT count(*) FROM event_other")).scalar_one())

        assert running.center.writer.run(move) >= 1
