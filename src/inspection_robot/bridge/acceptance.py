"""Takes events from the ROS callbacks and commits them to the outbox in groups, off the callbacks' thread.

While the disk is full the events wait in memory, in order and bounded, and are tried again. What finds no place there
is counted and shown; it was not accepted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from inspection_robot.bridge.outbox import Outbox, OutboxError, OutgoingEvent

_MAXIMUM_WAITING = 10_000
_GROUP = 500
_RETRY_S = 1.0


class Acceptance:
    """A thread between the callbacks and the outbox.

    Args:
        outbox: where events are committed.
        accepted: called after a commit with the number of new events.
        make_room: called when the disk is full; frees space by policy.
    """

    def __init__(self, outbox: Outbox, accepted: Callable[[int], None], make_room: Callable[[], None]) -> None:
        self._outbox = outbox
        self._accepted = accepted
        self._make_room = make_room
        self._waiting: deque[OutgoingEvent] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self.fault = ""
        """Why nothing can be accepted now; empty when all is well."""
        self.given_up = 0
        """Events that found no place in memory while the disk was full."""
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def offer(self, event: OutgoingEvent) -> None:
        """Take an event; returns at once."""
        with self._changed:
            if len(self._waiting) >= _MAXIMUM_WAITING:
                self.given_up += 1
                return
            self._waiting.append(event)
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Events not yet committed."""
        return len(self._waiting)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Commit what waits, if the disk lets us, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                group = [self._waiting[index] for index in range(min(_GROUP, len(self._waiting)))]
                if not group:
                    return
            try:
                new = self._outbox.accept(group)
            except OutboxError as error:
                self.fault = str(error)
                with suppress(OutboxError, OSError):
                    self._make_room()
                with self._changed:
                    if self._stopping:
                        return
                    self._changed.wait(_RETRY_S)
                continue
            self.fault = ""
            with self._changed:
                for _ in group:
                    self._waiting.popleft()
            self._accepted(new)
