"""Safecast bGeigie Nano: one ``$BNRDD`` sentence every five seconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

import numpy as np

from inspection_sim.devices.pty_device import PtyDevice

_START = datetime(2026, 1, 1, tzinfo=UTC)
_INTERVAL_S = 5.0


class BgeigieDevice(PtyDevice):
    """A bGeigie that sees ``rate_cps()`` pulses per second; ``period_s`` [s] of real time stand for its five."""

    def __init__(
        self, port: str | Path, rate_cps: Callable[[], float], period_s: float = _INTERVAL_S, seed: int = 0
    ) -> None:
        super().__init__(port, period_s)
        self._rate_cps = rate_cps
        self._random = np.random.default_rng(seed)
        self._minute: list[int] = []
        self._total = 0
        self._number = 0

    def receive(self, _data: bytes) -> bytes:
        """Ignore what is sent: the device only talks."""
        return b""

    def tick(self) -> bytes:
        """Return the sentence of one interval."""
        counts = int(self._random.poisson(self._rate_cps() * _INTERVAL_S))
        self._minute = [*self._minute, counts][-12:]
        self._total += counts
        stamp = _START + timedelta(seconds=_INTERVAL_S * self._number)
        self._number += 1
        valid = "A" if len(self._minute) == 12 else "V"
        body = (
            f"BNRDD,2709,{stamp:%Y-%m-%dT%H:%M:%SZ},{sum(self._minute)},{counts},{self._total},{valid},"
            "5147.8081,N,00010.4778,E,79.20,A,10,83"
        )
        check = reduce(lambda value, character: value ^ ord(character), body, 0)
        return f"${body}*{check:02X}\r\n".encode("ascii")
