"""Where are the sources, and how strong: maximum likelihood over position and activity, walls as attenuators.

The likelihood of every place of a grid is profiled over activity and background (``source_fit``), around the best place
on a finer grid; its normalised exponential is the posterior of the position. A map tells where something stands, not
how high it is or what it is made of: for every promising place the attenuation of each obstacle is fitted as well.
Sources are added one by one and refitted while each makes the counts significantly more likely (likelihood ratio, Wilks
1938).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.attenuation import linear_attenuation_per_m
from inspection_robot.radiation.source_fit import (
    SourceFit,
    background_log_likelihood,
    fit_sources,
    log_likelihood,
    negative_binomial_shape,
    screen_sources,
)
from inspection_robot.radiation.walls import Walls

Floats = NDArray[np.float64]

OBSTACLE_ROUNDS: Final = 4
NEAR_M: Final = 3.0
LEAST_REACH_M: Final = 8.0


@dataclass(frozen=True)
class LocaliseParameters:
    """How sources are searched.

    Attributes:
        cps_per_mbq_1m: counts per second for 1 MBq at 1 m without walls.
        energy_kev: energy at which walls attenuate.
        material: of the heaviest walls, see ``attenuation.MATERIALS``.
        attenuations: shares of its attenuation that an obstacle may have: it may be low, light or thinner than drawn.
        model_fault: relative fault of the counts expected of a source: single walls, furniture, poses.
        height_difference_m: typical height of the detector above or below a source [m].
        coarse_m, fine_m: steps of the two grids [m].
        fine_reach_m: half the side of the fine grid [m].
        modes: places apart from each other for which the obstacles are fitted.
        modes_kept: the best of them, which are tried on fine grids.
        rare_activity_mbq: above it sources become rarer in proportion [MBq]: a far strong one needs better evidence.
        shortlist: places of the coarse grid that are fitted in full after a quick test of all.
        least_ratio: log-likelihood a source must gain.
        most_sources: sources searched at most.
        standoff_m: viewpoints are at least this far from the presumed source [m].
    """

    cps_per_mbq_1m: float = 2.4
    energy_kev: float = 662.0
    material: str = "concrete"
    attenuations: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)
    model_fault: float = 0.15
    height_difference_m: float = 0.4
    coarse_m: float = 0.5
    fine_m: float = 0.2
    fine_reach_m: float = 1.5
    modes: int = 16
    modes_kept: int = 4
    rare_activity_mbq: float = 100.0
    least_ratio: float = 9.0
    shortlist: int = 500
    most_sources: int = 3
    standoff_m: float = 1.0


@dataclass(frozen=True)
class Measurements:
    """Counts along a path: positions (n, 2) [m], counts (n,), live times (n,) [s]."""

    positions_m: Floats
    counts: Floats
    live_s: Floats

    def binned(self, step_m: float) -> Measurements:
        """Add up measurements of the same cell of a grid of ``step_m``: hours of patrol become few places."""
        if not len(self.counts):
            return self
        cells = np.floor(self.positions_m / step_m).astype(np.int64)
        place = np.unique(cells, axis=0, return_inverse=True)[1].ravel()
        size = int(place.max()) + 1
        live_s: Floats = np.bincount(place, self.live_s, size).astype(np.float64)
        centre = np.column_stack([np.bincount(place, self.positions_m[:, i] * self.live_s, size) for i in (0, 1)])
        return Measurements(centre / live_s[:, None], np.bincount(place, self.counts, size).astype(np.float64), live_s)


@dataclass(frozen=True)
class LocatedSource:
    """One source: position (x, y) [m] with covariance (2, 2) [m²], activity [MBq], gained log-likelihood."""

    position_m: tuple[float, float]
    covariance_m2: Floats
    activity_mbq: float
    activity_deviation_mbq: float
    log_likelihood_ratio: float


@dataclass(frozen=True)
class _Data:
    """Measurements with what all hypotheses share: the K of each, walls and parameters."""

    measurements: Measurements
    shape: Floats
    walls: Walls
    limits: LocaliseParameters

    @property
    def per_m(self) -> float:
        """Attenuation of the heaviest walls [1/m]."""
        return linear_attenuation_per_m(self.limits.material, self.limits.energy_kev)

    def choices(self, places: Floats) -> Floats:
        """Expected counts for 1 MBq for every share of attenuation; shape (shares, places, measurements)."""
        free, inside_m = _free_kernels(places, self.measurements, self.walls, self.limits)
        return np.stack([free * np.exp(-share * self.per_m * inside_m) for share in self.limits.attenuations])

    def fit(self, kernels: Floats, fixed: Floats) -> SourceFit:
        """Fit sources whose kernels are of shape (places, measurements) or (shares, places, measurements)."""
        return fit_sources(self.measurements.counts, self.measurements.live_s, kernels, fixed, self.shape)


@dataclass(frozen=True)
class _Located:
    """A source and the counts it explains."""

    source: LocatedSource
    part: Floats


@dataclass(frozen=True)
class _Mode:
    """A place with the shares of attenuation of the obstacles that suit it best: places around, posterior, fits."""

    places: Floats
    values: Floats
    fit: SourceFit
    kernels: Floats


def kernels(places: Floats, measurements: Measurements, walls: Walls, parameters: LocaliseParameters) -> Floats:
    """Expected counts for 1 MBq at each place (p, 2) in each measurement, full attenuation; shape (p, n)."""
    free, inside_m = _free_kernels(places, measurements, walls, parameters)
    return free * np.exp(-linear_attenuation_per_m(parameters.material, parameters.energy_kev) * inside_m)


def _free_kernels(
    places: Floats, measurements: Measurements, walls: Walls, parameters: LocaliseParameters
) -> tuple[Floats, Floats]:
    """Expected counts for 1 MBq without walls, and the length inside walls [m]; each (p, n)."""
    free = _free_rate(places, measurements, parameters)
    return free, walls.lengths_m(places, measurements.positions_m, _reach_m(measurements))


def _reach_m(measurements: Measurements) -> float:
    """Distance [m] at which a source that was passed at NEAR_M adds less than a tenth of the background."""
    rates = measurements.counts / np.maximum(measurements.live_s, 1e-9)
    background = max(float(np.quantile(rates, 0.2)), 1.0 / max(float(measurements.live_s.sum()), 1.0))
    excess = max(float(rates.max()) - background, 0.0)
    return max(LEAST_REACH_M, NEAR_M * math.sqrt(10.0 * excess / background))


def _free_rate(places: Floats, measurements: Measurements, parameters: LocaliseParameters) -> Floats:
    """Expected counts for 1 MBq without walls; shape (p, n)."""
    squared = ((places[:, None, :] - measurements.positions_m[None, :, :]) ** 2).sum(axis=2)
    rate = parameters.cps_per_mbq_1m / (squared + parameters.height_difference_m**2)
    return np.asarray(rate * measurements.live_s)


def localise(
    measurements: Measurements, walls: Walls, area_m: tuple[float, float, float, float],
    parameters: LocaliseParameters | None = None,
) -> list[LocatedSource]:  # fmt: skip
    """Return the sources that explain the counts, the most significant first; none when background does.

    Args:
        measurements: counts along the path, in the frame of the walls.
        walls: attenuators.
        area_m: least x, least y, greatest x, greatest y of where sources may be [m].
        parameters: how to search.
    """
    limits = parameters or LocaliseParameters()
    binned = measurements.binned(limits.coarse_m)
    if len(binned.counts) < 4 or binned.counts.sum() == 0:
        return []
    data = _Data(binned, negative_binomial_shape(binned.counts, binned.live_s, limits.model_fault), walls, limits)
    coarse = _grid(area_m, limits.coarse_m)
    choices = data.choices(coarse)
    found: list[_Located] = []
    while len(found) < limits.most_sources:
        located = _search(data, coarse, choices, [f.part for f in found])
        if located.source.log_likelihood_ratio < limits.least_ratio:
            break
        found.append(located)
        for index in range(len(found) - 1):  # what was found first was found beside what is known now
            others = [f.part for i, f in enumerate(found) if i != index]
            found[index] = _search(data, coarse, choices, others)
    return sorted((f.source for f in found), key=lambda source: -source.log_likelihood_ratio)


def _search(data: _Data, coarse: Floats, choices: Floats, parts: list[Floats]) -> _Located:
    """Return the source that explains most beside those whose counts are given."""
    counts, live_s, limits = data.measurements.counts, data.measurements.live_s, data.limits
    fixed = np.sum(parts, axis=0) if parts else np.zeros(len(counts))
    before = background_log_likelihood(counts, live_s, fixed, data.shape)
    score = np.max([screen_sources(counts, live_s, kernel, fixed, data.shape) for kernel in choices], axis=0)
    top = np.argsort(score)[-limits.shortlist :]
    promising = data.fit(choices[:, top], fixed).log_likelihood
    order = top[np.argsort(-promising)]
    tried = [_obstacles(data, place, fixed) for place in _apart(coarse[order], limits.fine_reach_m, limits.modes)]
    kept = sorted(tried, key=lambda obstacles: -obstacles.value)[: limits.modes_kept]
    return _located([_mode(data, obstacles, fixed) for obstacles in kept], before, limits)


def _apart(places: Floats, distance_m: float, number: int) -> list[Floats]:
    """The first places that are so far from each other."""
    chosen: list[Floats] = []
    for place in places:
        if all(np.abs(place - other).max() > distance_m for other in chosen):
            chosen.append(place)
            if len(chosen) == number:
                break
    return chosen


@dataclass(frozen=True)
class _Obstacles:
    """The share of attenuation of every obstacle that suits a source at a place best.

    Attributes:
        place: x, y [m].
        shares: of each part of the walls.
        cost: logarithm by which the best shares beat the mean over all: free choices must not be taken for evidence.
        value: log-likelihood less the cost.
    """

    place: Floats
    shares: Floats
    cost: float
    value: float


def _obstacles(data: _Data, place: Floats, fixed: Floats) -> _Obstacles:
    """Choose the obstacles' shares one by one while source and background are refitted."""
    measurements, options = data.measurements, np.array(data.limits.attenuations)
    lengths = data.walls.lengths_by_part_m(place, measurements.positions_m)
    crossed = np.flatnonzero(lengths.any(axis=0))
    shares = np.full(lengths.shape[1], 0.5)
    free = _free_rate(place[None, :], measurements, data.limits)[0]
    fit, cost = data.fit(free[None, :] * np.exp(-data.per_m * (lengths @ shares)), fixed), 0.0
    for _ in range(OBSTACLE_ROUNDS):
        rest, cost = fixed + fit.background_cps[0] * measurements.live_s, 0.0
        for part in crossed:
            others = free * np.exp(-data.per_m * (lengths @ shares - shares[part] * lengths[:, part]))
            passed = np.exp(-data.per_m * options[:, None] * lengths[:, part])
            expected = rest + fit.activity_mbq[0] * others * passed
            values = log_likelihood(measurements.counts, expected, data.shape).sum(axis=1)
            shares[part] = options[int(np.argmax(values))]
            cost -= float(np.log(np.exp(values - values.max()).mean()))
        fit = data.fit(free[None, :] * np.exp(-data.per_m * (lengths @ shares)), fixed)
    prior = -math.log1p(float(fit.activity_mbq[0]) / data.limits.rare_activity_mbq)
    return _Obstacles(place, shares, cost, float(fit.log_likelihood[0]) - cost + prior)


