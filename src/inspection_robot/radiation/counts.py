"""Counts over intervals: the currency of every radiation computation.

Detectors report totals since some start. Totals survive lost messages; smoothed rates do not add up and hide when a
count happened. Everything downstream therefore works on :class:`CountInterval`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UINT32_SPAN = 2**32


@dataclass(frozen=True)
class CountInterval:
    """Counts between two readings of one detector.

    Attributes:
        end_s: end of the interval [s], on the clock of the stream.
        duration_s: length of the interval [s], > 0.
        counts: counts within it, >= 0.
        cumulative_counts: total since the stream's epoch began.
        epoch: grows whenever the device's counter was reset, so that totals of two epochs are never differenced.
        live_fraction: share of the interval in which the detector could count, 0..1.
    """

    end_s: float
    duration_s: float
    counts: int
    cumulative_counts: int = 0
    epoch: int = 0
    live_fraction: float = 1.0


@dataclass(frozen=True)
class Discontinuity:
    """Why no interval could be made between two readings."""

    end_s: float
    reason: str


class CumulativeCounter:
    """Turns a device's running total into intervals, and says why when it cannot.

    A total that goes back is a wrap when the device counts modulo ``wrap`` and the step is plausible, else a reset:
    a new epoch. A clock that goes back or stands still starts a new interval; a pause longer than ``longest_gap_s``
    is no interval, because what happened within it cannot be placed in time.
    """

    def __init__(self, wrap: int | None = None, longest_gap_s: float = 30.0) -> None:
        self.wrap = wrap
        self.longest_gap_s = longest_gap_s
        self._last: tuple[float, int, float | None] | None = None
        self._epoch = 0
        self._epoch_start = 0

    def update(
        self, time_s: float, total: int, device_clock_s: float | None = None
    ) -> CountInterval | Discontinuity | None:
        """Take one reading; return the interval since the last one, or why there is none; None for the first.

        Args:
            time_s: time of the reading [s] on the stream's clock.
            total: the device's running total.
            device_clock_s: the device's own running time [s], if it has one: a jump against it is a discontinuity.
        """
        last, self._last = self._last, (time_s, total, device_clock_s)
        if last is None:
            self._epoch_start = total
            return None
        last_time_s, last_total, last_clock_s = last
        counts = total - last_total
        if counts < 0 and self.wrap is not None and counts + self.wrap < self.wrap // 2:
            counts += self.wrap
            self._epoch_start -= self.wrap
        if counts < 0:
            self._epoch += 1
            self._epoch_start = total
            return Discontinuity(time_s, "the counter went back: new epoch")
        duration_s = time_s - last_time_s
        if not math.isfinite(duration_s) or duration_s <= 0.0:
            return Discontinuity(time_s, "the clock went back or stood still")
        if duration_s > self.longest_gap_s:
            return Discontinuity(time_s, f"no reading for {duration_s:.0f} s")
        if device_clock_s is not None and last_clock_s is not None:
            device_duration_s = device_clock_s - last_clock_s
            # Device clocks count whole seconds, so two readings may differ by one more than the time between them.
            if abs(device_duration_s - duration_s) > 2.0 + 0.1 * duration_s:
                return Discontinuity(time_s, "the device's clock jumped")
        return CountInterval(time_s, duration_s, counts, total - self._epoch_start, self._epoch)


def true_rate_cps(measured_cps: float, dead_time_s: float) -> float:
    """Return the rate [1/s] corrected for a non-paralysable dead time (Knoll, Radiation Detection, eq. 4.23).

    Infinite when the measured rate is at or above 1 / dead time: the detector is saturated.
    """
    live = 1.0 - measured_cps * dead_time_s
    return measured_cps / live if live > 0.0 else math.inf
