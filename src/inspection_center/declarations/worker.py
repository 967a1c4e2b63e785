"""The center's own work on declarations, round after round: orders, draws, spot checks, used challenges."""

from __future__ import annotations

import asyncio
import logging
import time

from inspection_center.database.writer import StorageError, Transaction
from inspection_center.declarations.automatic import work
from inspection_center.public.challenge import forget
from inspection_center.service import Center

_LOG = logging.getLogger(__name__)
_ROUND_S = 2.0


async def handle_for_ever(center: Center) -> None:
    """Run for ever; a database that is away is tried again in the next round."""

    def job(transaction: Transaction) -> None:
        work(transaction, center.key, center.settings.spot_check_rate)
        forget(transaction, time.time())

    while True:
        try:
            await center.write(job)
        except StorageError as error:
            _LOG.warning("work on declarations waits: %s", error)
        await asyncio.sleep(_ROUND_S)