def _mode(data: _Data, obstacles: _Obstacles, fixed: Floats) -> _Mode:
    """Fit the places around one, with its obstacles' shares of attenuation."""
    limits, (x, y) = data.limits, obstacles.place
    walls, reach = data.walls.with_shares(obstacles.shares), limits.fine_reach_m
    fine = _grid((x - reach, y - reach, x + reach, y + reach), limits.fine_m)
    free, inside_m = _free_kernels(fine, data.measurements, walls, limits)
    kernels = free * np.exp(-data.per_m * inside_m)
    fit = data.fit(kernels, fixed)
    prior = -np.log1p(fit.activity_mbq / limits.rare_activity_mbq)
    return _Mode(fine, fit.log_likelihood - obstacles.cost + prior, fit, kernels)


def _located(modes: list[_Mode], before: float, limits: LocaliseParameters) -> _Located:
    """Put the modes together: the place is that of the best one, the covariance shows the others as well."""
    best = max(modes, key=lambda mode: float(mode.values.max()))
    top = float(best.values.max())
    inner = np.exp(best.values - top)
    total = sum(float(np.exp(mode.values - top).sum()) for mode in modes)
    mean = inner @ best.places / inner.sum()
    covariance = np.eye(2) * limits.fine_m**2 / 12.0
    for mode in modes:
        offset = mode.places - mean
        covariance += (np.exp(mode.values - top)[:, None] * offset).T @ offset / total
    inner /= inner.sum()
    activity = float(inner @ best.fit.activity_mbq)
    spread = float(inner @ ((best.fit.activity_mbq - activity) ** 2 + best.fit.activity_deviation_mbq**2))
    place = int(np.argmax(best.values))
    ratio = float(best.fit.log_likelihood[place]) - before
    source = LocatedSource((float(mean[0]), float(mean[1])), covariance, activity, float(np.sqrt(spread)), ratio)
    return _Located(source, best.fit.activity_mbq[place] * best.kernels[place])


