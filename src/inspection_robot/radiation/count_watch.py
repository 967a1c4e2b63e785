"""Alarm on counts: an exact conditional Poisson test over several windows with a budget of false alarms per hour.

With n counts in a window of length t and B counts in the background of length T, the probability under equal rates is
that of n or more successes of ``Binomial(n + B, t / (t + T))``: no rate has to be known (Przyborowski & Wilenski 1940).
A moving robot's background drifts; the null hypothesis allows for it by a tolerance on the ratio of the two rates.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.special import betainc, gammaincc

from inspection_robot.radiation.counts import CountInterval

BLINDING_CPS = 1000.0  # small detectors are known to go blind above some thousand counts a second


class CountStatus(Enum):
    """What a detector's counts say; only ``OK`` may be read as clear."""

    OK = "ok"
    WARMING_UP = "warming_up"
    ALARM = "alarm"
    OVERLOAD = "overload"
    FAILED = "failed"


@dataclass(frozen=True)
class WatchParameters:
    """How the watch tests counts.

    Attributes:
        windows_s: lengths of the tested windows [s], shortest first.
        drift_tolerance: ratio of rates that the background itself may show, for each window: the longer a window,
            the further a patrol has come in it. Readings longer than a window get the tolerance of their own length.
        false_alarms_per_hour: chance alarms allowed in an hour over all windows and tests.
        background_s: length of the learnt background [s].
        background_least_s: background needed before the first test [s].
        quiet_s: agreement with the background needed to end an alarm [s].
        silent_p: probability below which no counts at all mean a failed detector.
        silent_s: no counts for this long means a failed detector even before a background is known [s].
        overload_cps: rate of the last seconds above which a sudden silence means overload [1/s].
        saturation_cps: rate above which the detector is blinded [1/s]; infinite when not known.
    """

    windows_s: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)
    drift_tolerance: tuple[float, ...] = (1.0, 1.05, 1.4, 1.8)
    false_alarms_per_hour: float = 0.05
    background_s: float = 300.0
    background_least_s: float = 10.0
    quiet_s: float = 10.0
    silent_p: float = 1e-9
    silent_s: float = 120.0
    overload_cps: float = 30.0
    saturation_cps: float = math.inf


@dataclass(frozen=True)
class CountState:
    """What the watch knows after one interval.

    ``p_value`` is the smallest of all windows, already against the drift tolerance; ``significance`` is that of the
    same window in standard deviations (Li & Ma 1983, eq. 17) against the bare background.
    """

    end_s: float
    status: CountStatus
    rate_cps: float
    rate_uncertainty_cps: float
    background_cps: float
    background_uncertainty_cps: float
    p_value: float
    significance: float
    window_s: float


def conditional_p(n: int, window_s: float, background: int, background_s: float, tolerance: float = 1.0) -> float:
    """Probability of n or more counts in ``window_s`` when the rate is at most ``tolerance`` times the background's."""
    if n <= 0:
        return 1.0
    share = tolerance * window_s / (tolerance * window_s + background_s)
    return float(betainc(n, background + 1, share))


def significance(n: int, window_s: float, background: int, background_s: float) -> float:
    """Standard deviations of an excess (Li & Ma 1983, ApJ 272:317, eq. 17); negative for a deficit."""
    ratio = window_s / background_s
    total = n + background
    if total == 0:
        return 0.0
    on = n * math.log((1 + ratio) / ratio * n / total) if n else 0.0
    off = background * math.log((1 + ratio) * background / total) if background else 0.0
    return math.copysign(math.sqrt(max(0.0, 2.0 * (on + off))), n - ratio * background)


