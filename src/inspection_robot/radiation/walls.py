"""How far a straight line runs through walls of an occupancy grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RAY_GAP_M: Final = 0.25  # between rays at the farthest place
MOST_RAYS: Final = 720


@dataclass(frozen=True)
class Walls:
    """An occupancy grid as attenuator.

    Attributes:
        solid: occupied cells, shape (rows, columns); row 0 at the smallest y.
        resolution_m: side of a cell [m].
        origin_m: x and y of the corner of cell (0, 0) [m].
        shares: how much of a cell attenuates, 0 for a low table, 1 for a full wall; shape (rows, columns); all of every
            solid cell when None.
    """

    solid: NDArray[np.bool_]
    resolution_m: float
    origin_m: tuple[float, float]
    shares: Floats | None = None

    @cached_property
    def parts(self) -> NDArray[np.int32]:
        """Number of the obstacle that each cell belongs to, cells that touch are one; 0 is free; (rows, columns)."""
        _, labels = cv2.connectedComponents(self.solid.astype(np.uint8), connectivity=8)
        return np.asarray(labels, np.int32)

    def with_shares(self, shares: Floats) -> Walls:
        """Return the walls with one share of attenuation for each obstacle, (parts,); that of 0 is not used."""
        return replace(self, shares=np.where(self.solid, shares[self.parts], 0.0))

    def lengths_m(self, places: Floats, viewpoints: Floats, reach_m: float = math.inf) -> Floats:
        """Length inside solid cells of the lines from each viewpoint (m, 2) to each place (n, 2) [m]; shape (n, m).

        Many places: from every viewpoint rays are followed once, a cell at a time, and each place takes the length of
        the nearest ray up to its distance. Few places: each line is followed. What lies beyond ``reach_m`` from the
        viewpoint is not looked at.
        """
        lengths = np.zeros((len(places), len(viewpoints)))
        if not self.solid.any() or not lengths.size:
            return lengths
        image = (self.solid if self.shares is None else self.shares).astype(np.float32)
        for column, (x, y) in enumerate(viewpoints):  # one at a time: the rays of all viewpoints would not fit
            way_x, way_y = places[:, 0] - x, places[:, 1] - y
            distance = np.hypot(way_x, way_y)
            steps = max(1, math.ceil(min(float(distance.max()), reach_m) / self.resolution_m))
            rays = min(MOST_RAYS, math.ceil(2.0 * math.pi * steps * self.resolution_m / RAY_GAP_M))
            if len(places) <= rays:
                angle, ray = np.arctan2(way_y, way_x), np.arange(len(places))
            else:
                angle = 2.0 * math.pi / rays * np.arange(rays)
                ray = np.rint(np.arctan2(way_y, way_x) / (2.0 * math.pi) * rays).astype(np.int64) % rays
            along = (np.arange(steps) + 0.5) * self.resolution_m
            up_to = np.zeros((len(angle), steps + 1), np.float32)
            inside = self._along(image, x + np.outer(np.cos(angle), along), y + np.outer(np.sin(angle), along))
            np.cumsum(inside, axis=1, out=up_to[:, 1:])
            step = np.minimum(np.rint(distance / self.resolution_m).astype(np.int64), steps)
            lengths[:, column] = up_to[ray, step] * self.resolution_m
        return lengths

    def lengths_by_part_m(self, place: Floats, viewpoints: Floats) -> Floats:
        """Length inside each obstacle of the lines from a place (2,) to viewpoints (m, 2) [m]; shape (m, parts)."""
        way = place - viewpoints
        distance = np.hypot(way[:, 0], way[:, 1])
        steps = max(1, math.ceil(float(distance.max()) / self.resolution_m))
        along = (np.arange(steps) + 0.5) / steps
        x, y = (viewpoints[:, [i]] + np.outer(way[:, i], along) for i in (0, 1))
        part = self._along(self.parts.astype(np.float32), x, y).astype(np.int64)
        count = int(self.parts.max()) + 1
        line = np.repeat(np.arange(len(viewpoints)), steps)
        cells = np.bincount(line * count + part.ravel(), minlength=len(viewpoints) * count)
        lengths: Floats = cells.reshape(len(viewpoints), count) * (distance / steps)[:, None]
        lengths[:, 0] = 0.0
        return lengths

    def is_free(self, points: Floats) -> NDArray[np.bool_]:
        """Whether points (n, 2) lie in the grid and in no solid cell; shape (n,)."""
        column, row = self._cells(points)
        inside = (column >= 0) & (row >= 0) & (column < self.solid.shape[1]) & (row < self.solid.shape[0])
        return np.asarray(inside & ~self._is_solid(points))

    def _cells(self, points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        cells = np.floor((points - np.array(self.origin_m)) / self.resolution_m).astype(np.int64)
        return cells[..., 0], cells[..., 1]

    def _is_solid(self, points: Floats) -> NDArray[np.bool_]:
        column, row = self._cells(points)
        inside = (column >= 0) & (row >= 0) & (column < self.solid.shape[1]) & (row < self.solid.shape[0])
        rows, columns = np.where(inside, row, 0), np.where(inside, column, 0)
        return np.asarray(inside & self.solid[rows, columns])

    def _along(self, image: NDArray[np.float32], x: Floats, y: Floats) -> NDArray[np.float32]:
        """Value of an image of the cells at points given by x and y, each (lines, steps) [m]; 0 outside of it."""
        column = ((x - self.origin_m[0]) / self.resolution_m - 0.5).astype(np.float32)
        row = ((y - self.origin_m[1]) / self.resolution_m - 0.5).astype(np.float32)
        values = cv2.remap(image, column, row, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0.0)
        return np.asarray(values, np.float32)


def no_walls() -> Walls:
    """Return walls that attenuate nothing."""
    return Walls(np.zeros((1, 1), bool), 1.0, (0.0, 0.0))
