"""MightyOhm Geiger counter: one line a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from inspection_sim.devices.pty_device import PtyDevice


class MightyOhmDevice(PtyDevice):
    """A counter that sees ``rate_cps()`` pulses per second and reports every ``period_s`` [s]."""

    def __init__(self, port: str | Path, rate_cps: Callable[[], float], period_s: float = 1.0, seed: int = 0) -> None:
        super().__init__(port, period_s)
        self._rate_cps = rate_cps
        self._random = np.random.default_rng(seed)
        self._minute: list[int] = []

    def receive(self, _data: bytes) -> bytes:
        """Ignore what is sent: the device only talks."""
        return b""

    def tick(self) -> bytes:
        """Return the line of one second."""
        counts = int(self._random.poisson(self._rate_cps()))
        self._minute = [*self._minute, counts][-60:]
        per_minute = sum(self._minute) * 60 // len(self._minute)
        mode = "INST" if counts > 255 else "SLOW"
        return f"CPS, {counts}, CPM, {per_minute}, uSv/hr, {per_minute * 0.0057:.2f}, {mode}\r\n".encode("ascii")
