"""Where a hot or cold thing is in `map`: the ray of its region, and what along this ray could bear it.

A picture gives a direction and no distance, and a thing tells nobody its size. What bears things does: the floor where
the lowest ray meets it (everything above the floor is nearer), furniture and walls of the map, and what the lidar sees
that the map does not have. All that could bear the thing counts alike; mean and covariance are those of this set, so
that an ambiguous view is told as a large covariance, and a view of nothing that could bear a thing as no position.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.people.background import Background, hidden_behind
from inspection_robot.people.camera_sightings import Lens
from inspection_robot.ros.transforms import Transform
from inspection_robot.thermal.hot_cold import Heat

Array = NDArray[np.float64]

NEAREST_M = 0.3
FARTHEST_M = 30.0
_STEP_M = 0.05
FURNITURE_M = 1.0
"""Things rest on the floor or on furniture up to this height, unless they hang on a wall [m]."""
_DEPTH_M = 0.5
"""A thing lies within this behind the front that the lidar sees [m]: a suitcase, a trolley, a bin."""
_FLOOR_RELATIVE = 0.12
"""Of the distance to the floor: half a degree of pitch and a pixel of the region's edge, at 1.4 m above it [1]."""
_BEARING_RAD = math.radians(2.0)
"""Heading of the localised robot, camera mount, and the transform's age [rad]."""
_OWN_SIZE_M = 0.1
_BEAM_RAD = math.radians(1.5)
"""A beam that passes so close to the region's edges still belongs to it [rad]."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a thing is.

    Attributes:
        position: x, y, z in `map` [m].
        covariance: Of x, y, z, shape (3, 3) [m²].
        distance_m: From the camera, on the floor [m].
    """

    position: tuple[float, float, float]
    covariance: Array
    distance_m: float

    @property
    def spread_m(self) -> float:
        """Largest standard deviation on the floor [m]."""
        return math.sqrt(float(np.linalg.eigvalsh(self.covariance[:2, :2])[-1]))


@dataclass(frozen=True)
class View:
    """A region as directions in `map`.

    Attributes:
        camera: x, y, z of the optical centre [m].
        azimuth: Of the region's middle [rad].
        half_width: From there to its edges [rad].
        slope: Height gained per distance on the floor, middle of the region [1].
        lowest_slope: The same of its lowest corner [1].
    """

    camera: Array
    azimuth: float
    half_width: float
    slope: float
    lowest_slope: float


def view_of(box: tuple[int, int, int, int], lens: Lens, to_map: Callable[[Array], Array]) -> View:
    """Directions of a region.

    Args:
        box: Left, upper, width, height [px], however the camera is turned.
        lens: Of the camera.
        to_map: Takes points (n, 3) of the optical frame (z forward, REP-103) to `map`.
    """
    left, upper, width, height = box
    us = np.array([left + width / 2, left, left + width, left, left + width]) - 0.5
    vs = np.array([upper + height / 2, upper, upper, upper + height, upper + height]) - 0.5
    rays = np.stack([(us - lens.cx) / lens.fx, (vs - lens.cy) / lens.fy, np.ones(5)], axis=1)
    points = to_map(np.concatenate([np.zeros((1, 3)), rays]))
    away = points[1:] - points[0]
    flat = np.maximum(np.hypot(away[:, 0], away[:, 1]), 1e-6)
    azimuths, slopes = np.arctan2(away[:, 1], away[:, 0]), away[:, 2] / flat
    apart = np.abs(_turn(azimuths[1:] - azimuths[0]))
    return View(points[0], float(azimuths[0]), float(apart.max()), float(slopes[0]), float(slopes.min()))


def place_of(view: View, background: Background | None, returns: Array | None) -> Place | None:
    """Where the thing of a region is, or None when nothing known could bear it.

    Args:
        view: The region.
        background: The map; None while there is none: walls are then unknown.
        returns: Lidar returns (n, 2) in `map` [m], NaN where there was none; None without a lidar.
    """
    distances, towards = np.arange(NEAREST_M, FARTHEST_M, _STEP_M), _direction(view.azimuth)
    floor_m = -view.camera[2] / view.lowest_slope if view.lowest_slope < -1e-3 else math.inf
    bears = np.abs(distances - floor_m) <= _FLOOR_RELATIVE * floor_m if floor_m < FARTHEST_M else distances < 0.0
    nearest_m, farthest_m = _reach(view, floor_m)
    if background is not None:
        line = view.camera[:2] + distances[:, None] * towards
        inside = background.contains(line)
        solid = background.covers(line) & inside
        # Beyond the map's edge nothing is known, and a building ends there.
        within = np.logical_and.accumulate(inside)
        bears = (bears | (solid & (distances >= nearest_m))) & within
    front_m = _front(view, background, returns, farthest_m)
    if math.isfinite(front_m):
        bears = (bears | (distances <= front_m + _DEPTH_M)) & (distances >= front_m)
    chosen = distances[bears & (distances <= farthest_m * (1.0 + _FLOOR_RELATIVE))]
    if not len(chosen):
        return None
    return _place(view, towards, float(chosen.mean()), float(chosen.std()))


