"""AIS: NMEA sentences of a receiver decoded to ships' positions and names (ITU-R M.1371; decoder: pyais)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyais import exceptions
from pyais.messages import AISSentence
from pyais.queue import NMEAQueue

KNOT_M_S = 1852.0 / 3600.0
# Values that mean "not available" (ITU-R M.1371-5, tables 48 and 52).
_NO_LATITUDE, _NO_LONGITUDE, _NO_SPEED, _NO_COURSE, _NO_HEADING = 91.0, 181.0, 102.3, 360.0, 511
_POSITIONS = frozenset({1, 2, 3, 18, 19, 27})
_NAMES = frozenset({5, 19, 24})
_LONGEST_LINE = 1024
# What a line of a hostile or broken receiver may bring the decoder to.
_DECODING_FAULTS = (exceptions.AISBaseException, ValueError, IndexError, KeyError, TypeError)
EARTH_RADIUS_M = 6_371_008.8
"""Mean radius R1 (IUGG)."""


@dataclass(frozen=True)
class ShipReport:
    """What one message says about a ship; what it does not say is None.

    Attributes:
        mmsi: nine digits.
        latitude_deg, longitude_deg: WGS 84.
        speed_m_s: over ground.
        course_deg: over ground, from true north.
        heading_deg: of the bow, from true north.
        navigation_status: ITU-R M.1371, 0 … 15.
    """

    mmsi: int
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    speed_m_s: float | None = None
    course_deg: float | None = None
    heading_deg: float | None = None
    navigation_status: int | None = None
    name: str | None = None
    call_sign: str | None = None
    imo: int | None = None
    ship_type: int | None = None


class Decoder:
    """Lines in, reports out; parts of a message of several sentences are kept until the last comes."""

    def __init__(self) -> None:
        self._queue = NMEAQueue()
        self.refused = 0
        """Lines and messages that could not be used."""

    def feed(self, line: bytes) -> list[ShipReport]:
        """Decode a line; nothing comes of one that is broken or says nothing about a ship."""
        line = line.strip()
        if not line or line.startswith(b"#"):
            return []
        if len(line) > _LONGEST_LINE:
            self.refused += 1
            return []
        try:
            self._queue.put_line(line)
        except _DECODING_FAULTS:
            self.refused += 1
            return []
        reports = []
        while (sentence := self._queue.get_or_none()) is not None:
            report = self._read(sentence)
            if report is not None:
                reports.append(report)
        return reports

    def _read(self, sentence: AISSentence) -> ShipReport | None:
        if not sentence.is_valid:  # The sentence's own check sum.
            self.refused += 1
            return None
        try:
            return report_of(sentence.decode().asdict())
        except _DECODING_FAULTS:
            self.refused += 1
            return None


def report_of(message: dict[str, Any]) -> ShipReport | None:
    """A decoded message as a report; None when it tells nothing about a ship."""
    kind = message["msg_type"]
    mmsi = int(message["mmsi"])
    if kind not in _POSITIONS | _NAMES or not 0 < mmsi <= 999_999_999:
        return None
    values: dict[str, Any] = {}
    if kind in _POSITIONS:
        latitude, longitude = message["lat"], message["lon"]
        if abs(latitude) <= 90.0 and abs(longitude) <= 180.0:
            values |= {"latitude_deg": latitude, "longitude_deg": longitude}
        # Message 27 counts whole knots, 63: not available (table 84).
        missing = 63 if kind == 27 else _NO_SPEED
        if message["speed"] < missing:
            values["speed_m_s"] = message["speed"] * KNOT_M_S
        if message["course"] < _NO_COURSE:
            values["course_deg"] = message["course"]
        if message.get("heading", _NO_HEADING) < 360:
            values["heading_deg"] = float(message["heading"])
        if "status" in message:
            values["navigation_status"] = int(message["status"])
    if kind in _NAMES:
        names = {"name": "shipname", "call_sign": "callsign"}
        values |= {ours: text for ours, theirs in names.items() if (text := _text(message.get(theirs)))}
        values |= {name: int(number) for name in ("imo", "ship_type") if (number := message.get(name))}
    return ShipReport(mmsi=mmsi, **values) if values else None


def decode_lines(lines: Iterable[bytes]) -> tuple[list[ShipReport], int]:
    """Reports of a recording, and how many lines or messages could not be used."""
    decoder = Decoder()
    reports = [report for line in lines for report in decoder.feed(line)]
    return reports, decoder.refused


def to_plan(
    latitude_deg: float, longitude_deg: float, origin_deg: tuple[float, float], turn_deg: float
) -> tuple[float, float]:
    """Where a position lies on the port map: x, y [m].

    Args:
        latitude_deg: WGS 84.
        longitude_deg: WGS 84.
        origin_deg: latitude and longitude of the map's origin.
        turn_deg: bearing of the map's x axis minus 90°: how far the map is turned clockwise from x = east.

    The equirectangular projection about the origin: within 20 km its error stays below a few metres.
    """
    latitude, longitude = origin_deg
    east = math.radians((longitude_deg - longitude + 180.0) % 360.0 - 180.0) * EARTH_RADIUS_M
    east *= math.cos(math.radians(latitude))
    north = math.radians(latitude_deg - latitude) * EARTH_RADIUS_M
    turn = math.radians(turn_deg)
    return east * math.cos(turn) - north * math.sin(turn), east * math.sin(turn) + north * math.cos(turn)


def from_plan(x_m: float, y_m: float, origin_deg: tuple[float, float], turn_deg: float) -> tuple[float, float]:
    """Latitude and longitude of a point of the port map: the inverse of `to_plan`."""
    turn = math.radians(turn_deg)
    east = x_m * math.cos(turn) + y_m * math.sin(turn)
    north = -x_m * math.sin(turn) + y_m * math.cos(turn)
    latitude, longitude = origin_deg
    east_deg = math.degrees(east / (EARTH_RADIUS_M * math.cos(math.radians(latitude))))
    return latitude + math.degrees(north / EARTH_RADIUS_M), longitude + east_deg


def _text(value: Any) -> str:
    text = str(value or "").split("@")[0].strip()
    return text if text.isprintable() else ""