class CountWatch:
    """Follows one detector's counts and holds the state of alarm. One call of :meth:`update` an interval."""

    def __init__(self, parameters: WatchParameters | None = None) -> None:
        self.parameters = parameters or WatchParameters()
        if len(self.parameters.windows_s) != len(self.parameters.drift_tolerance):
            raise ValueError("windows_s and drift_tolerance need the same length")
        self._guard_s = max(self.parameters.windows_s)
        self._recent: deque[CountInterval] = deque()
        self._recent_s = 0.0
        self._background: deque[CountInterval] = deque()
        self._background_counts = 0
        self._background_live_s = 0.0
        self._alarm = False
        self._overload = False
        self._quiet_s = 0.0
        self._silent_s = 0.0
        self._before_silence_cps = 0.0
        self._failed = False

    @property
    def background_cps(self) -> float:
        """Rate of the learnt background [1/s]; NaN before anything is learnt."""
        return self._background_counts / self._background_live_s if self._background_live_s > 0.0 else math.nan

    @property
    def background_live_s(self) -> float:
        """Live time of the learnt background [s]."""
        return self._background_live_s

    def discontinue(self) -> None:
        """Forget the last seconds after a gap in the stream; the background and an alarm stay."""
        self._recent.clear()
        self._recent_s = 0.0

    def accept(self) -> None:
        """An operator accepts the present level: the alarm ends and the background is learnt anew."""
        self.discontinue()
        self._forget_background()
        self._alarm = self._overload = self._failed = False
        self._quiet_s = self._silent_s = 0.0

    def update(self, interval: CountInterval) -> CountState:
        """Take the next interval and return the state after it."""
        rate_before = self._rate(3.0)
        self._push(interval)
        self._watch_silence(interval, rate_before)
        p_value, window, index = self._test()
        limit = self._limit(interval.duration_s)
        tested = self._background_live_s >= self.parameters.background_least_s
        if tested and p_value < limit:
            self._alarm, self._quiet_s = True, 0.0
        elif self._alarm:
            self._try_to_end(interval)
        if not self._alarm and not self._overload and not self._failed:
            self._learn()
        return self._state(interval, tested, p_value, window, index)

    def _push(self, interval: CountInterval) -> None:
        self._recent.append(interval)
        self._recent_s += interval.duration_s

    def _learn(self) -> None:
        """Move what has left the longest window into the background; what is under test is never learnt."""
        least = self.parameters.background_least_s
        while len(self._recent) > 1 and (
            self._recent_s - self._recent[0].duration_s >= self._guard_s
            or (self._background_live_s < least and self._recent_s > self.parameters.windows_s[1])
        ):
            self._add_background(self._drop_oldest())
        while (
            self._background and self._background_live_s - self._background[0].duration_s > self.parameters.background_s
        ):
            oldest = self._background.popleft()
            self._background_counts -= oldest.counts
            self._background_live_s -= oldest.duration_s * oldest.live_fraction

    def _drop_oldest(self) -> CountInterval:
        oldest = self._recent.popleft()
        self._recent_s -= oldest.duration_s
        return oldest

    def _add_background(self, interval: CountInterval) -> None:
        self._background.append(interval)
        self._background_counts += interval.counts
        self._background_live_s += interval.duration_s * interval.live_fraction

    def _forget_background(self) -> None:
        self._background.clear()
        self._background_counts, self._background_live_s = 0, 0.0

    def _newest(self, length_s: float) -> tuple[int, float]:
        """Counts and live time [s] of the newest intervals that together last at most ``length_s``, at least one."""
        counts, live_s, real_s = 0, 0.0, 0.0
        for interval in reversed(self._recent):
            # Intervals of a nominal second last 1.0 to 1.1 s on a real link: a tenth does not change the window.
            if real_s and real_s + interval.duration_s > 1.15 * length_s:
                break
            counts += interval.counts
            live_s += interval.duration_s * interval.live_fraction
            real_s += interval.duration_s
        return counts, live_s

    def _rate(self, length_s: float) -> float:
        counts, live_s = self._newest(length_s)
        return counts / live_s if live_s > 0.0 else 0.0

    def _limit(self, interval_s: float) -> float:
        # Readings that come seldom get no larger share each: real backgrounds jump between them.
        return self.parameters.false_alarms_per_hour * min(interval_s, 1.0) / 3600.0 / len(self.parameters.windows_s)

    def _test(self) -> tuple[float, tuple[int, float], int]:
        best: tuple[float, tuple[int, float], int] = (1.0, self._newest(self.parameters.windows_s[0]), 0)
        if self._background_live_s <= 0.0:
            return best
        for index, length_s in enumerate(self.parameters.windows_s):
            counts, live_s = self._newest(length_s)
            tolerance = float(np.interp(live_s, self.parameters.windows_s, self.parameters.drift_tolerance))
            p = conditional_p(counts, live_s, self._background_counts, self._background_live_s, tolerance)
            if p < best[0]:
                best = (p, (counts, live_s), index)
        return best

    def _watch_silence(self, interval: CountInterval, rate_before_cps: float) -> None:
        """No counts at all: overload after a steep rise, a failed detector otherwise; never clear."""
        rate_cps = interval.counts / interval.duration_s
        if interval.counts == 0:
            if self._silent_s == 0.0:
                self._before_silence_cps = rate_before_cps
            self._silent_s += interval.duration_s
        else:
            if self._failed:
                self.accept()
                self._push(interval)
            self._silent_s = 0.0
        if rate_cps > self.parameters.saturation_cps or (interval.counts == 0 and self._is_blinded()):
            self._overload = self._alarm = True
        elif self._overload and interval.counts > 0:
            self._overload = False
        if interval.counts == 0 and not self._overload and not self._alarm:
            background_cps = self.background_cps if self._background else 0.0
            unlikely = math.exp(-background_cps * self._silent_s) < self.parameters.silent_p
            # Before a background is known only a long silence tells; afterwards the probability alone decides.
            enough = self._background_counts > 0 or self._silent_s >= self.parameters.silent_s
            self._failed = self._failed or ((unlikely or background_cps == 0.0) and enough)

    def _is_blinded(self) -> bool:
        """Whether silence after a high rate is more than a source taken away, which leaves the background behind.

        The background's own chance of such a silence must be small, and smaller the lower the rate was before: many
        thousand counts a second that stop at once blind a detector more likely than a few dozen.
        """
        before_cps = self._before_silence_cps
        # Without a background yet, a hundredth of the rate before is the least that could be left behind.
        background_cps = self.background_cps if self._background else 0.01 * before_cps
        if before_cps <= max(self.parameters.overload_cps, 5.0 * background_cps):
            return False
        chance = math.exp(-background_cps * self._silent_s)
        return chance < 0.1 * min(1.0, (before_cps / BLINDING_CPS) ** 2)

    def _try_to_end(self, interval: CountInterval) -> None:
        """End the alarm once the rate has agreed with the frozen background for long enough."""
        counts, live_s = self._newest(self.parameters.quiet_s)
        p = conditional_p(
            counts, live_s, self._background_counts, self._background_live_s, self.parameters.drift_tolerance[0]
        )
        agrees = p > 0.01 and not self._overload
        self._quiet_s = self._quiet_s + interval.duration_s if agrees else 0.0
        if self._quiet_s >= self.parameters.quiet_s:
            self._alarm = False
            while self._recent_s > self.parameters.quiet_s and len(self._recent) > 1:
                self._drop_oldest()  # counts of the alarm are never learnt
        else:
            while self._recent_s - self._recent[0].duration_s > self._guard_s:
                self._drop_oldest()

    def _state(
        self, interval: CountInterval, tested: bool, p_value: float, window: tuple[int, float], index: int
    ) -> CountState:
        background, background_s = self._background_counts, self._background_live_s
        counts, live_s = window
        known = background_s > 0.0
        if self._overload:
            status = CountStatus.OVERLOAD
        elif self._alarm:
            status = CountStatus.ALARM
        elif self._failed:
            status = CountStatus.FAILED
        else:
            status = CountStatus.OK if tested else CountStatus.WARMING_UP
        live = interval.duration_s * interval.live_fraction
        return CountState(
            end_s=interval.end_s,
            status=status,
            rate_cps=interval.counts / live,
            # Half a count more keeps the uncertainty of an empty interval honest (Jeffreys' prior).
            rate_uncertainty_cps=math.sqrt(interval.counts + 0.5) / live,
            background_cps=self.background_cps,
            background_uncertainty_cps=math.sqrt(background + 0.5) / background_s if known else math.nan,
            p_value=p_value,
            significance=significance(counts, live_s, background, background_s) if known else 0.0,
            window_s=self.parameters.windows_s[index],
        )


