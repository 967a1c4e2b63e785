"""The engine: events in, matches out. Streaming, in event time, without counting on the order of arrival.

An event waits until the watermark (up to which time everything is believed to have arrived) has passed its own time;
then all events up to there are judged in order of time and number. An event that comes later than that counts as having
come at the watermark, and is told apart (`Outcome.late`) so that what it answers can be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from inspection_center.supervision.columns import Batch, EventRow
from inspection_center.supervision.conditions import Detector, Match, detector
from inspection_center.supervision.rules import RiskPoint

BEGINNING_US = np.iinfo(np.int64).min // 2


@dataclass(frozen=True)
class Outcome:
    """What a round of the engine brought.

    Attributes:
        matches: risk points met, in order of time.
        late: events that came after their time had been judged.
        changed: risk points whose memory has changed.
        judged: how many events were judged.
    """

    matches: list[Match]
    late: list[EventRow]
    changed: set[str]
    judged: int


class Engine:
    """All risk points over one stream of events.

    Args:
        types: catalogue of event types.
        points: the risk points.
        zone: of the port, for hours and weekdays.
    """

    def __init__(self, types: dict[str, dict[str, str]], points: Mapping[str, RiskPoint], zone: ZoneInfo) -> None:
        self._types = types
        self._zone = zone
        self._detectors: dict[str, Detector] = {name: detector(point) for name, point in points.items()}
        self.watermark_us = BEGINNING_US
        self.held: list[EventRow] = []

    def advance(self, arrived: Sequence[EventRow], watermark_us: int) -> Outcome:
        """Take in events as they arrived and judge everything up to a watermark, which never goes back."""
        reached = max(watermark_us, self.watermark_us)
        late = [row for row in arrived if row.time_us <= self.watermark_us]
        rows = [*self.held, *arrived]
        time = np.fromiter((row.time_us for row in rows), np.int64, len(rows))
        counted = np.maximum(time, self.watermark_us)
        ready = np.flatnonzero(counted <= reached)
        number = np.fromiter((row.number for row in rows), np.int64, len(rows))
        order = ready[np.lexsort((number[ready], counted[ready]))]
        if len(ready) < len(rows):
            self.held = [rows[index] for index in np.flatnonzero(counted > reached).tolist()]
        else:
            self.held = []
        batch = Batch(self._types, [rows[index] for index in order.tolist()], counted[order], self._zone)
        self.watermark_us = reached
        matches: list[Match] = []
        changed: set[str] = set()
        for name, condition in self._detectors.items():
            found, touched = condition.advance(batch, reached)
            matches.extend(found)
            if touched:
                changed.add(name)
        matches.sort(key=lambda match: (match.time_us, match.number, match.rule))
        return Outcome(matches, late, changed, len(order))

    def save(self, name: str) -> bytes:
        """What a risk point remembers."""
        return self._detectors[name].save()

    def restore(self, name: str, content: bytes) -> None:
        """Let a risk point remember what was saved."""
        self._detectors[name].restore(content)
