"""Read the temperature of a face: maxima at the inner canthi and over the face without the mouth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.thermal.faces import Face

CANTHUS_RADIUS = 0.13
"""Half the search window around an inner canthus, relative to the face's width: the medial canthal area is 10–15 mm of
about 140 mm, and the model's points are off by up to half that again [1]."""

MOUTH_RADIUS = 0.24
"""Around the mouth, relative to the face's width: an open mouth is the warmest part of 88 % of faces [1]."""


_SAMPLES = 48
"""Rows and columns of a face's surroundings that are looked at, at least: its quantile needs no more."""


_ENOUGH = 1024
"""Values from which a quantile is taken, at least."""


@dataclass(frozen=True)
class SiteReading:
    """Temperatures of one face in one frame, as the camera gives them [°C].

    Attributes:
        right_canthus: Maximum at the right inner canthus.
        left_canthus: Maximum at the left inner canthus.
        face: Maximum of the face without the mouth.
        median: Of the face without the mouth.
        contrast: Between the warmest and coolest twentieths of the middle of the face [K].
        sharpness: Steepest change a pixel relative to the contrast with the surroundings [1/px].
        surroundings: Median of the frame around the face.
        mouth: Median about the mouth: skin, or what covers it.
    """

    right_canthus: float
    left_canthus: float
    face: float
    median: float
    contrast: float
    sharpness: float
    surroundings: float
    mouth: float


def read_site(celsius: NDArray[np.float32], face: Face) -> SiteReading | None:
    """Read a face; None when its box covers nothing of the picture.

    Args:
        celsius: Picture, shape (height, width) [°C].
        face: Where, and which way up.
    """
    height, width = celsius.shape
    left, upper = max(int(face.x), 0), max(int(face.y), 0)
    right, lower = min(math.ceil(face.x + face.width), width), min(math.ceil(face.y + face.height), height)
    part = celsius[upper:lower, left:right]
    if part.shape[0] < 3 or part.shape[1] < 3:
        return None
    ys, xs = np.ogrid[upper:lower, left:right]
    centre_x, centre_y = face.centre
    radius = ((xs - centre_x) / (face.width / 2)) ** 2 + ((ys - centre_y) / (face.height / 2)) ** 2
    oval = radius <= 1.0
    mouth_x, mouth_y = (float(value) for value in face.points[2])
    # Downwards along the face: everything from the mouth on is left out, breath and chin included.
    down_x, down_y = math.sin(face.roll), math.cos(face.roll)
    below = (xs - mouth_x) * down_x + (ys - mouth_y) * down_y > 0
    near_mouth = (xs - mouth_x) ** 2 + (ys - mouth_y) ** 2 < (MOUTH_RADIUS * face.across) ** 2
    skin = part[oval & ~below & ~near_mouth]
    if skin.size < 4 or not (radius <= 0.5).any():
        return None
    around_mouth = part[near_mouth]
    canthi = [_warmest_near(celsius, float(x), float(y), CANTHUS_RADIUS * face.across) for x, y in face.points[:2]]
    face_maximum = max(_warmest(skin), *canthi)
    surroundings = _surroundings(celsius, (left, upper, right, lower))
    median = _quantile(_thinned(skin), 0.5)
    contrast = max(median - surroundings, 0.5)
    with_edge = celsius[max(upper - 2, 0) : lower + 2, max(left - 2, 0) : right + 2]
    steepest = max(float(np.abs(np.diff(with_edge, axis=axis)).max()) for axis in (0, 1))
    middle = _thinned(part[radius <= 0.5])
    coolest, warmest = _quantile(middle, 0.05), _quantile(middle, 0.95)
    return SiteReading(
        right_canthus=canthi[0], left_canthus=canthi[1], face=face_maximum, median=median,
        contrast=warmest - coolest, sharpness=steepest / contrast, surroundings=surroundings,
        mouth=_quantile(_thinned(around_mouth), 0.5) if around_mouth.size else math.nan,
    )  # fmt: skip


def _thinned(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every n-th of many values (n,): quantiles of a large face need no more of them than a small one has."""
    return values[:: max(values.size // _ENOUGH, 1)]


def _quantile(values: NDArray[np.float32], share: float) -> float:
    """Value below which a share of values (n,) lies, without interpolation: a tenth of the cost of numpy's."""
    rank = int(share * (values.size - 1) + 0.5)
    return float(np.partition(values, rank)[rank])


def _warmest(values: NDArray[np.float32]) -> float:
    """Maximum of a region: the mean of its warmest 2 %, so that the noise of one pixel does not decide."""
    count = max(int(0.02 * values.size), 1)
    return float(np.partition(values, values.size - count)[-count:].mean())


def _warmest_near(celsius: NDArray[np.float32], x: float, y: float, radius: float) -> float:
    """Maximum within a circle of at least 1 px; -inf outside the picture."""
    reach = max(radius, 1.0)
    upper, left = max(math.floor(y - reach), 0), max(math.floor(x - reach), 0)
    part = celsius[upper : math.ceil(y + reach) + 1, left : math.ceil(x + reach) + 1]
    ys, xs = np.ogrid[upper : upper + part.shape[0], left : left + part.shape[1]]
    inside = (xs - x) ** 2 + (ys - y) ** 2 <= reach**2
    return _warmest(part[inside]) if inside.any() else -math.inf


def _surroundings(celsius: NDArray[np.float32], box: tuple[int, int, int, int]) -> float:
    """Lower quartile of a frame half as wide as the face around it: clothes and neck are warmer than the room."""
    left, upper, right, lower = box
    margin_x, margin_y = (right - left) // 2, (lower - upper) // 2
    around = celsius[max(upper - margin_y, 0) : lower + margin_y, max(left - margin_x, 0) : right + margin_x]
    step = max(min(around.shape) // _SAMPLES, 1)
    return _quantile(around[::step, ::step].ravel(), 0.15)