def _grid(area_m: tuple[float, float, float, float], step_m: float) -> Floats:
    x = np.arange(area_m[0] + 0.5 * step_m, area_m[2], step_m)
    y = np.arange(area_m[1] + 0.5 * step_m, area_m[3], step_m)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def next_viewpoint(
    source: LocatedSource, background_cps: float, walls: Walls, reachable_m: Floats, parameters: LocaliseParameters
) -> tuple[float, float] | None:
    """Place from which ten seconds tell most about where a source is: the greatest variance of expected counts.

    Args:
        source: the presumed source with its covariance.
        background_cps: background rate [1/s].
        walls: attenuators.
        reachable_m: places the robot could go to, shape (n, 2) [m].
        parameters: of the localisation.

    Returns:
        the best place, or None when none of them is free and far enough from the source.
    """
    far = np.hypot(*(reachable_m - np.array(source.position_m)).T) >= parameters.standoff_m
    places = reachable_m[far & walls.is_free(reachable_m)] if walls.solid.any() else reachable_m[far]
    if not len(places):
        return None
    # Nine points that stand for the posterior: its mean and a ring of its standard deviations.
    root = np.linalg.cholesky(source.covariance_m2 + 1e-6 * np.eye(2))
    angle = np.arange(8) * np.pi / 4
    ring = 1.4 * np.column_stack([np.cos(angle), np.sin(angle)]) @ root.T
    hypotheses = np.array(source.position_m) + np.concatenate([np.zeros((1, 2)), ring])
    ten_seconds = Measurements(places, np.zeros(len(places)), np.full(len(places), 10.0))
    expected = source.activity_mbq * kernels(hypotheses, ten_seconds, walls, parameters)
    information = expected.var(axis=0) / (expected.mean(axis=0) + 10.0 * background_cps + FLOOR_COUNTS)
    best = places[int(np.argmax(information))]
    return float(best[0]), float(best[1])


FLOOR_COUNTS = 1e-3
