"""Without a heated reference: the camera's offset from the people who pass, robustly.

Most people have no fever, so the median of many is known better than the camera. It never starts from the first
person, as one commercial product does: until enough people were seen there is no reading, and readings say that it is
in use.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

MEDIAN_CORE_CELSIUS = 37.09
"""Median that the mapping gives in a population at rest (FDA/PhysioNet table, 1,020 people, 11 % febrile) [°C]."""


@dataclass(frozen=True)
class Baseline:
    """Offset to add to readings, and its standard uncertainty [K]."""

    offset_c: float
    standard_uncertainty_c: float


class PopulationBaseline:
    """Median over the last people read without a reference."""

    def __init__(self, least_people: int = 10, window_people: int = 60) -> None:
        self._least = least_people
        self._readings: deque[float] = deque(maxlen=window_people)

    def add(self, core_celsius: float) -> None:
        """Take one person's uncorrected reading [°C]; one per person, or the slow walker counts more."""
        self._readings.append(core_celsius)

    @property
    def current(self) -> Baseline | None:
        """The baseline, or None while too few people were seen."""
        if len(self._readings) < self._least:
            return None
        values = np.array(self._readings)
        median = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(values - median)))
        # Standard error of a median, and 0.2 K for what a population's own median may differ.
        uncertainty = float(np.hypot(1.2533 * max(spread, 0.2) / np.sqrt(len(values)), 0.2))
        return Baseline(MEDIAN_CORE_CELSIUS - median, uncertainty)
