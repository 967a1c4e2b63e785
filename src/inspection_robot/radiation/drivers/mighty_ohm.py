"""MightyOhm Geiger counters and their many relatives: 9600 Bd, one line a second.

``CPS, 1, CPM, 20, uSv/hr, 0.11, SLOW``: counts of the last second, of the last minute, and the mode of averaging.
"""

from __future__ import annotations

import re
import time

from inspection_robot.radiation.drivers.detector import (
    DetectorError,
    Identity,
    RadiationDetector,
    SerialLink,
    TotalReading,
)

BAUD_RATE = 9600
LINE_TIMEOUT_S = 3.0
LARGEST_CPS = 100_000
CPS_PER_USV_H = 175.43 / 60.0  # SBM-20 with the firmware's own 0.0057 uSv/h for one count per minute
_LINE = re.compile(r"CPS, (\d{1,6}), CPM, (\d{1,7}), uSv/hr, (\d+\.?\d*), (SLOW|FAST|INST)")


def parse_line(line: str) -> int:
    """Counts of the last second.

    Raises:
        DetectorError: the line is damaged.
    """
    match = _LINE.fullmatch(line.strip())
    if match is None or int(match.group(1)) > LARGEST_CPS:
        raise DetectorError("garbage", f"not a line of a MightyOhm counter: {line[:40]!r}")
    return int(match.group(1))


class MightyOhm(RadiationDetector):
    """A MightyOhm counter on a serial port."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._link: SerialLink | None = None
        self._total = 0

    def open(self) -> Identity:
        """Connect and wait for a line that can be read."""
        self._link = SerialLink(self._port, BAUD_RATE, LINE_TIMEOUT_S)
        deadline = time.monotonic() + LINE_TIMEOUT_S
        while time.monotonic() < deadline:
            line = self._link.read_line(LINE_TIMEOUT_S)
            if line is None:
                break
            try:
                parse_line(line)
            except DetectorError:
                continue  # the first line is often half a line
            return Identity("MightyOhm Geiger counter", "", CPS_PER_USV_H)
        self.close()
        raise DetectorError("garbage", f"{self._port}: no line of a MightyOhm counter at {BAUD_RATE} Bd")

    def read(self) -> TotalReading:
        """Wait for the next line."""
        if self._link is None:
            raise DetectorError("disconnected", f"{self._port}: not open")
        line = self._link.read_line(LINE_TIMEOUT_S)
        if line is None:
            raise DetectorError("disconnected", f"{self._port}: no line for {LINE_TIMEOUT_S:.0f} s")
        self._total += parse_line(line)
        return TotalReading(time.monotonic(), self._total)

    def close(self) -> None:
        """Close the port."""
        if self._link is not None:
            link, self._link = self._link, None
            link.close()
