"""Wakes streams: a doorbell for each robot's commands and one for the alert queue, rung after a commit."""

from __future__ import annotations

import asyncio
from collections import defaultdict

ALERTS = "#alerts"
"""The bell of the alert queue; no robot can have this name."""


class Doorbells:
    """Waits for and tells of new commands, by robot. Ringing works from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def start(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()

    def ring(self, robot: str) -> None:
        """Something new for a robot."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring, robot)

    async def wait(self, robot: str, timeout_s: float) -> bool:
        """Wait until it rings; False when it did not in time."""
        bell = asyncio.Event()
        self._waiting[robot].add(bell)
        try:
            await asyncio.wait_for(bell.wait(), timeout_s)
        except TimeoutError:
            return False
        finally:
            self._waiting[robot].discard(bell)
            if not self._waiting[robot]:
                del self._waiting[robot]
        return True

    def close(self) -> None:
        """Let everybody go who waits."""
        for robot in list(self._waiting):
            self._ring(robot)

    def _ring(self, robot: str) -> None:
        for bell in self._waiting.get(robot, ()):
            bell.set()
