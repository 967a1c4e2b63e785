"""Safecast bGeigie sentences (`$BMRDD`, `$BNRDD`, …), as sent over the serial port and as logged.

A sentence is ``$BNRDD,device,time,cpm,counts in 5 s,total counts,validity,latitude,N|S,longitude,E|W,altitude,GPS
validity,dilution,satellites*XX``: XX is the XOR of all characters between ``$`` and ``*`` (Safecast bGeigie wiki).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

from inspection_robot.radiation.drivers.detector import (
    DetectorError,
    Identity,
    RadiationDetector,
    SerialLink,
    TotalReading,
)

_SENTENCE = re.compile(r"\$([^$*]*)\*([0-9A-Fa-f]{2})")
_NAME = re.compile(r"B[A-Z]{1,2}RDD")
_COORDINATE = re.compile(r"\d{2,5}\.\d{1,6}")
_FIELDS = 14
_LARGEST_TOTAL = 2**40
BAUD_RATE = 57600
LINE_TIMEOUT_S = 12.0
CPS_PER_USV_H = 334.0 / 60.0  # LND 7317 pancake tube: 334 counts per minute (Safecast)


@dataclass(frozen=True)
class BgeigieRecord:
    """One valid sentence; position in degrees, None without a GPS fix."""

    device: str
    time_s: float
    counts_in_5_s: int
    total_counts: int
    counts_valid: bool
    latitude_deg: float | None
    longitude_deg: float | None
    altitude_m: float | None


def checksum(body: str) -> int:
    """XOR of the characters between ``$`` and ``*``."""
    return reduce(lambda value, character: value ^ ord(character), body, 0) & 0xFF


def parse_line(line: str) -> Iterator[BgeigieRecord | str]:
    """Yield every sentence found in a line, or the reason why it is refused; at least one of the two."""
    found = list(_SENTENCE.finditer(line))
    for match in found:
        yield _parse(match.group(1), int(match.group(2), 16))
    if not found:
        yield "no complete sentence"


def _parse(body: str, expected: int) -> BgeigieRecord | str:
    if checksum(body) != expected:
        return "checksum does not match"
    fields = body.split(",")
    if not _NAME.fullmatch(fields[0]) or len(fields) < _FIELDS - 1:
        return "not a bGeigie sentence"
    try:
        time_s = datetime.fromisoformat(fields[2]).replace(tzinfo=UTC).timestamp()
        in_5_s, total = int(fields[4]), int(fields[5])
    except ValueError:
        return "time or counts are not numbers"
    if not (0 <= in_5_s <= total <= _LARGEST_TOTAL):
        return "counts out of range"
    fixed = fields[12] == "A"
    return BgeigieRecord(
        fields[1], time_s, in_5_s, total, fields[6] == "A",
        _degrees(fields[7], fields[8], "N", "S") if fixed else None,
        _degrees(fields[9], fields[10], "E", "W") if fixed else None,
        _altitude(fields[11]) if fixed else None,
    )  # fmt: skip


def _degrees(text: str, side: str, positive: str, negative: str) -> float | None:
    """Degrees from NMEA's ``ddmm.mmmm`` with its side."""
    if not _COORDINATE.fullmatch(text) or side not in (positive, negative):
        return None
    value = float(text)
    degrees = value // 100 + (value % 100) / 60
    return degrees if side == positive else -degrees


def _altitude(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class Bgeigie(RadiationDetector):
    """A bGeigie on a serial port: one sentence every five seconds."""

    def __init__(self, port: str, baud_rate: int = BAUD_RATE) -> None:
        self._port = port
        self._baud_rate = baud_rate
        self._link: SerialLink | None = None

    def open(self) -> Identity:
        """Connect and wait for a sentence that can be read."""
        self._link = SerialLink(self._port, self._baud_rate, LINE_TIMEOUT_S)
        deadline = time.monotonic() + LINE_TIMEOUT_S
        while time.monotonic() < deadline:
            line = self._link.read_line(LINE_TIMEOUT_S)
            if line is None:
                break
            for record in parse_line(line):
                if isinstance(record, BgeigieRecord):
                    return Identity("Safecast bGeigie", record.device, CPS_PER_USV_H)
        self.close()
        raise DetectorError("garbage", f"{self._port}: no bGeigie sentence at {self._baud_rate} Bd")

    def read(self) -> TotalReading:
        """Wait for the next sentence."""
        if self._link is None:
            raise DetectorError("disconnected", f"{self._port}: not open")
        line = self._link.read_line(LINE_TIMEOUT_S)
        if line is None:
            raise DetectorError("disconnected", f"{self._port}: no sentence for {LINE_TIMEOUT_S:.0f} s")
        faults = []
        for record in parse_line(line):
            if isinstance(record, BgeigieRecord):
                return TotalReading(time.monotonic(), record.total_counts)
            faults.append(record)
        raise DetectorError("garbage", f"{self._port}: {faults[0]}: {line[:40]!r}")

    def close(self) -> None:
        """Close the port."""
        if self._link is not None:
            link, self._link = self._link, None
            link.close()
