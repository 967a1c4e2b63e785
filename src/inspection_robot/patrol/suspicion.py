"""When to go slower and look again because of radiation: what the readings say, without ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass

FRESH_S = 60.0  # a viewpoint suggested longer ago is no longer followed [s]


@dataclass(frozen=True)
class SuspicionRules:
    """What counts as a suspicion.

    Attributes:
        p_value: a rise less likely than this by chance is suspicious long before it is an alarm.
        slow_for_s: the robot stays slow so long after the last suspicious reading [s].
        farthest_m: viewpoints further away than this are not driven to [m].
    """

    p_value: float = 1e-3
    slow_for_s: float = 8.0
    farthest_m: float = 8.0


class Suspicion:
    """What the latest readings of the radiation detector ask the patrol to do."""

    def __init__(self, rules: SuspicionRules) -> None:
        self._rules = rules
        self._suspicious_s = -math.inf
        self._viewpoint: tuple[float, float] | None = None
        self._suggested_s = -math.inf
        self.alarm = False

    def read(self, now_s: float, p_value: float, alarm: bool, overload: bool) -> None:
        """Take a reading. A blinded detector is no reason to stay: nobody may linger in such a field."""
        self.alarm = alarm and not overload
        if self.alarm or (math.isfinite(p_value) and p_value < self._rules.p_value and not overload):
            self._suspicious_s = now_s

    def suggest(self, now_s: float, viewpoint: str) -> None:
        """Take the suggested next viewpoint, "x,y" [m in the map]; anything else is no suggestion."""
        parts = viewpoint.split(",")
        try:
            x, y = (float(part) for part in parts)
        except ValueError:
            return
        if math.isfinite(x) and math.isfinite(y):
            self._viewpoint, self._suggested_s = (x, y), now_s

    def slow(self, now_s: float) -> bool:
        """Whether to drive slowly, so that less activity is missed."""
        return 0.0 <= now_s - self._suspicious_s <= self._rules.slow_for_s

    def viewpoint(self, now_s: float, here: tuple[float, float] | None) -> tuple[float, float] | None:
        """Where to look again from; None when nothing fresh and near was suggested."""
        if self._viewpoint is None or here is None or not 0.0 <= now_s - self._suggested_s <= FRESH_S:
            return None
        near = math.hypot(self._viewpoint[0] - here[0], self._viewpoint[1] - here[1]) <= self._rules.farthest_m
        return self._viewpoint if near else None
