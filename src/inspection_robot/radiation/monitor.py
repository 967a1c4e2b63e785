"""From readings to findings: what one detector says about the place it is at, and what is worth telling the robot.

Pure: the node hands in readings, the place of the detector and the people around it, and publishes what comes back.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.adjudicate import Rules, Situation, Verdict
from inspection_robot.radiation.carrier import Carrier, find_carrier
from inspection_robot.radiation.count_watch import CountState, CountStatus, CountWatch, WatchParameters
from inspection_robot.radiation.counts import CountInterval, true_rate_cps
from inspection_robot.radiation.detectability import cps_per_mbq_1m, detectable_activity_mbq
from inspection_robot.radiation.drivers.detector import Identity, TotalReading
from inspection_robot.radiation.identify import Identification, identify
from inspection_robot.radiation.localise import (
    LocaliseParameters,
    LocatedSource,
    Measurements,
    localise,
    next_viewpoint,
)
from inspection_robot.radiation.spectrum import Spectrum
from inspection_robot.radiation.spectrum_book import SpectrumBook
from inspection_robot.radiation.walls import Walls, no_walls

Floats = NDArray[np.float64]
BEFORE_S = 20.0  # of the path before an alarm that goes into the search for its source [s]
LONGEST_S = 600.0  # of the path that is remembered [s]
VIEWPOINT_REACH_M = 4.0  # how far from a source a better viewpoint is looked for [m]
LEAST_WAY_M = 1.0  # from one spot nothing can be located [m]
AREA_MARGIN_M = 8.0  # how far beside the path a source is searched [m]
SPEED_OVER_S = 3.0


@dataclass(frozen=True)
class Place:
    """Where something was: x and y in the map [m]."""

    x_m: float
    y_m: float


@dataclass(frozen=True)
class Sample:
    """One reading with where the detector was and who was around; place None when not known."""

    interval: CountInterval
    state: CountState
    place: Place | None
    people: dict[str, Place]


@dataclass(frozen=True)
class Reading:
    """What one reading means, with everything of ``RadiationReading.msg``.

    ``alarm_began`` and ``overload_began`` are true in the one reading in which that happened; ``alarm_ended`` likewise.
    """

    interval: CountInterval
    state: CountState
    dose_rate_usv_h: float
    dose_rate_deviation_usv_h: float
    detectable_mbq: float
    alarm_began: bool
    overload_began: bool
    alarm_ended: bool


@dataclass(frozen=True)
class Assessment:
    """What is known about an alarm so far; ``viewpoint_m`` is where measuring on would tell most [m]."""

    verdict: Verdict
    identification: Identification | None
    spectrum: Spectrum | None
    carrier: Carrier
    source: LocatedSource | None
    peak_cps: float
    peak_deviation_cps: float
    background_cps: float
    significance: float
    situation: Situation
    viewpoint_m: tuple[float, float] | None
    samples: tuple[Sample, ...] = field(repr=False)

    @property
    def key(self) -> tuple[object, ...]:
        """What makes an assessment worth telling again: verdict, nuclides, carrier, and the place to a metre."""
        nuclides = tuple(n.nuclide.name for n in self.identification.found) if self.identification else ()
        place = tuple(round(v) for v in self.source.position_m) if self.source and not self.carrier.track else ()
        return (self.verdict.rule_id, nuclides, self.carrier.track, self.carrier.moves_with_track, place)


class RadiationMonitor:
    """Follows one detector. :meth:`update` is quick; :meth:`assess` takes up to seconds and may run elsewhere.

    Args:
        identity: the detector.
        watch: parameters of the alarm.
        rules: adjudication.
        search: parameters of the localisation; its sensitivity is replaced by the detector's own where that is known.
        detectable_distance_m: distance at which the detectable activity is stated [m].
    """

    def __init__(
        self,
        identity: Identity,
        watch: WatchParameters,
        rules: Rules,
        search: LocaliseParameters,
        detectable_distance_m: float = 1.0,
    ) -> None:
        self.identity = identity
        self.search = search
        self.watch = CountWatch(watch)
        self.walls: Walls = no_walls()
        self._rules = rules
        self._distance_m = detectable_distance_m
        self._book = SpectrumBook(identity.model, identity.serial_number)
        self._samples: deque[Sample] = deque()
        self._alarm_since_s: float | None = None
        self._was_overloaded = False
        self._overloaded_in_alarm = False

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What is remembered, oldest first."""
        return tuple(self._samples)

    def discontinue(self) -> None:
        """Tell that the stream was interrupted."""
        self.watch.discontinue()

    def update(
        self, interval: CountInterval, reading: TotalReading, place: Place | None, people: dict[str, Place]
    ) -> Reading:
        """Take one interval of counts."""
        state = self.watch.update(interval)
        alarm = state.status in (CountStatus.ALARM, CountStatus.OVERLOAD)
        overload = state.status is CountStatus.OVERLOAD
        began, ended = alarm and self._alarm_since_s is None, not alarm and self._alarm_since_s is not None
        overload_began = overload and not self._was_overloaded
        self._was_overloaded = overload
        if began:
            self._alarm_since_s, self._overloaded_in_alarm = interval.end_s, False
            self._book.begin_alarm()
        self._overloaded_in_alarm |= overload
        if ended:
            self._alarm_since_s = None
        self._samples.append(Sample(interval, state, place, people))
        while self._samples and self._samples[0].interval.end_s < interval.end_s - LONGEST_S:
            self._samples.popleft()
        if reading.spectrum is not None:
            self._book.update(reading.spectrum, interval.duration_s, alarm, state.status is CountStatus.OK)
        dose_rate, deviation = self._dose_rate(state)
        return Reading(interval, state, dose_rate, deviation, self._detectable(interval), began, overload_began, ended)

    def alarm_spectrum(self) -> Spectrum | None:
        """Spectrum of the present or latest alarm with its background; None when there is none."""
        return self._book.alarm_spectrum()

    def assess(self, samples: tuple[Sample, ...], spectrum: Spectrum | None, zone: str = "") -> Assessment | None:
        """Work out what the present or latest alarm in the samples is; None when there is none.

        It touches nothing that :meth:`update` changes, so that another thread may run it.

        Args:
            samples: of :attr:`samples`.
            spectrum: of :meth:`alarm_spectrum`.
            zone: kind of the map zone the robot is in.
        """
        window = _alarm_window(samples)
        if window is None:
            return None
        part, since_s = window
        identification = identify(spectrum) if spectrum is not None else None
        carrier, source = self._whereabouts(samples, part)
        alarmed = [sample for sample in part if sample.interval.end_s >= since_s]
        peak = max(alarmed, key=lambda sample: sample.state.rate_cps)
        dose_rate, _ = self._dose_rate(peak.state)
        situation = Situation(
            overload=any(sample.state.status is CountStatus.OVERLOAD for sample in alarmed),
            dose_rate_usv_h=None if math.isnan(dose_rate) else dose_rate,
            carrier="person" if carrier.track and carrier.moves_with_track is not False else "",
            moves_with_carrier=carrier.moves_with_track,
            zone=zone,
            duration_s=alarmed[-1].interval.end_s - since_s,
        )
        return Assessment(
            self._rules.decide(identification, situation), identification, spectrum, carrier, source,
            peak.state.rate_cps, peak.state.rate_uncertainty_cps, peak.state.background_cps,
            max(sample.state.significance for sample in alarmed), situation, self._viewpoint(source, peak), tuple(part),
        )  # fmt: skip

    def _viewpoint(self, source: LocatedSource | None, peak: Sample) -> tuple[float, float] | None:
        """Where the robot would learn most about a source that is not carried away."""
        if source is None:
            return None
        steps = np.arange(-VIEWPOINT_REACH_M, VIEWPOINT_REACH_M + 0.1, 0.5)
        around = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) + np.array(source.position_m)
        return next_viewpoint(source, peak.state.background_cps, self.walls, around, self.search)

    def _dose_rate(self, state: CountState) -> tuple[float, float]:
        """Ambient dose equivalent rate and its deviation [uSv/h]; NaN without a calibration or when blinded."""
        sensitivity = self.identity.cps_per_usv_h
        if not sensitivity > 0.0 or state.status in (CountStatus.OVERLOAD, CountStatus.FAILED):
            return math.nan, math.nan
        rate = true_rate_cps(state.rate_cps, self.identity.dead_time_s)
        if math.isinf(rate):
            return math.nan, math.nan
        return rate / sensitivity, state.rate_uncertainty_cps / sensitivity

    def _sensitivity_cps_per_mbq(self) -> float:
        known = self.identity.cps_per_usv_h > 0.0
        return cps_per_mbq_1m(self.identity.cps_per_usv_h) if known else self.search.cps_per_mbq_1m

    def _detectable(self, interval: CountInterval) -> float:
        background_s = self.watch.background_live_s
        background = round(self.watch.background_cps * background_s) if background_s > 0.0 else 0
        return detectable_activity_mbq(
            background, background_s, self._speed_m_s(), self._distance_m, self._sensitivity_cps_per_mbq(),
            self.watch.parameters, interval.duration_s,
        )  # fmt: skip

    def _speed_m_s(self) -> float:
        """Mean speed of the last seconds [m/s]; 0 when the place is not known."""
        newest = self._samples[-1]
        recent = [
            sample
            for sample in self._samples
            if sample.place is not None and sample.interval.end_s >= newest.interval.end_s - SPEED_OVER_S
        ]
        if len(recent) < 2 or recent[0].place is None or recent[-1].place is None:
            return 0.0
        seconds = recent[-1].interval.end_s - recent[0].interval.end_s
        way = math.hypot(recent[-1].place.x_m - recent[0].place.x_m, recent[-1].place.y_m - recent[0].place.y_m)
        return way / seconds if seconds > 0.0 else 0.0

    def _whereabouts(self, samples: tuple[Sample, ...], part: list[Sample]) -> tuple[Carrier, LocatedSource | None]:
        """Who carries the source, from the seconds around the alarm, and where it lies, from all that is remembered.

        Where nothing was counted tells as much of a source that stays as where the alarm was.
        """
        if sum(sample.place is not None for sample in part) < 4:
            return Carrier("", None, 0.0), None
        search = replace(self.search, cps_per_mbq_1m=self._sensitivity_cps_per_mbq())
        everything, _ = self._measured(samples)
        data, placed = self._measured(part)
        moved = float(np.ptp(data.positions_m, axis=0).max()) >= LEAST_WAY_M
        sources = localise(everything, self.walls, _around(everything), search) if moved else []
        limits = _around(data)
        places = np.stack(
            np.meshgrid(np.arange(limits[0], limits[2], 0.5), np.arange(limits[1], limits[3], 0.5)), axis=-1
        ).reshape(-1, 2)
        carrier = find_carrier(data, _paths(placed), places, self.walls, search)
        return carrier, sources[0] if sources else None

    def _measured(self, samples: Sequence[Sample]) -> tuple[Measurements, list[Sample]]:
        """Counts and where the detector was in the middle of each interval, of the samples whose place is known."""
        pairs = [(s, before) for before, s in zip([samples[0], *samples], samples, strict=False) if s.place is not None]
        positions = np.array([_middle(before, s) for s, before in pairs])
        counts = np.array([float(s.interval.counts) for s, _ in pairs])
        live_s = np.array([s.interval.duration_s * s.interval.live_fraction for s, _ in pairs])
        return Measurements(positions, counts, live_s), [s for s, _ in pairs]