def _reach(view: View, floor_m: float) -> tuple[float, float]:
    """Nearest and farthest distance that a thing on floor or furniture can have [m]."""
    if not math.isfinite(floor_m):
        return NEAREST_M, FARTHEST_M
    on_furniture = floor_m * (1.0 - FURNITURE_M / view.camera[2]) if view.camera[2] > FURNITURE_M else NEAREST_M
    return max(on_furniture, NEAREST_M), min(floor_m, FARTHEST_M)


def _front(view: View, background: Background | None, returns: Array | None, farthest_m: float) -> float:
    """Distance of what stands in the region's direction and is not in the map [m]; infinite when there is nothing."""
    if returns is None:
        return math.inf
    seen = returns[np.isfinite(returns[:, 0])]
    if background is not None and len(seen):
        seen = seen[~background.covers(seen)]
    away = seen - view.camera[:2]
    apart = np.abs(_turn(np.arctan2(away[:, 1], away[:, 0]) - view.azimuth))
    ranges = np.hypot(away[:, 0], away[:, 1])[apart <= view.half_width + _BEAM_RAD]
    ranges = ranges[(ranges >= NEAREST_M) & (ranges <= farthest_m)]
    return float(np.median(ranges)) if len(ranges) else math.inf


def _place(view: View, towards: Array, distance_m: float, along_m: float) -> Place:
    along = math.hypot(along_m, _OWN_SIZE_M)
    across = math.hypot(distance_m * _BEARING_RAD, _OWN_SIZE_M)
    axes = np.array([[towards[0], -towards[1], 0.0], [towards[1], towards[0], 0.0], [view.slope, 0.0, 1.0]])
    covariance = axes @ np.diag([along**2, across**2, across**2]) @ axes.T
    x, y = view.camera[:2] + distance_m * towards
    height = max(float(view.camera[2]) + view.slope * distance_m, 0.0)
    return Place((float(x), float(y), height), covariance, distance_m)


def in_view(place: Place, lens: Lens, shape: tuple[int, int], camera: Transform, returns: Array | None) -> bool:
    """Whether the camera sees a place: within the picture, with a twentieth of it as margin, and nothing before it.

    Args:
        place: In `map`.
        lens: Of the camera.
        shape: Height and width of the picture [px].
        camera: The optical frame in `map`.
        returns: Lidar returns (n, 2) in `map` [m], NaN where there was none; None without a lidar.
    """
    x, y, z = camera.inverse().apply(np.array([place.position]))[0]
    if z < NEAREST_M / 2:
        return False
    u, v = (lens.cx + lens.fx * x / z) / shape[1], (lens.cy + lens.fy * y / z) / shape[0]
    if not (0.05 <= u <= 0.95 and 0.05 <= v <= 0.95):
        return False
    if returns is None:
        return True
    where = np.array([place.position[:2]])
    return not hidden_behind(where, camera.translation[:2], returns, _OWN_SIZE_M + 2.0 * place.spread_m)[0]


class PlaceMemory:
    """Keeps warnings apart by place: what comes back into view where it went out of it is the same thing."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Heat, Place | None]] = {}
        self._away: set[int] = set()
        self._subjects: dict[int, int] = {}

    def raised(self, number: int, heat: Heat, place: Place | None) -> int:
        """Take a warning that came up; return the number that its thing has had, if it was seen before."""
        subject = number
        for known in sorted(self._away) if place is not None else ():
            known_heat, before = self._known[known]
            if known_heat is heat and before is not None and place is not None and _same(before, place):
                subject = known
                break
        self._away.discard(subject)
        self._subjects[number], self._known[subject] = subject, (heat, place)
        return subject

    def place(self, number: int) -> Place | None:
        """Place of a warning as it was told."""
        return self._known[self._subjects[number]][1] if number in self._subjects else None

    def ended(self, number: int, cleared: bool) -> int:
        """Take the end of a warning, which leaves its thing where it was unless it is cleared; return its number."""
        subject = self._subjects.pop(number, number)
        if cleared:
            self._known.pop(subject, None)
        elif subject in self._known:
            self._away.add(subject)
        return subject


def _same(first: Place, second: Place) -> bool:
    apart = math.dist(first.position[:2], second.position[:2])
    return apart <= max(2.0 * math.hypot(first.spread_m, second.spread_m), 3 * _OWN_SIZE_M)


def _direction(azimuth: float) -> Array:
    return np.array([math.cos(azimuth), math.sin(azimuth)])


def _turn(angles: Array) -> Array:
    """Angles within -π … π."""
    return np.asarray((angles + math.pi) % (2 * math.pi) - math.pi)
