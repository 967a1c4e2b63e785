"""How far a straight line runs through walls of an occupancy grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Walls:
    """An occupancy grid as attenuator.

    Attributes:
        solid: occupied cells, shape (rows, columns); row 0 at the smallest y.
        resolution_m: side of a cell [m].
        origin_m: x and y of the corner of cell (0, 0) [m].
    """

    solid: NDArray[np.bool_]
    resolution_m: float
    origin_m: tuple[float, float]

    def lengths_m(self, starts: Floats, ends: Floats, reach_m: float = 8.0) -> Floats:
        """Length inside solid cells of the lines from each start (n, 2) to each end (m, 2) [m]; shape (n, m).

        The lines are sampled once a cell. Lines longer than ``reach_m`` count as free: so far away the inverse square
        has taken what a wall could take, and following them would cost nearly all of the time.
        """
        delta = ends[None, :, :] - starts[:, None, :]
        distance: Floats = np.asarray(np.sqrt((delta**2).sum(axis=2)))
        lengths = np.zeros(distance.shape)
        near = distance <= reach_m
        if not self.solid.any() or not near.any():
            return lengths
        first, way = np.broadcast_to(starts[:, None, :], delta.shape)[near], delta[near]
        steps = max(1, int(np.ceil(distance[near].max() / self.resolution_m)))
        inside = np.zeros(len(way))
        for share in (np.arange(steps) + 0.5) / steps:  # a few dozen steps, each over all lines at once
            inside += self._is_solid(first + share * way)
        lengths[near] = inside * distance[near] / steps
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


def no_walls() -> Walls:
    """Return walls that attenuate nothing."""
    return Walls(np.zeros((1, 1), bool), 1.0, (0.0, 0.0))
