"""Without a heated reference: the camera's offset from the people who pass, robustly.

Most people have no fever, so the median of many is known better than the camera. It never starts from the first
person, as one commercial product does: until enough people were seen there is no reading, and readings say that it is
in use.
"""

from __future__ import annotations

import math
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


PEOPLE_C = 0.35
"""Standard deviation of healthy people's core temperature about the median [K]."""
POPULATION_C = 0.2
"""Standard deviation of the medians of populations [K]."""
LEAST_PEOPLE = 5
"""One person who reads 39.6 °C has a fever; where most of five do, the reference is not at what is stated."""
SAME_PERSON_S = 8.0
"""Readings that follow each other faster count once: somebody hidden for a moment gets a new track [s]."""
_LIMIT = 3.0


class Plausibility:
    """Holds the readings made with a reference against physiology: not everybody has a fever, or is cold.

    A reference that is colder than stated lifts every reading by the difference. The median of people tells, as far as
    it stands out from what their number, the camera's unevenness (common to all who stand in one place) and the
    reference's own uncertainty leave open.

    Args:
        common_uncertainty_c: Of readings, the part that does not average out over people [K].
        own_uncertainty_c: Of one reading, the part that does [K].
    """

    def __init__(self, common_uncertainty_c: float, own_uncertainty_c: float, window_people: int = 9) -> None:
        self._common = math.hypot(common_uncertainty_c, POPULATION_C)
        self._own = math.hypot(own_uncertainty_c, PEOPLE_C)
        self._readings: deque[float] = deque(maxlen=window_people)
        self._counted_s = -math.inf

    def add(self, core_celsius: float, time_s: float) -> None:
        """Take one person's reading and its time [°C, s]."""
        if time_s - self._counted_s >= SAME_PERSON_S:
            self._readings.append(core_celsius)
            self._counted_s = time_s

    @property
    def shift_c(self) -> float:
        """By how much people read too high (or, negative, too low) for the reference to be as stated; else 0 [K]."""
        count = len(self._readings)
        if count < LEAST_PEOPLE:
            return 0.0
        shift = float(np.median(self._readings)) - MEDIAN_CORE_CELSIUS
        limit = _LIMIT * math.hypot(self._common, 1.2533 * self._own / math.sqrt(count))
        return shift if abs(shift) > limit else 0.0
