"""A center killed with -9 while it judges: every case is there once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from inspection_center.clock import text
from inspection_center.database.bulk import insert_rows
from inspection_center.database.engine import open_engine, prepare
from inspection_center.database.writer import Transaction, Writer
from inspection_center.supervision import tables

EVENTS, CASES, KILLS = 3_000, 60, 2
_COLUMNS = ("type", "time", "recorded", "actor", "unit", "data")


def fill(state: Path) -> None:
    """A database with a backlog, written while no center runs."""
    state.mkdir(mode=0o700)
    engine = open_engine(f"sqlite:///{state / 'center.db'}")
    prepare(engine, state)
    writer = Writer(engine)
    begin = datetime.now(UTC) - timedelta(hours=1)

    def store(transaction: Transaction) -> None:
        rows = []
        for index in range(EVENTS):
            stamp = text(begin + timedelta(milliseconds=100 * index))
            required = index % (EVENTS // CASES) == 0
            fields = {"order": f"o{index}", "step": "4", "step_kind": "goods", "required": required}
            rows.append(("order.step_skipped", stamp, stamp, "", "", json.dumps(fields)))
        insert_rows(transaction.connection, tables.enforcement_event, _COLUMNS, rows)

    writer.run(store)
    writer.close()
    engine.dispose()


def position(state: Path) -> tuple[int, list[str], int]:
    engine = open_engine(f"sqlite:///{state / 'center.db'}")
    with engine.connect() as connection:
        number = connection.execute(select(tables.position.c.number)).scalar() or 0
        matters = list(connection.execute(select(tables.case.c.matter)).scalars())
        occurrences = connection.execute(select(func.count()).select_from(tables.occurrence)).scalar_one()
    engine.dispose()
    return number, matters, occurrences


@pytest.mark.e2e
def test_no_kill_loses_or_doubles_a_case(tmp_path: Path) -> None:
    state = tmp_path / "center"
    fill(state)
    settings = tmp_path / "center.yaml"
    settings.write_text("supervision: {lateness_s: 0, page: 500}\n", encoding="utf-8")
    command = [
        sys.executable, "-m", "inspection_center", "serve", "--port", "0", "--state", str(state),
        "--settings", str(settings),
    ]  # fmt: skip
    chance = random.Random(1)
    kills, deadline = 0, time.monotonic() + 270
    while position(state)[0] < EVENTS and time.monotonic() < deadline:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("center: http")
        before = position(state)[0]
        patience = time.monotonic() + 60
        # Killed at any moment of a round, but never before the center has got anywhere.
        while position(state)[0] in (before, 0) and time.monotonic() < patience:
            time.sleep(chance.random() / 20)
        if kills < KILLS:
            kills += 1
        else:
            while position(state)[0] < EVENTS and time.monotonic() < deadline:
                time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    number, matters, occurrences = position(state)
    assert number >= EVENTS  # opening a case is an event too
    assert (kills, occurrences) == (KILLS, CASES)
    assert sorted(matters) == sorted(f"o{index}" for index in range(0, EVENTS, EVENTS // CASES))
