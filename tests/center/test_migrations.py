"""A database of an earlier version becomes one of this version, filled as it was; a newer one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from inspection_center.database import migrating
from inspection_center.database.engine import open_engine, prepare, writer_connection
from inspection_contract.errors import InputError


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