@dataclass(frozen=True)
class CountAlarm:
    """One alarm in a recorded stream: times [s] on the stream's clock."""

    start_s: float
    end_s: float
    kind: str
    peak_cps: float
    significance: float


def alarms_of(states: Sequence[CountState]) -> list[CountAlarm]:
    """Gather states into alarms: a rise lasts through an overload within it, which is an alarm of its own."""
    alarms: list[CountAlarm] = []
    for kind, members in (
        ("rise", {CountStatus.ALARM, CountStatus.OVERLOAD}),
        ("overload", {CountStatus.OVERLOAD}),
        ("silent", {CountStatus.FAILED}),
    ):
        inside = np.array([False, *(state.status in members for state in states), False])
        edges = np.flatnonzero(inside[1:] != inside[:-1])
        for first, after in zip(edges[::2], edges[1::2], strict=True):
            part = states[first:after]
            if kind == "rise" and all(state.status is CountStatus.OVERLOAD for state in part):
                continue
            alarms.append(
                CountAlarm(
                    part[0].end_s, part[-1].end_s, kind,
                    max(state.rate_cps for state in part), max(state.significance for state in part),
                )
            )  # fmt: skip
    return sorted(alarms, key=lambda alarm: alarm.start_s)


def detectable_rate_cps(background: int, background_s: float, window_s: float, tolerance: float, limit: float) -> float:
    """Smallest source rate [1/s] that alarms with 50 % probability in one window.

    The alarm needs n counts with ``conditional_p`` below ``limit``; a Poisson variable's median is close to its mean.
    """
    if background_s <= 0.0:
        return math.nan
    low, high = 0, 1
    while conditional_p(high, window_s, background, background_s, tolerance) >= limit:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if conditional_p(middle, window_s, background, background_s, tolerance) >= limit:
            low = middle
        else:
            high = middle
    return max(0.0, high / window_s - background / background_s)


def detection_probability(
    source_cps: float, background_cps: float, window_s: float, background_s: float, tolerance: float, limit: float
) -> float:
    """Probability that a source of this rate in one window raises the alarm, with a background learnt well."""
    background = round(background_cps * background_s)
    needed = math.ceil(
        (detectable_rate_cps(background, background_s, window_s, tolerance, limit) + background / background_s)
        * window_s
        - 1e-9
    )
    # P(N >= needed) = 1 - Q(needed, mean) with the regularised upper incomplete gamma function.
    return float(1.0 - gammaincc(needed, (source_cps + background_cps) * window_s))
