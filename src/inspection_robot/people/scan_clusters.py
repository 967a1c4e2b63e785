"""People and luggage in a horizontal laser scan: clusters that stand out of the map, told apart by their shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.people.tracking import Kind, Sighting

Points = NDArray[np.float64]

JUMP_M = 0.18
"""Neighbouring points further apart than this belong to different things, at ranges where beams are nearer together."""
PAIR_M = 0.55
"""Two legs of one person are no further apart than this."""
NARROWEST_M, WIDEST_M = 0.04, 0.75
LEG_M = 0.24
"""Clusters up to this wide may be one leg."""
STRAIGHT_M = 0.018
"""A cluster whose points lie this near to a straight line is the side of a case, not a body."""
SPREAD_M = 0.12
"""Standard deviation of a body's middle about the middle of what a scan sees of it."""


@dataclass(frozen=True)
class Cluster:
    """Neighbouring points of a scan: middle (x, y) [m], width [m], deviation from a straight line [m], points."""

    middle: Points
    width: float
    bend: float
    count: int


def scan_points(ranges: NDArray[np.float64], angle_min: float, angle_step: float, maximum_m: float = 12.0) -> Points:
    """Points of a scan, (n, 2) x, y in the scanner's frame [m]; beams without a return are (nan, nan).

    Args:
        ranges: (n,) [m]; infinities, NaN and values beyond `maximum_m` are no returns.
        angle_min: of the first beam [rad].
        angle_step: between beams [rad].
        maximum_m: legs further away are too thinly sampled [m].
    """
    usable = np.isfinite(ranges) & (ranges > 0.05) & (ranges < maximum_m)
    angles = angle_min + np.arange(len(ranges)) * angle_step
    distance = np.where(usable, ranges, np.nan)
    return np.stack([distance * np.cos(angles), distance * np.sin(angles)], axis=1)


def clusters(points: Points, angle_step: float) -> list[Cluster]:
    """Cut a scan where neighbours jump; points (n, 2) in the order of the beams, NaN where there is no return."""
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    reach = np.linalg.norm(points[:-1], axis=1)
    # Beams spread with the distance: a body seen by few beams must not fall apart.
    limit = np.maximum(JUMP_M, 3.0 * abs(angle_step) * reach)
    cut = np.flatnonzero(~(gaps <= limit)) + 1
    found = []
    for part in np.split(points, cut):
        inside = part[np.isfinite(part[:, 0])]
        if len(inside) < 3:
            continue
        middle = inside.mean(axis=0)
        centred = inside - middle
        _, deviations, axes = np.linalg.svd(centred, full_matrices=False)
        along = centred @ axes[0]
        width = float(along.max() - along.min())
        if NARROWEST_M <= width <= WIDEST_M:
            found.append(Cluster(middle, width, float(deviations[-1] / np.sqrt(len(inside))), len(inside)))
    return found


def sightings_in_scan(
    points: Points,
    angle_step: float,
    to_map: Callable[[Points], Points],
    is_background: Callable[[Points], NDArray[np.bool_]],
) -> list[Sighting]:
    """People and luggage in a scan.

    Args:
        points: (n, 2) in the scanner's frame [m], as :func:`scan_points`.
        angle_step: between beams [rad].
        to_map: takes points (n, 2) of the scanner's frame to `map`.
        is_background: which points (n, 2) in `map` belong to the building.

    Returns:
        Sightings in `map`. Two clusters as wide as legs and within a stride are one person.
    """
    mapped = to_map(points)
    standing = points.copy()
    known = np.isfinite(points[:, 0])
    background = np.zeros(len(points), bool)
    if known.any():
        background[known] = is_background(mapped[known])
    standing[background] = np.nan
    found = clusters(standing, angle_step)
    sightings = []
    used: set[int] = set()
    for index, cluster in enumerate(found):
        if index in used:
            continue
        partner = _partner(found, index, used)
        middle, kind = cluster.middle, Kind.PERSON
        if partner is not None:
            used.add(partner)
            middle = (cluster.middle + found[partner].middle) / 2
        elif cluster.count >= 8 and cluster.width > LEG_M and cluster.bend < STRAIGHT_M / 2:
            kind = Kind.LUGGAGE
        away = middle / max(float(np.linalg.norm(middle)), 1e-6)
        centre = middle + (0.1 if kind is Kind.PERSON else 0.12) * away  # the scan sees the near side only
        covariance = np.eye(2) * (SPREAD_M**2 + (0.01 * float(np.linalg.norm(middle))) ** 2)
        sightings.append(Sighting(to_map(centre[None])[0], covariance, kind, "lidar"))
    return sightings


def _partner(found: list[Cluster], index: int, used: set[int]) -> int | None:
    cluster = found[index]
    if cluster.width > LEG_M:
        return None
    near = [
        (float(np.linalg.norm(other.middle - cluster.middle)), number)
        for number, other in enumerate(found)
        if number > index and number not in used and other.width <= LEG_M
    ]
    distance, number = min(near, default=(np.inf, -1))
    return number if distance <= PAIR_M else None
