"""Find linear bar codes in a picture and cut their intensity profiles, also where no decoder can read them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.documents.images import Gray

Profiles = NDArray[np.float32]


@dataclass(frozen=True)
class StripeRegion:
    """A rectangle filled with parallel stripes, in pixels of the picture it was found in.

    Attributes:
        centre: (x, y).
        direction: unit vector (x, y) across the stripes, the way a scanner reads.
        length: extent along `direction`.
        height: extent along the stripes.
    """

    centre: NDArray[np.float64]
    direction: NDArray[np.float64]
    length: float
    height: float

    def corners(self) -> NDArray[np.float32]:
        """(4, 2), clockwise from the start of the reading direction's upper side."""
        along, down = self.direction * self.length / 2, np.array([-self.direction[1], self.direction[0]])
        down = down * self.height / 2
        points = (-along - down, along - down, along + down, -along + down)
        return np.array([self.centre + point for point in points], np.float32)


def find_stripes(picture: Gray, limit: int = 3) -> list[StripeRegion]:
    """Find regions of parallel stripes, largest first.

    The structure tensor (Bigün and Granlund, 1987) of the locally normalised picture is coherent where all gradients
    run one way; coherent, busy pixels of one direction that hang together are a region.

    Args:
        picture: (rows, columns) uint8.
        limit: at most so many regions.
    """
    scale = min(1.0, 640.0 / max(picture.shape))
    small = picture
    if scale < 1.0:
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    if min(small.shape) < 16:
        return []
    values = small.astype(np.float32)
    mean = cv2.boxFilter(values, -1, (31, 31))
    deviation = np.sqrt(np.maximum(cv2.boxFilter(values * values, -1, (31, 31)) - mean * mean, 0.0))
    values = (values - mean) / (deviation + 3.0)
    across, down = cv2.Scharr(values, cv2.CV_32F, 1, 0), cv2.Scharr(values, cv2.CV_32F, 0, 1)
    window = (15, 15)
    xx, yy, xy = (cv2.boxFilter(product, -1, window) for product in (across * across, down * down, across * down))
    energy = xx + yy + 1e-6
    coherence = np.sqrt((xx - yy) ** 2 + 4.0 * xy * xy) / energy
    busy = (coherence > 0.55) & (energy > 0.25 * float(np.quantile(energy, 0.95)))
    mask = cv2.morphologyEx(busy.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask)
    order = np.argsort(-statistics[1:, cv2.CC_STAT_AREA])[:limit] + 1
    regions = []
    for label in order[: count - 1]:
        if statistics[label, cv2.CC_STAT_AREA] < 400:
            continue
        rows, columns = np.nonzero(labels == label)
        inside = (rows, columns)
        angle = 0.5 * np.arctan2(2.0 * float(xy[inside].sum()), float((xx[inside] - yy[inside]).sum()))
        direction = np.array([np.cos(angle), np.sin(angle)])
        points = np.stack([columns, rows], axis=1).astype(np.float64)
        along, aside = points @ direction, points @ np.array([-direction[1], direction[0]])
        ends, sides = np.quantile(along, (0.01, 0.99)), np.quantile(aside, (0.05, 0.95))
        centre = direction * ends.mean() + np.array([-direction[1], direction[0]]) * sides.mean()
        length, height = (ends[1] - ends[0]) / scale, (sides[1] - sides[0]) / scale
        regions.append(StripeRegion((centre + 0.5) / scale - 0.5, direction, length, height))
    return regions


def cut_profiles(picture: Gray, region: StripeRegion, samples: int, margin: float, bands: int = 6) -> Profiles:
    """Cut scan lines through a region, each averaged over its band.

    Args:
        picture: (rows, columns) uint8.
        region: where.
        samples: points along the region including the margins.
        margin: extra length on either side as a fraction of the region's length.
        bands: scan lines, evenly spread over the middle 80 % of the height.

    Returns:
        (bands, samples) float32, grey values.
    """
    rows_a_band = 4
    along = np.linspace(-0.5 - margin, 0.5 + margin, samples) * region.length
    aside = np.linspace(-0.4, 0.4, bands * rows_a_band) * region.height
    normal = np.array([-region.direction[1], region.direction[0]])
    x = region.centre[0] + along[None, :] * region.direction[0] + aside[:, None] * normal[0]
    y = region.centre[1] + along[None, :] * region.direction[1] + aside[:, None] * normal[1]
    cut = cv2.remap(
        picture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    averaged = cut.astype(np.float32).reshape(bands, rows_a_band, samples).mean(axis=1)
    return np.asarray(averaged, np.float32)
