"""A BME688 kit that prints one line for each heater step. Line format: see the driver of the same name."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_sim.devices.pty_device import PtyDevice

TEMPERATURES_C = (320, 100, 100, 100, 200, 200, 200, 320, 320, 320)
DURATIONS = (5, 2, 10, 30, 5, 5, 5, 5, 5, 5)
UNIT_MS = 140
CLEAN_OHM = np.array([2.5e5, 3.6e7, 2.2e7, 8.3e6, 8.0e5, 7.8e5, 7.5e5, 1.7e5, 2.1e5, 2.4e5])


class Bme688Device(PtyDevice):
    """The kit. Its heater runs ``speed`` times as fast as the real one, so that a test need not wait 10.8 s a cycle.

    Set :attr:`response` (10,): the factor of each step's resistance against clean air.
    """

    def __init__(self, port: str | Path, speed: float = 1.0, seed: int = 1) -> None:
        super().__init__(port, period_s=UNIT_MS / 1000.0 / speed)
        self.response: NDArray[np.float64] = np.ones(10)
        self.temperature_c, self.humidity_percent, self.pressure_pa = 34.5, 28.0, 100_650.0
        self._generator = np.random.default_rng(seed)
        self._step, self._unit, self._count, self._time_ms = 0, 0, 0, 0
        self._last_logarithm = 0.0
        self._pending = b""

    def plug(self) -> None:
        """Appear with the start banner, at the first heater step."""
        with self.lock:
            self._step, self._unit = 0, 0
        super().plug()
        self.send(b"\r\n - - - - - \r\n BME688 'default' START!\r\n - - - - - \r\n")

    def receive(self, data: bytes) -> bytes:
        """Answer ``CMD:GETPROF`` with the heater profile as JSON."""
        with self.lock:
            *lines, self._pending = (self._pending + data)[-256:].split(b"\n")
        if any(line.startswith(b"CMD:GETPROF") for line in lines):
            profile = {"pf": False, "name": "default", "tempProf": TEMPERATURES_C, "holdProf": DURATIONS}
            return json.dumps(profile, separators=(",", ":")).encode("ascii") + b"\r\n\r\n"
        return b""

    def tick(self) -> bytes:
        """Advance the heater by one unit of 140 ms; print a line when a step is complete."""
        with self.lock:
            self._time_ms += UNIT_MS
            self._unit += 1
            if self._unit < DURATIONS[self._step]:
                return b""
            line = self._line()
            self._unit, self._step = 0, (self._step + 1) % len(DURATIONS)
            return line

    def _line(self) -> bytes:
        noise = math.exp(0.002 * self._generator.standard_normal())
        resistance = round(float(CLEAN_OHM[self._step] * self.response[self._step]) * noise, 2)
        logarithm = math.log(resistance)
        self._count = (self._count + 1) % 256
        fields = (
            "", self._step, self._count, self._time_ms, 0xB0, 100, f"{self.temperature_c:.2f}",
            f"{self.humidity_percent:.2f}", f"{self.pressure_pa:.2f}", f"{resistance:.2f}", f"{logarithm:.6f}",
            f"{logarithm - self._last_logarithm + 10:.3f}", ";",
        )  # fmt: skip
        self._last_logarithm = logarithm
        return ",".join(map(str, fields)).encode("ascii") + b"\r\n"
