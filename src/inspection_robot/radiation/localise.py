"""Where are the sources, and how strong: maximum likelihood over position and activity, walls as attenuators.

The likelihood of every place of a grid is profiled over activity and background (``source_fit``), around the best place
on a finer grid; its normalised exponential is the posterior of the position. Sources are added one by one and refitted
while each makes the counts significantly more likely (likelihood ratio, Wilks 1938).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.attenuation import linear_attenuation_per_m
from inspection_robot.radiation.source_fit import background_log_likelihood, fit_sources, screen_sources
from inspection_robot.radiation.walls import Walls

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LocaliseParameters:
    """How sources are searched.

    Attributes:
        cps_per_mbq_1m: counts per second for 1 MBq at 1 m without walls.
        energy_kev: energy at which walls attenuate.
        material: of the walls, see ``attenuation.MATERIALS``.
        height_difference_m: typical height of the detector above or below a source [m].
        coarse_m, fine_m: steps of the two grids [m].
        fine_reach_m: half the side of the fine grid [m].
        shortlist: places of the coarse grid that are fitted in full after a quick test of all.
        least_ratio: log-likelihood a source must gain.
        most_sources: sources searched at most.
        standoff_m: viewpoints are at least this far from the presumed source [m].
    """

    cps_per_mbq_1m: float = 2.4
    energy_kev: float = 662.0
    material: str = "concrete"
    height_difference_m: float = 0.4
    coarse_m: float = 0.5
    fine_m: float = 0.1
    fine_reach_m: float = 1.5
    least_ratio: float = 9.0
    shortlist: int = 250
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


def kernels(places: Floats, measurements: Measurements, walls: Walls, parameters: LocaliseParameters) -> Floats:
    """Expected counts for 1 MBq at each place (p, 2) in each measurement; shape (p, n)."""
    squared = ((places[:, None, :] - measurements.positions_m[None, :, :]) ** 2).sum(axis=2)
    inside_m = walls.lengths_m(places, measurements.positions_m)
    passed = np.exp(-linear_attenuation_per_m(parameters.material, parameters.energy_kev) * inside_m)
    rate = parameters.cps_per_mbq_1m / (squared + parameters.height_difference_m**2)
    return np.asarray(rate * passed * measurements.live_s)


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
    data = measurements.binned(limits.coarse_m)
    if len(data.counts) < 4 or data.counts.sum() == 0:
        return []
    coarse = _grid(area_m, limits.coarse_m)
    coarse_kernels = kernels(coarse, data, walls, limits)
    found: list[LocatedSource] = []
    parts: list[Floats] = []
    while len(found) < limits.most_sources:
        fixed = np.sum(parts, axis=0) if parts else np.zeros(len(data.counts))
        before = background_log_likelihood(data.counts, data.live_s, fixed)
        likelihood = _likelihood(data, coarse_kernels, fixed, limits.shortlist)
        if likelihood.max() - before < limits.least_ratio:
            break
        source, part = _located(data, walls, coarse, likelihood, fixed, before, limits)
        found.append(source)
        parts.append(part)
        for index in range(len(found) - 1):  # what was found first was found beside what is known now
            others = np.sum([p for i, p in enumerate(parts) if i != index], axis=0)
            near = background_log_likelihood(data.counts, data.live_s, others)
            again = _likelihood(data, coarse_kernels, others, limits.shortlist)
            found[index], parts[index] = _located(data, walls, coarse, again, others, near, limits)
    return sorted(found, key=lambda source: -source.log_likelihood_ratio)


def _likelihood(data: Measurements, kernel: Floats, fixed: Floats, shortlist: int) -> Floats:
    """Log-likelihood of the most promising places, minus infinity for the others; shape (places,)."""
    score = screen_sources(data.counts, data.live_s, kernel, fixed)
    top = np.argsort(score)[-shortlist:]
    likelihood = np.full(len(kernel), -np.inf)
    likelihood[top] = fit_sources(data.counts, data.live_s, kernel[top], fixed).log_likelihood
    return likelihood


def _located(
    data: Measurements, walls: Walls, coarse: Floats, likelihood: Floats, fixed: Floats, before: float,
    limits: LocaliseParameters,
) -> tuple[LocatedSource, Floats]:  # fmt: skip
    """Refine the best place of the coarse grid; return the source and the counts it explains."""
    best = coarse[int(np.argmax(likelihood))]
    reach = limits.fine_reach_m
    fine = _grid((best[0] - reach, best[1] - reach, best[0] + reach, best[1] + reach), limits.fine_m)
    fine_kernels = kernels(fine, data, walls, limits)
    result = fit_sources(data.counts, data.live_s, fine_kernels, fixed)
    # Places outside the fine grid keep their coarse weight, so that an ambiguity shows in the covariance.
    far = np.abs(coarse - best).max(axis=1) > reach
    places = np.concatenate([fine, coarse[far]])
    area = np.concatenate([np.full(len(fine), limits.fine_m**2), np.full(int(far.sum()), limits.coarse_m**2)])
    values = np.concatenate([result.log_likelihood, likelihood[far]])
    weight = np.exp(values - values.max()) * area
    weight /= weight.sum()
    inner = weight[: len(fine)] / weight[: len(fine)].sum()
    mean = inner @ fine
    offset = places - mean
    covariance = (weight[:, None] * offset).T @ offset + np.eye(2) * limits.fine_m**2 / 12.0
    activity = float(inner @ result.activity_mbq)
    spread = float(inner @ (result.activity_mbq - activity) ** 2 + inner @ result.activity_deviation_mbq**2)
    ratio = float(result.log_likelihood.max() - before)
    part = activity * kernels(mean[None, :], data, walls, limits)[0]
    return LocatedSource((float(mean[0]), float(mean[1])), covariance, activity, float(np.sqrt(spread)), ratio), part


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
