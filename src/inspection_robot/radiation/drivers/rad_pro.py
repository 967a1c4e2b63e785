"""Geiger counters with Rad Pro firmware: 115200 Bd, text lines, a lifetime pulse count that loses nothing.

Protocol: Rad Pro's ``docs/comm.md`` (github.com/Gissio/radpro): ``GET name`` is answered by ``OK value`` or ``ERROR``.
"""

from __future__ import annotations

import math
import time

from inspection_robot.radiation.counts import UINT32_SPAN
from inspection_robot.radiation.drivers.detector import (
    DetectorError,
    Identity,
    RadiationDetector,
    SerialLink,
    TotalReading,
)

BAUD_RATE = 115200
REPLY_TIMEOUT_S = 1.0
PERIOD_S = 1.0
TRIES = 3


def parse_reply(line: str) -> str | None:
    """Return the value of an ``OK`` line, None for an ``ERROR`` line.

    Raises:
        DetectorError: the line is neither.
    """
    words = line.strip().split(" ", 1)
    if words[0] == "OK":
        return words[1].strip() if len(words) > 1 else ""
    if words[0] == "ERROR":
        return None
    raise DetectorError("garbage", f"not an answer of Rad Pro: {line[:40]!r}")


class RadPro(RadiationDetector):
    """A counter with Rad Pro firmware on a serial port."""

    def __init__(self, port: str, period_s: float = PERIOD_S) -> None:
        self._port = port
        self._period_s = period_s
        self._link: SerialLink | None = None
        self._next_s = 0.0

    def open(self) -> Identity:
        """Connect and ask for the device, its sensitivity and its dead time."""
        self._link = SerialLink(self._port, BAUD_RATE, REPLY_TIMEOUT_S)
        device = self._ask("deviceId")
        if device is None or device.count(";") < 2:
            raise DetectorError("garbage", f"{self._port}: no device of Rad Pro: {device!r}")
        hardware, software, identifier = device.split(";", 2)
        sensitivity = _number(self._ask("tubeSensitivity"))  # counts per minute for 1 uSv/h
        dead_time_s = _number(self._ask("tubeDeadTime"))
        self._next_s = time.monotonic()
        return Identity(
            f"Rad Pro {hardware} ({software})",
            identifier,
            sensitivity / 60.0 if sensitivity > 0.0 else math.nan,
            dead_time_s if 0.0 <= dead_time_s < 0.01 else 0.0,
            UINT32_SPAN,
        )

    def read(self) -> TotalReading:
        """Ask for the pulse count once in every period."""
        time.sleep(max(0.0, self._next_s - time.monotonic()))
        self._next_s = max(self._next_s + self._period_s, time.monotonic())
        value = self._ask("tubePulseCount")
        now_s = time.monotonic()
        if value is None or not value.isdecimal() or int(value) >= UINT32_SPAN:
            raise DetectorError("garbage", f"{self._port}: not a pulse count: {value!r}")
        return TotalReading(now_s, int(value))

    def close(self) -> None:
        """Close the port."""
        if self._link is not None:
            link, self._link = self._link, None
            link.close()

    def _ask(self, name: str) -> str | None:
        """Ask until an answer can be read; noise on the line costs one try, not the measurement."""
        if self._link is None:
            raise DetectorError("disconnected", f"{self._port}: not open")
        fault: DetectorError | None = None
        for _ in range(TRIES):
            self._link.flush_input()
            self._link.write(f"GET {name}\r\n".encode("ascii"))
            line = self._link.read_line(REPLY_TIMEOUT_S)
            if line is None:
                fault = DetectorError("disconnected", f"{self._port}: no answer to {name}")
                continue
            try:
                return parse_reply(line)
            except DetectorError as error:
                fault = error
        assert fault is not None
        raise fault


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else math.nan
    except ValueError:
        return math.nan
