"""What of the world is building: the occupancy grid of `map`, widened a little."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

OCCUPIED = 50
"""Cells from this probability [%] on are building (nav_msgs/OccupancyGrid)."""


@dataclass(frozen=True)
class Background:
    """Widened occupied cells.

    Attributes:
        occupied: (rows, columns) bool, row 0 at the smallest y.
        resolution_m: edge of a cell [m].
        origin: (x, y) of the lower left corner in `map` [m]; the grid is not turned.
    """

    occupied: NDArray[np.bool_]
    resolution_m: float
    origin: tuple[float, float]

    @staticmethod
    def from_grid(
        cells: NDArray[np.int8], resolution_m: float, origin: tuple[float, float], margin_m: float = 0.2
    ) -> Background:
        """Make it from a grid (rows, columns) of -1 (unknown) and 0..100 [%]."""
        radius = max(1, round(margin_m / resolution_m))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        wide = cv2.dilate((cells >= OCCUPIED).astype(np.uint8), kernel)
        return Background(wide.astype(bool), resolution_m, origin)

    def covers(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (n, 2) in `map` [m] are building; outside the grid everything is."""
        rows, columns, inside = self._cells(points)
        result = ~inside
        result[inside] = self.occupied[rows[inside], columns[inside]]
        return np.asarray(result)

    def contains(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (n, 2) in `map` [m] lie within the grid."""
        return self._cells(points)[2]

    def _cells(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        columns, rows = np.floor((points - np.array(self.origin)) / self.resolution_m).astype(np.int64).T
        inside = (rows >= 0) & (rows < self.occupied.shape[0]) & (columns >= 0) & (columns < self.occupied.shape[1])
        return rows, columns, np.asarray(inside)


def hidden_behind(
    tracks: NDArray[np.float64], scanner: NDArray[np.float64], points: NDArray[np.float64], tolerance_m: float = 0.35
) -> NDArray[np.bool_]:
    """Which tracks (n, 2) a scanner at (x, y) cannot see, because a return in their direction is nearer.

    Args:
        tracks: places in `map` [m].
        scanner: (2,) in `map` [m].
        points: (m, 2) returns in `map` [m]; NaN where there was none.
        tolerance_m: a body's own returns lie this much before its middle [m].
    """
    seen = points[np.isfinite(points[:, 0])] - scanner
    if not len(seen) or not len(tracks):
        return np.zeros(len(tracks), bool)
    bearings, ranges = np.arctan2(seen[:, 1], seen[:, 0]), np.linalg.norm(seen, axis=1)
    away = tracks - scanner
    bearing, distance = np.arctan2(away[:, 1], away[:, 0]), np.linalg.norm(away, axis=1)
    apart = np.abs((bearings[None, :] - bearing[:, None] + np.pi) % (2 * np.pi) - np.pi)
    width = np.arctan2(0.15, np.maximum(distance, 0.2))[:, None]
    towards = apart < width
    nearer = towards & (ranges[None, :] < distance[:, None] - tolerance_m)
    return np.asarray(nearer.sum(axis=1) > 0.5 * np.maximum(towards.sum(axis=1), 1))
