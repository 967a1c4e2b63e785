"""Several instances over one database tell each other that there is news, by NATS.

Only the hint travels: what is new is read from the database with a cursor. A lost hint delays, it never loses; a slow
round of looking (every few seconds) covers even that.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

import nats
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

if TYPE_CHECKING:
    from inspection_center.service import Center

_LOG = logging.getLogger(__name__)
_EVENTS = "inspection.events"
_BELL = "inspection.bell"
_LIVE = "inspection.live"
_LOOK_S = 2.0


class Fanout:
    """The link between instances; works alone as well when NATS is away, with `_LOOK_S` of delay."""

    def __init__(self, center: Center, url: str) -> None:
        self._center = center
        self._url = url
        self._instance = secrets.token_hex(8)
        self._client = nats.NATS()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect in the background and keep looking."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._connect()), asyncio.create_task(self._look())]

    async def stop(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client.is_connected:
            await self._client.close()

    def tell_events(self) -> None:
        """Events were stored; callable from any thread."""
        self._tell(_EVENTS, b"")

    def tell_bell(self, name: str) -> None:
        """A bell was rung; callable from any thread."""
        self._tell(_BELL, name.encode())

    def tell_picture(self, robot: str, camera: str, picture: bytes) -> None:
        """A live picture came in; callable from any thread."""
        self._tell(_LIVE, f"{robot}/{camera}\n".encode() + picture)

    def _tell(self, subject: str, data: bytes) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, subject, data)

    def _publish(self, subject: str, data: bytes) -> None:
        if self._client.is_connected:
            task = asyncio.ensure_future(self._client.publish(subject, self._instance.encode() + b" " + data))
            task.add_done_callback(_note_failure)

    async def _connect(self) -> None:
        while True:
            try:
                await self._client.connect(
                    self._url, connect_timeout=2, max_reconnect_attempts=-1, error_cb=_note, allow_reconnect=True
                )
                await self._client.subscribe(_EVENTS, cb=self._heard_events)
                await self._client.subscribe(_BELL, cb=self._heard_bell)
                await self._client.subscribe(_LIVE, cb=self._heard_picture)
            except (NatsError, OSError, TimeoutError) as error:
                _LOG.warning("nats: %s", error)
                await asyncio.sleep(_LOOK_S)
            else:
                return

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self._center.tail.wake()

    async def _heard_events(self, message: Msg) -> None:
        if not message.data.startswith(self._instance.encode()):
            self._center.tail.wake()

    async def _heard_bell(self, message: Msg) -> None:
        instance, _, name = message.data.decode(errors="replace").partition(" ")
        if instance != self._instance:
            self._center.doorbells.ring(name)

    async def _heard_picture(self, message: Msg) -> None:
        instance, _, rest = message.data.partition(b" ")
        name, _, picture = rest.partition(b"\n")
        robot, _, camera = name.decode(errors="replace").partition("/")
        if instance.decode(errors="replace") != self._instance and camera in ("thermal", "rgb"):
            self._center.live.put(robot, "thermal" if camera == "thermal" else "rgb", picture)


def _note_failure(done: asyncio.Future[None]) -> None:
    if not done.cancelled() and done.exception() is not None:
        _LOG.debug("nats: %s", done.exception())


async def _note(error: Exception) -> None:
    _LOG.warning("nats: %s", error)
