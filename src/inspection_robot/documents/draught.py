"""A ship's draught from a picture of its marks: where the water meets the hull, on the scale of two known marks.

The marks themselves are pointed out by an officer or by an earlier picture (their metres stand on the hull); what is
measured here is the waterline, which waves move and eyes round. Limits, stated with every reading: calm water between
the marks, marks no more than 30° from upright, hull and water that differ in brightness. A surveyor's average of six
readings (forward, midship, aft on both sides) is not replaced by one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.documents.images import Gray

MARK_READING_PX = 1.5
"""Standard deviation of a pointed-out mark's lower edge, pixels: by judgement."""
LEAST_CONTRAST = 3.0
"""Hull and water must differ by so many standard errors of their rows, else there is no reading."""


class DraughtError(Exception):
    """No reading; the text says why."""


@dataclass(frozen=True)
class Mark:
    """A draught mark: lower edge (x, y) in the picture [px] and the draught it stands for [m]."""

    x: float
    y: float
    draught_m: float


@dataclass(frozen=True)
class DraughtReading:
    """The draught at the marks.

    Attributes:
        draught_m: [m].
        uncertainty_m: one standard deviation, of waves, marks and scale [m].
        waterline_px: distance from the first mark along the line of marks, downwards [px].
        frames: pictures averaged.
    """

    draught_m: float
    uncertainty_m: float
    waterline_px: float
    frames: int


def read_draught(pictures: Sequence[Gray], marks: tuple[Mark, Mark], half_width_px: int = 25) -> DraughtReading:
    """Read the draught from pictures of one camera position, taken over some seconds of waves.

    Args:
        pictures: (rows, columns) uint8 each.
        marks: two marks, the upper one first.
        half_width_px: columns on either side of the line of marks that are looked at.

    Raises:
        DraughtError: no pictures, marks that are no scale, or no waterline below the upper mark.
    """
    if not pictures:
        raise DraughtError("no pictures")
    upper, lower = marks
    first, second = np.array([upper.x, upper.y]), np.array([lower.x, lower.y])
    length = float(np.linalg.norm(second - first))
    if length < 10 or second[1] <= first[1] or upper.draught_m <= lower.draught_m:
        raise DraughtError("the marks are no scale: the upper one must stand higher and for the greater draught")
    down = (second - first) / length
    if down[1] < np.cos(np.deg2rad(30)):
        raise DraughtError("the marks lean more than 30 degrees")
    lines = [line for picture in pictures if (line := _waterline(picture, first, down, half_width_px)) is not None]
    if not lines:
        raise DraughtError("hull and water do not differ below the upper mark")
    heights = np.array([height for height, _ in lines])
    within = float(np.mean([spread**2 for _, spread in lines])) / len(lines)
    between = float(np.var(heights, ddof=1)) / len(lines) if len(lines) > 1 else 0.0
    waterline = float(heights.mean())
    metres_per_px = (upper.draught_m - lower.draught_m) / length
    along = waterline / length
    # Errors of the two marks reach the waterline by how far it lies along the scale.
    of_marks = MARK_READING_PX * np.hypot(1.0 - along, along)
    single = 0.25 * np.sqrt(np.mean([spread**2 for _, spread in lines])) if len(lines) == 1 else 0.0
    sigma = float(np.sqrt(within + between + of_marks**2 + single**2)) * metres_per_px
    return DraughtReading(upper.draught_m - waterline * metres_per_px, sigma, waterline, len(lines))


def _waterline(
    picture: Gray, first: NDArray[np.float64], down: NDArray[np.float64], half_width: int
) -> tuple[float, float] | None:
    """Distance of the waterline from the first mark and its standard deviation over the columns [px].

    In every column the water begins where splitting the brightness in two leaves the least variance (Otsu's criterion
    along a line); the median of the columns is the waterline.
    """
    reach = int(picture.shape[0] * 1.2)
    across = np.array([down[1], -down[0]])
    steps, offsets = np.arange(0, reach), np.arange(-half_width, half_width + 1)
    x = first[0] + steps[:, None] * down[0] + offsets[None, :] * across[0]
    y = first[1] + steps[:, None] * down[1] + offsets[None, :] * across[1]
    inside = (x.min(axis=1) >= 0) & (x.max(axis=1) < picture.shape[1] - 1) & (y.max(axis=1) < picture.shape[0] - 1)
    rows = int(inside.argmin()) if not inside.all() else len(inside)
    if rows < 20:
        return None
    values = picture[np.round(y[:rows]).astype(int), np.round(x[:rows]).astype(int)].astype(np.float64)
    count = np.arange(1, rows)[:, None]
    total = np.cumsum(values, axis=0)
    above = total[:-1] / count
    below = (total[-1] - total[:-1]) / (rows - count)
    gain = count * (rows - count) / rows**2 * (above - below) ** 2  # variance between the two parts
    edge = 3
    split = gain[edge:-edge].argmax(axis=0) + edge + 1
    middle = float(np.median(split))
    cut = round(middle)
    upper, lower = values[:cut].mean(axis=1), values[cut:].mean(axis=1)
    noise = np.sqrt(upper.var() / len(upper) + lower.var() / len(lower)) + 0.3
    if abs(upper.mean() - lower.mean()) < LEAST_CONTRAST * noise or abs(upper.mean() - lower.mean()) < 6.0:
        return None
    spread = 1.4826 * float(np.median(np.abs(split - middle)))
    return middle, max(spread / np.sqrt(len(offsets) / 5.0), 0.5)
