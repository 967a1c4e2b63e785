"""The end of the event log, told to everyone who listens: read once from the database, handed to all.

A listener has a cursor (the number of the last event it saw). Near the end it is served from memory, further back from
the database; it can therefore be slow, break off and come back without missing or repeating anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from inspection_center.database import schema

_LOG = logging.getLogger(__name__)
_PAGE = 500
_KEPT = 5000
_GATHER_S = 0.02
_RETRY_S = 0.5
_INTEREST_S = 30.0
"""So long after the last question of a listener the end of the log is still kept in memory."""


class LogEvent(NamedTuple):
    """One event of the log."""

    number: int
    robot: str
    sequence: int
    type: str
    time: str
    received: str
    data: str


class Tail:
    """Follows the event log of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._recent: deque[LogEvent] = deque(maxlen=_KEPT)
        self._last = 0
        self._asked = -math.inf
        self._changed = asyncio.Event()
        self._condition = asyncio.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    async def start(self) -> None:
        """Begin at the present end of the log."""
        self._loop = asyncio.get_running_loop()
        self._last = await run_in_threadpool(last_number, self._engine)
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Let every listener go."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        async with self._condition:
            self._condition.notify_all()

    def wake(self) -> None:
        """There may be news; callable from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    @property
    def last(self) -> int:
        """Number of the newest event told."""
        return self._last

    async def after(self, cursor: int, wait_s: float) -> Sequence[LogEvent]:
        """The next events after a cursor, oldest first; empty when none came within `wait_s`."""
        self._asked = time.monotonic()
        if cursor >= self._last:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s), self._condition:
                    await self._condition.wait_for(lambda: self._last > cursor or self.closed)
            if cursor >= self._last:
                return []
        if self._recent and self._recent[0].number <= cursor + 1:
            return [event for event in self._recent if event.number > cursor][:_PAGE]
        return await run_in_threadpool(read_log, self._engine, cursor, _PAGE)

    async def stream(self, cursor: int, keep_alive_s: float = 10.0) -> AsyncIterator[Sequence[LogEvent]]:
        """Events for ever; an empty page now and then, so that a dead listener is noticed."""
        while not self.closed:
            events = await self.after(cursor, keep_alive_s)
            if events:
                cursor = events[-1].number
            yield events

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._read_on()
            except DBAPIError as error:
                _LOG.warning("the end of the log cannot be read, trying again: %s", error.orig)
                await asyncio.sleep(_RETRY_S)
                self._changed.set()
            # Under load, many commits make one reading.
            await asyncio.sleep(_GATHER_S)

    async def _read_on(self) -> None:
        if time.monotonic() - self._asked > _INTEREST_S:
            # Nobody listens: reading everything back would cost a third of storing it.
            self._recent.clear()
            await self._tell(await run_in_threadpool(last_number, self._engine))
        while events := await run_in_threadpool(read_log, self._engine, self._last, _PAGE):
            self._recent.extend(events)
            await self._tell(events[-1].number)

    async def _tell(self, last: int) -> None:
        self._last = last
        async with self._condition:
            self._condition.notify_all()


def read_log(engine: Engine, cursor: int, limit: int) -> list[LogEvent]:
    """Events after a cursor, oldest first."""
    event = schema.event
    with engine.connect() as connection:
        rows = connection.execute(
            select(
                event.c.number,
                event.c.robot,
                event.c.sequence,
                event.c.type,
                event.c.time,
                event.c.received,
                event.c.data,
            )
            .where(event.c.number > cursor)
            .order_by(event.c.number)
            .limit(limit)
        )
        return [LogEvent(*row) for row in rows]


def last_number(engine: Engine) -> int:
    """Number of the newest event; 0 when there is none."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.coalesce(func.max(schema.event.c.number), 0))).scalar_one())
