"""AIS receivers: their lines over TCP, UDP or from a file, stored in small batches, connected again when they break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from pathlib import Path

from inspection_center.database.writer import StorageError, Transaction
from inspection_center.exchange.ais import Decoder, ShipReport
from inspection_center.exchange.partners import Receiver
from inspection_center.exchange.ships import forget, store
from inspection_center.service import Center

_LOG = logging.getLogger(__name__)
_BATCH_S = 1.0
_AGAIN_S = 5.0
_LONGEST_LINE = 4096
_MOST_WAITING = 10_000


class _Datagrams(asyncio.DatagramProtocol):
    """Puts the lines of datagrams into a queue; what does not fit is lost, as with UDP anyway."""

    def __init__(self, lines: asyncio.Queue[bytes]) -> None:
        self._lines = lines

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Take a datagram."""
        for line in data.splitlines():
            if not self._lines.full():
                self._lines.put_nowait(line)


async def receive_for_ever(center: Center, receiver: Receiver) -> None:
    """Follow a receiver; a file is read once."""
    kind, _, place = receiver.source.partition(":")
    while True:
        try:
            await _store_all(center, receiver.name, _lines(kind, place))
        except (OSError, StorageError, ValueError) as error:
            _LOG.warning("receiver %s: %s; trying again", receiver.name, error)
        if kind == "file":
            return
        await asyncio.sleep(_AGAIN_S)


async def _lines(kind: str, place: str) -> AsyncGenerator[bytes, None]:
    """Lines as they come; an empty one now and then, so that what is gathered is stored."""
    if kind == "file":
        for line in (await asyncio.to_thread(Path(place).read_bytes)).splitlines():
            yield line
        return
    host, _, port = place.rpartition(":")
    if kind == "udp":
        lines: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(lines), local_addr=(host.strip("[]"), int(port))
        )
        try:
            while True:
                yield await _next(lines.get())
        finally:
            transport.close()
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), limit=_LONGEST_LINE)
    try:
        while not reader.at_eof():
            yield await _next(reader.readline())
    finally:
        writer.close()


async def _next(waiting: Awaitable[bytes]) -> bytes:
    try:
        async with asyncio.timeout(_BATCH_S):
            return await waiting
    except TimeoutError:
        return b""


async def _store_all(center: Center, name: str, lines: AsyncGenerator[bytes, None]) -> None:
    decoder = Decoder()
    loop = asyncio.get_running_loop()
    gathered: list[ShipReport] = []
    begun = loop.time()
    try:
        async with aclosing(lines):
            async for line in lines:
                gathered += decoder.feed(line)
                if gathered and (not line or loop.time() - begun >= _BATCH_S):
                    await _store(center, name, gathered)
                    gathered = []
                if not gathered:
                    begun = loop.time()
    finally:
        if gathered:
            await _store(center, name, gathered)


async def _store(center: Center, name: str, reports: list[ShipReport]) -> None:
    def job(transaction: Transaction) -> None:
        store(transaction, name, reports)
        forget(transaction)

    await center.write(job)
