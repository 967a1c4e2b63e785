"""Threads for work that would hold up an executor. Pure Python; a node makes them and reports their errors.

A node's executor has one thread: a callback that computes for long, or waits for a device, would silence everything
else, heartbeats included. Heavy computation goes to a :class:`LatestWorker`, blocking device I/O to a :class:`Loop`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 10.0


class Worker:
    """A named daemon thread that runs one job after the other until it is closed.

    Args:
        name: for thread lists, faults and diagnostics.
        succeeded: called after each job that came through.
        failed: called with the exception of each job that did not.
        stall_after_s: a job that runs longer counts as stuck.
    """

    def __init__(
        self,
        name: str,
        succeeded: Callable[[], None],
        failed: Callable[[Exception], None],
        stall_after_s: float,
    ) -> None:
        self.name = name
        self.stall_after_s = stall_after_s
        self.jobs = 0
        self._succeeded = succeeded
        self._failed = failed
        self._started_s: float | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Ask the thread to end after its present job and wait for it; False when it did not in time."""
        self._closed.set()
        self._wake()
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stalled(self) -> bool:
        """Whether the present job has run longer than ``stall_after_s``."""
        started = self._started_s
        return started is not None and time.monotonic() - started > self.stall_after_s

    def _run(self) -> None:
        while not self._closed.is_set():
            job = self._next()
            if job is None:
                continue
            self._started_s = time.monotonic()
            try:
                job()
            except Exception as error:  # noqa: BLE001 - becomes a fault of the node; the thread lives on
                self._started_s = None
                self._failed(error)
                self._after_failure()
            else:
                self._started_s = None
                self.jobs += 1
                self._succeeded()
                self._after_success()

    def _next(self) -> Callable[[], None] | None:
        raise NotImplementedError

    def _wake(self) -> None:
        """Wake the thread if it waits for something else than ``_closed``."""

    def _after_failure(self) -> None:
        """Called after a failed job."""

    def _after_success(self) -> None:
        """Called after a job that came through."""


class LatestWorker(Worker, Generic[T]):
    """Runs ``work`` on the newest offered item; an item not yet taken is replaced.

    The right thing for pictures: when the computation is slower than the camera, it always sees the newest frame, with
    no queue that grows and no latency that builds up.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[T], None],
        succeeded: Callable[[], None],
        failed: Callable[[Exception], None],
        stall_after_s: float = 30.0,
    ) -> None:
        super().__init__(name, succeeded, failed, stall_after_s)
        self.replaced = 0
        self._work = work
        self._item: list[T] = []
        self._condition = threading.Condition()

    def offer(self, item: T) -> None:
        """Hand over an item; returns at once."""
        with self._condition:
            self.replaced += len(self._item)
            self._item = [item]
            self._condition.notify()

    def _next(self) -> Callable[[], None] | None:
        with self._condition:
            self._condition.wait_for(lambda: self._item or self._closed.is_set())
            if self._closed.is_set():
                return None
            item = self._item.pop()
        return lambda: self._work(item)

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()


class Loop(Worker):
    """Calls ``step`` again and again: reads a device that blocks.

    ``step`` should return within about a second when there is nothing (use the device's own time-out), so that the
    node can shut down. When it raises, it is called again after 0.5, 1, 2, … 10 s.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], None],
        succeeded: Callable[[], None],
        failed: Callable[[Exception], None],
        stall_after_s: float = 30.0,
    ) -> None:
        super().__init__(name, succeeded, failed, stall_after_s)
        self._step = step
        self._retry_s = FIRST_RETRY_S

    def wait(self, seconds: float) -> bool:
        """Sleep inside ``step``; True when the loop is being closed meanwhile."""
        return self._closed.wait(seconds)

    def _next(self) -> Callable[[], None]:
        return self._step

    def _after_failure(self) -> None:
        self._closed.wait(self._retry_s)
        self._retry_s = min(self._retry_s * 2, LONGEST_RETRY_S)

    def _after_success(self) -> None:
        self._retry_s = FIRST_RETRY_S
