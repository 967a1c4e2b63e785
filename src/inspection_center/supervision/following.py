"""Supervision over a running center: reads new events, judges them, stores cases, counts and memory in one transaction.

The position in the event log moves in the same transaction as what was found up to it, so that a center that is killed
at any moment loses no case and opens none twice. Of several instances one moves the position; the others notice that
theirs is old and start again from the stored one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from inspection_center.clock import now_text
from inspection_center.database.writer import StorageError, Transaction, Writer
from inspection_center.settings import SupervisionSettings
from inspection_center.supervision import counting, tables, timers
from inspection_center.supervision.cases import microseconds_of, read_rows, take_in, withdraw_answered
from inspection_center.supervision.columns import Batch, EventRow
from inspection_center.supervision.conditions import microseconds
from inspection_center.supervision.engine import BEGINNING_US, Outcome
from inspection_center.supervision.engine import Engine as RuleEngine
from inspection_center.supervision.events import FOLDER
from inspection_center.supervision.reading import RuleBook, read_rule_book
from inspection_center.supervision.rules import Absence, RiskPoint
from inspection_contract.errors import InputError
from inspection_contract.resources import share

_LOG = logging.getLogger(__name__)
_POSITION = 1
_STORED_EVERY_US = 60_000_000
_SAVED_EVERY_S = 30.0


class PositionMoved(Exception):  # noqa: N818 - says what happened
    """Another instance has read on; what this one found is not stored."""


class Supervision:
    """Supervision of one center.

    Args:
        engine: the database, for reading.
        writer: the one writer.
        book: the risk points and how their cases are handled.
        zone: the port's time zone.
        lateness: how long events may take to arrive; they are judged after it.
        interval_s: between two rounds.
        page: events read at once.
    """

    def __init__(
        self,
        engine: Engine,
        writer: Writer,
        book: RuleBook,
        zone: ZoneInfo,
        lateness: timedelta,
        interval_s: float = 1.0,
        page: int = 20_000,
    ) -> None:
        self.book = book
        self.interval_s = interval_s
        self._engine = engine
        self._writer = writer
        self._zone = zone
        self._lateness_us = microseconds(lateness)
        self._page = page
        self._rules: RuleEngine | None = None
        self._number = 0
        self._late = 0
        self._stored_us = BEGINNING_US
        self._saved_at = 0.0
        self._unsaved: set[str] = set()
        self._working = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, engine: Engine, writer: Writer, settings: SupervisionSettings) -> Supervision:
        """Supervision as the settings say.

        Raises:
            InputError: the risk points or the time zone cannot be used.
        """
        book = rule_book(Path(settings.rules) if settings.rules else None)
        lateness = timedelta(seconds=settings.lateness_s)
        return cls(engine, writer, book, cls.zone_of(settings), lateness, settings.interval_s, settings.page)

    @staticmethod
    def zone_of(settings: SupervisionSettings) -> ZoneInfo:
        """The port's time zone.

        Raises:
            InputError: there is no such zone.
        """
        try:
            return ZoneInfo(settings.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise InputError("supervision.time_zone", f"there is no time zone {settings.time_zone}") from error

    def close(self) -> None:
        """Finish the present round and begin no other."""
        with self._working:
            self._closed = True

    def round(self) -> int:
        """Read, judge and store once; returns how many events were read.

        Raises:
            StorageError: the database does not take it; nothing was stored, the next round begins from there.
        """
        with self._working:
            if self._closed:
                return 0
            try:
                return self._round()
            except PositionMoved:
                self._rules = None
                return 0
            except BaseException:
                # Memory has gone ahead of what is stored: the next round starts from the stored state.
                self._rules = None
                raise

    def catch_up(self) -> None:
        """Rounds until nothing is left to read."""
        while self.round() == self._page:
            pass

    def ring(self) -> None:
        """Carry out what timers demand."""
        with self._working, self._engine.connect() as connection:
            if not self._closed and timers.due(connection):
                self._writer.run(lambda transaction: timers.ring(transaction, self.book))

    def _round(self) -> int:
        rules = self._rules or self._restore()
        present_us = microseconds_of(now_text())
        with self._engine.connect() as connection:
            rows, recorded = read_events(connection, self._number, self._page)
        # A full page means that more lies behind it: then nothing is known about what came after its last event.
        reached_us = microseconds_of(recorded) if len(rows) == self._page else present_us
        held = len(rules.held)
        outcome = rules.advance(rows, reached_us - self._lateness_us)
        expected = self._number
        if rows:
            self._number = rows[-1].number
        self._late += len(outcome.late)
        quiet = not (rows or outcome.matches or outcome.changed or len(rules.held) != held)
        if quiet and rules.watermark_us - self._stored_us < _STORED_EVERY_US:
            return 0
        self._unsaved |= outcome.changed
        save = time.monotonic() - self._saved_at >= _SAVED_EVERY_S
        self._writer.run(lambda transaction: self._store(transaction, rules, outcome, rows, expected, save))
        self._stored_us = rules.watermark_us
        if save:
            self._unsaved = set()
            self._saved_at = time.monotonic()
        return len(rows)

    def _store(
        self,
        transaction: Transaction,
        rules: RuleEngine,
        outcome: Outcome,
        rows: Sequence[EventRow],
        expected: int,
        save: bool,
    ) -> None:
        connection = transaction.connection
        table = tables.position
        moved = connection.execute(
            update(table)
            .where(table.c.id == _POSITION, table.c.number == expected, table.c.watermark_us <= rules.watermark_us)
            .values(
                number=self._number,
                watermark_us=rules.watermark_us,
                late=self._late,
                updated=now_text(),
            )
        )
        if moved.rowcount == 0:
            raise PositionMoved
        opened = take_in(transaction, self.book, outcome.matches)
        counting.count(transaction, self.book, rows, opened, self._zone)
        for row in outcome.late:
            self._take_back(transaction, row)
        if not save:
            connection.execute(insert(tables.judged_round).values(number=self._number, watermark_us=rules.watermark_us))
            return
        held = json.dumps([row.number for row in rules.held])
        connection.execute(
            update(table).values(saved_number=self._number, saved_watermark_us=rules.watermark_us, held=held)
        )
        connection.execute(delete(tables.judged_round))
        for name in sorted(self._unsaved):
            _save_state(connection, self.book.points[name], rules.save(name))

    def _take_back(self, transaction: Transaction, row: EventRow) -> None:
        batch = Batch(self.book.types, [row], np.array([row.time_us]), self._zone)
        for point in self.book.points.values():
            condition = point.condition
            if not isinstance(condition, Absence) or not batch.has(condition.missing):
                continue
            if len(batch.select(condition.missing, condition.key).key):
                withdraw_answered(transaction, point, row)

    def _restore(self) -> RuleEngine:
        """The engine as it was when the position was stored; new and changed rules begin with the present."""
        rules = RuleEngine(self.book.types, self.book.points, self._zone)
        with self._engine.connect() as connection:
            position = connection.execute(select(tables.position)).first()
            states = {row.rule: row for row in connection.execute(select(tables.rule_state))}
            held = [] if position is None else json.loads(position.held)
            waiting = read_rows(connection, held)
            rounds = connection.execute(select(tables.judged_round).order_by(tables.judged_round.c.id)).all()
        if position is None:
            self._writer.run(_begin)
            self._number, self._late = 0, 0
        else:
            self._number, self._late = int(position.saved_number), int(position.late)
            rules.watermark_us = int(position.saved_watermark_us)
            rules.held = [waiting[number] for number in held if number in waiting]
        for name, point in self.book.points.items():
            state = states.get(name)
            if state is not None and state.digest == point.digest:
                rules.restore(name, state.state)
        self._unsaved = set()
        for done in rounds:
            self._judge_again(rules, int(done.number), int(done.watermark_us))
        self._stored_us = rules.watermark_us
        self._rules = rules
        return rules

    def _judge_again(self, rules: RuleEngine, number: int, watermark_us: int) -> None:
        """One round whose results are stored already: only what it left in memory counts."""
        with self._engine.connect() as connection:
            rows, _ = read_events(connection, self._number, number - self._number)
        self._unsaved |= rules.advance([row for row in rows if row.number <= number], watermark_us).changed
        self._number = number


@cache
def rule_book(folder: Path | None = None) -> RuleBook:
    """The installation's risk points, or those of another folder; read once in a process.

    Raises:
        InputError: they cannot be used.
    """
    return read_rule_book(folder or share() / "config" / FOLDER)


async def supervise(supervision: Supervision) -> None:
    """Run for ever: rounds and timers; a database that is away is tried again."""
    while True:
        try:
            await run_in_threadpool(supervision.catch_up)
            await run_in_threadpool(supervision.ring)
        except (StorageError, DBAPIError) as error:
            _LOG.warning("supervision waits: %s", error)
        await asyncio.sleep(supervision.interval_s)


def read_events(connection: Connection, after: int, limit: int) -> tuple[list[EventRow], str]:
    """Events after a number, oldest first, and when the last of them was recorded."""
    table = tables.enforcement_event
    found = connection.execute(
        select(table.c.number, table.c.type, table.c.time, table.c.actor, table.c.unit, table.c.data, table.c.recorded)
        .where(table.c.number > after)
        .order_by(table.c.number)
        .limit(limit)
    ).all()
    if not found:
        return [], ""
    numbers, types, times, actors, units, data, recorded = zip(*found, strict=True)
    moments = np.array([time[:-1] for time in times], dtype="datetime64[us]").astype(np.int64).tolist()
    rows = list(map(EventRow, numbers, types, moments, actors, units, data))
    return rows, str(recorded[-1])


def _begin(transaction: Transaction) -> None:
    connection = transaction.connection
    if connection.execute(select(tables.position.c.id)).first() is None:
        connection.execute(
            insert(tables.position).values(
                id=_POSITION,
                number=0,
                watermark_us=BEGINNING_US,
                saved_number=0,
                saved_watermark_us=BEGINNING_US,
                held="[]",
                late=0,
                updated=now_text(),
            )
        )


def _save_state(connection: Connection, point: RiskPoint, content: bytes) -> None:
    table = tables.rule_state
    connection.execute(delete(table).where(table.c.rule == point.id))
    connection.execute(insert(table).values(rule=point.id, digest=point.digest, state=content))
