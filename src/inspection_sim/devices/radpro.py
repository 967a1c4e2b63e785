"""Rad Pro Geiger counter: answers ``GET`` questions, counts pulses drawn from a Poisson process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from inspection_sim.devices.pty_device import PtyDevice

UINT32_SPAN = 2**32


class RadProDevice(PtyDevice):
    """A counter that sees ``rate_cps()`` pulses per second.

    Args:
        port: where the link to its pseudo-terminal is put.
        rate_cps: expected count rate [1/s] now.
        seed: of the counting statistics.
        total: pulse count of the tube's life so far.
        clock: steady time [s]; a simulator hands in its own.
    """

    def __init__(
        self,
        port: str | Path,
        rate_cps: Callable[[], float],
        seed: int = 0,
        total: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(port)
        self._rate_cps = rate_cps
        self._random = np.random.default_rng(seed)
        self._total = total
        self._clock = clock
        self._counted_until_s = clock()
        self._line = b""
        self.stuck = False

    def receive(self, data: bytes) -> bytes:
        """Answer every complete line."""
        self._line += data
        answer = b""
        while b"\n" in self._line:
            line, _, self._line = self._line.partition(b"\n")
            answer += self._reply(line.strip().decode("latin-1")).encode("ascii") + b"\r\n"
        return answer

    def count(self) -> int:
        """Count up to now and return the lifetime pulse count."""
        with self.lock:
            now_s = self._clock()
            span_s, self._counted_until_s = max(0.0, now_s - self._counted_until_s), now_s
            if not self.stuck:
                self._total = (self._total + int(self._random.poisson(self._rate_cps() * span_s))) % UINT32_SPAN
            return self._total

    def _reply(self, question: str) -> str:
        answers = {
            "GET deviceId": "FS2011 (STM32F051C8);Rad Pro 2.0.1;b5706d937087f975b5812810",
            "GET tubeSensitivity": "153.800",
            "GET tubeDeadTime": "0.0002500",
            "GET tubeRate": f"{60.0 * self._rate_cps():.3f}",
            "GET deviceBatteryVoltage": "1.421",
        }
        if question == "GET tubePulseCount":
            return f"OK {self.count()}"
        return f"OK {answers[question]}" if question in answers else "ERROR"