def _middle(before: Sample, sample: Sample) -> tuple[float, float]:
    """Place halfway between the ends of two intervals [m]; that of the second where they do not follow one another."""
    assert sample.place is not None
    follows = 0.0 < sample.interval.end_s - before.interval.end_s <= 1.5 * sample.interval.duration_s
    start = before.place if follows and before.place is not None else sample.place
    return 0.5 * (start.x_m + sample.place.x_m), 0.5 * (start.y_m + sample.place.y_m)


def _around(data: Measurements) -> tuple[float, float, float, float]:
    """Least and greatest x and y of where a source is searched [m]."""
    low, high = data.positions_m.min(axis=0) - AREA_MARGIN_M, data.positions_m.max(axis=0) + AREA_MARGIN_M
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _alarm_window(samples: tuple[Sample, ...]) -> tuple[list[Sample], float] | None:
    """Samples of the latest alarm with those shortly before it, and when it began [s]."""
    alarmed = [sample.state.status in (CountStatus.ALARM, CountStatus.OVERLOAD) for sample in samples]
    if not any(alarmed):
        return None
    last = max(index for index, value in enumerate(alarmed) if value)
    first = last
    while first > 0 and alarmed[first - 1]:
        first -= 1
    since_s = samples[first].interval.end_s
    return [sample for sample in samples[: last + 1] if sample.interval.end_s >= since_s - BEFORE_S], since_s


def _paths(samples: list[Sample]) -> dict[str, Floats]:
    """Place of every person at every sample, NaN where not seen; each of shape (samples, 2)."""
    names = {name for sample in samples for name in sample.people}
    unseen = Place(math.nan, math.nan)
    return {
        name: np.array([(p.x_m, p.y_m) for p in (sample.people.get(name, unseen) for sample in samples)])
        for name in names
    }
