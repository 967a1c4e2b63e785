"""A board of six simulated metal-oxide sensors that prints CSV at 2 Hz. Protocol: see the driver of the same name."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

from inspection_sim.devices.mox_array import CHANNELS, MoxArray, Unit, make_unit
from inspection_sim.devices.pty_device import PtyDevice

PERIOD_S = 0.5


def unit_of(serial: str, drift: float = 0.0) -> Unit:
    """The unit with a serial number: the same one every time."""
    return make_unit(zlib.crc32(serial.encode()), drift)


class MoxCsvBoard(PtyDevice):
    """The board; its sensors follow the air as :meth:`advance` is called, or by wall time when it is not.

    Args:
        port: where the link to its pseudo-terminal is put.
        serial: serial number it prints.
        seed: of its noise; what makes the unit itself follows from its serial number.
        drift: ageing, see :func:`inspection_sim.devices.mox_array.make_unit`.
        simulated_time: sensors move only by :meth:`advance`, and so does the clock on the lines.
    """

    def __init__(
        self,
        port: str | Path,
        serial: str = "SIM-0001",
        seed: int = 1,
        drift: float = 0.0,
        simulated_time: bool = False,
    ) -> None:
        super().__init__(port, period_s=PERIOD_S if not simulated_time else None)
        self.serial = serial
        self._array = MoxArray(unit_of(serial, drift), seed)
        self._time_s = 0.0
        self._next_line_s = PERIOD_S
        self._temperature_c, self._humidity = 24.0, 0.45
        self._headed = False
        self._pending = b""

    def set_air(
        self, concentrations_ppm: Mapping[str, float], temperature_c: float = 24.0, relative_humidity: float = 0.45
    ) -> None:
        """Set what the board stands in: ppm of each substance, °C, humidity 0..1."""
        with self.lock:
            self._array.set_air(concentrations_ppm, relative_humidity)
            self._temperature_c, self._humidity = temperature_c, relative_humidity

    def advance(self, duration_s: float) -> None:
        """Let ``duration_s`` of simulated time pass, and send the lines that fall due."""
        lines = b""
        with self.lock:
            end_s = self._time_s + duration_s
            while self._next_line_s <= end_s + 1e-9:
                self._array.advance(self._next_line_s - self._time_s)
                self._time_s = self._next_line_s
                self._next_line_s += PERIOD_S
                lines += self._line()
            self._array.advance(end_s - self._time_s)
            self._time_s = end_s
        if lines:
            self.send(lines)

    def stick(self, channel: str, stuck: bool = True) -> None:
        """Freeze a channel, or free it."""
        with self.lock:
            self._array.stick(channel, stuck)

    def poison(self, channel: str, factor: float) -> None:
        """Multiply a channel's sensitivity."""
        with self.lock:
            self._array.poison(channel, factor)

    def plug(self) -> None:
        """Appear, and print the header again as after every reset."""
        self._headed = False
        super().plug()

    def receive(self, data: bytes) -> bytes:
        """Answer ``header``."""
        with self.lock:
            *lines, self._pending = (self._pending + data)[-256:].split(b"\n")
            return self._header() if b"header" in (line.strip() for line in lines) else b""

    def tick(self) -> bytes:
        """One line each half second."""
        with self.lock:
            self._array.advance(PERIOD_S)
            self._time_s += PERIOD_S
            return self._line()

    def _header(self) -> bytes:
        self._headed = True
        names = ",".join(CHANNELS)
        return f"# serial={self.serial}\r\ntime_ms,{names},temperature,humidity\r\n".encode("ascii")

    def _line(self) -> bytes:
        head = b"" if self._headed else self._header()
        values = ",".join(f"{value:.1f}" for value in self._array.resistances_ohm())
        line = f"{self._time_s * 1000:.0f},{values},{self._temperature_c:.2f},{self._humidity * 100:.2f}\r\n"
        return head + line.encode("ascii")
