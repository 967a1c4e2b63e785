"""A map layer of the count rate: what was measured where, smoothed over the distance a detector resolves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
UNKNOWN = -1
FULL_SCALE = 10.0  # rate, as a multiple of the background, that is drawn as 100
LEAST_SECONDS = 0.5


@dataclass(frozen=True)
class FieldGrid:
    """Geometry of the layer: resolution [m], origin (x, y) of the corner of cell (0, 0) [m], columns and rows."""

    resolution_m: float
    origin_m: tuple[float, float]
    columns: int
    rows: int


class FieldMap:
    """Counts and live time spread over the cells around each measurement by a Gaussian of ``reach_m`` [m]."""

    def __init__(self, grid: FieldGrid, reach_m: float = 0.7) -> None:
        self.grid = grid
        self._reach_m = reach_m
        self._counts = np.zeros((grid.rows, grid.columns))
        self._live_s = np.zeros((grid.rows, grid.columns))
        self._x = grid.origin_m[0] + grid.resolution_m * (np.arange(grid.columns) + 0.5)
        self._y = grid.origin_m[1] + grid.resolution_m * (np.arange(grid.rows) + 0.5)

    def add(self, x_m: float, y_m: float, counts: int, live_s: float) -> None:
        """Add a measurement; one outside the grid is left out."""
        reach = 3.0 * self._reach_m
        columns = np.flatnonzero(np.abs(self._x - x_m) <= reach)
        rows = np.flatnonzero(np.abs(self._y - y_m) <= reach)
        if not len(columns) or not len(rows):
            return
        part = np.ix_(rows, columns)
        weight = np.outer(
            np.exp(-0.5 * ((self._y[rows] - y_m) / self._reach_m) ** 2),
            np.exp(-0.5 * ((self._x[columns] - x_m) / self._reach_m) ** 2),
        )
        self._counts[part] += weight * counts
        self._live_s[part] += weight * live_s

    def rates_cps(self) -> Floats:
        """Smoothed rate [1/s] of every cell, NaN where nothing was measured; shape (rows, columns)."""
        known = self._live_s >= LEAST_SECONDS
        return np.where(known, self._counts / np.where(known, self._live_s, 1.0), np.nan)

    def cells(self, background_cps: float) -> NDArray[np.int8]:
        """Occupancy values: 0 at the background and below, 100 at ten times it, logarithmic; -1 unknown."""
        rates = self.rates_cps()
        if not background_cps > 0.0:
            return np.full(rates.shape, UNKNOWN, np.int8)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = 100.0 * np.log(rates / background_cps) / np.log(FULL_SCALE)
        return np.where(np.isnan(rates), UNKNOWN, np.clip(np.nan_to_num(level, neginf=0.0), 0, 100)).astype(np.int8)
