"""The radio link between robot and center, as a relay that the scenario can hold up.

While the link is down, bytes in both directions wait and new connections get no answer, as with packets that vanish:
each side finds out by its own time-outs. What a side has not given up by then goes on when the link is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

BLOCK_BYTES: Final = 65536


class RadioLink:
    """Listens on a free port of this machine and relays each connection to the center.

    Args:
        center: JSON file with the center's ``url``; read at each connection, so that the center may come up later.
        announced: file that takes ``{"url": …}`` of the relay.
    """

    def __init__(self, center: Path, announced: Path) -> None:
        self._center = center
        self._announced = announced
        self._loop = asyncio.new_event_loop()
        self._up = asyncio.Event()
        self._up.set()
        self._thread = threading.Thread(target=self._run, name="radio link", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def switch(self, up: bool) -> None:
        """Hold the link up or let it go on; from any thread."""
        change: Callable[[], None] = self._up.set if up else self._up.clear
        self._loop.call_soon_threadsafe(change)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._relay, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        draft = self._announced.with_suffix(".part")
        draft.write_text(json.dumps({"url": f"http://127.0.0.1:{port}"}), encoding="utf-8")
        draft.replace(self._announced)
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._up.wait()
        try:
            target = urlsplit(json.loads(self._center.read_text(encoding="utf-8"))["url"])
            there = await asyncio.open_connection(target.hostname, target.port)
        except (OSError, ValueError, KeyError):
            writer.close()  # no center yet: the robot sees a closed connection
            return
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        for end in (writer, there[1]):
            end.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Carry bytes one way until that side closes."""
        with contextlib.suppress(OSError):
            while data := await source.read(BLOCK_BYTES):
                await self._up.wait()
                sink.write(data)
                await sink.drain()
            await self._up.wait()
            sink.write_eof()
