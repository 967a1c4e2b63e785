"""The one writer: every change goes through one thread that commits many jobs in one transaction (group commit).

A job's result is handed out only after the commit, so that what was answered is durable. A job that fails rolls back to
its own savepoint and costs the others nothing; a database that fails (full disk, lost connection) fails all jobs of the
transaction with `StorageError`, and the next transaction starts afresh.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from inspection_center.database.engine import writer_connection

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_MAXIMUM_JOBS = 128
_MAXIMUM_WAITING = 4096
_WRITER_LOCK = 0x696E7370  # Any constant: the advisory lock that serialises writers of several instances.


class StorageError(Exception):
    """The database cannot take this now; nothing of it was stored."""


@dataclass(frozen=True)
class Transaction:
    """What a job works with: the connection, and what to do once it is durable."""

    connection: Connection
    after_commit: list[Callable[[], None]] = field(default_factory=list)


Job = Callable[[Transaction], Any]


class Writer:
    """Runs jobs in order on its own thread; see the module."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.Queue[tuple[Job, Future[Any]] | None] = queue.Queue(_MAXIMUM_WAITING)
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="database writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[Transaction], T]) -> Future[T]:
        """Queue a job; its future resolves after the commit.

        Raises:
            StorageError: so many jobs wait already that this one is better sent again later.
        """
        future: Future[T] = Future()
        try:
            self._jobs.put_nowait((job, future))
        except queue.Full as error:
            raise StorageError("too many writes are waiting") from error
        return future

    def run(self, job: Callable[[Transaction], T]) -> T:
        """Run a job and wait for its commit."""
        return self.submit(job).result()

    def close(self) -> None:
        """Finish what is queued and stop."""
        self._jobs.put(None)
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Jobs not yet begun."""
        return self._jobs.qsize()

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            jobs = [entry for entry in batch if entry is not None]
            if jobs:
                self._commit(jobs)
            if len(jobs) < len(batch):
                self._disconnect()
                return

    def _next_batch(self) -> list[tuple[Job, Future[Any]] | None]:
        batch = [self._jobs.get()]
        while len(batch) < _MAXIMUM_JOBS and batch[-1] is not None:
            try:
                batch.append(self._jobs.get_nowait())
            except queue.Empty:
                break
        return batch

    def _commit(self, jobs: list[tuple[Job, Future[Any]]]) -> None:
        results: list[tuple[Future[Any], Any]] = []
        after: list[Callable[[], None]] = []
        try:
            connection = self._connect()
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
                for job, future in jobs:
                    result, actions = _attempt(connection, job, future)
                    results.append((future, result))
                    after.extend(actions)
        except DBAPIError as error:
            _LOG.error("transaction of %d jobs failed: %s", len(jobs), error.orig)
            self._disconnect()
            for _, future in jobs:
                if not future.done():
                    future.set_exception(StorageError(str(error.orig)))
            return
        for future, result in results:
            if not future.done():
                future.set_result(result)
        for action in after:
            action()

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = writer_connection(self._engine)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            # Invalidated, not returned: whatever state the failure left on it must not meet the next transaction.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _attempt(connection: Connection, job: Job, future: Future[Any]) -> tuple[Any, list[Callable[[], None]]]:
    """Run one job inside a savepoint; its own fault goes to its future, the database's fault to the caller."""
    savepoint = connection.begin_nested()
    transaction = Transaction(connection)
    try:
        result = job(transaction)
    except DBAPIError as error:
        if not isinstance(error, IntegrityError):
            raise
        savepoint.rollback()
        future.set_exception(error)
        return None, []
    except Exception as error:  # noqa: BLE001 - whatever a job raises belongs to the one who submitted it
        savepoint.rollback()
        future.set_exception(error)
        return None, []
    savepoint.commit()
    return result, transaction.after_commit
