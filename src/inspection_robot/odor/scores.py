"""Figures by which recognition is judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def area_under_roc(negatives: Floats, positives: Floats) -> float:
    """Probability that a positive scores above a negative, ties counted half (Mann-Whitney)."""
    ranks = rankdata(np.concatenate([negatives, positives]))
    above = ranks[len(negatives) :].sum() - len(positives) * (len(positives) + 1) / 2
    return float(above / (len(negatives) * len(positives)))


def calibration_error(probabilities: Floats, right: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error: mean |stated probability − share right| over equal-width bins, weighted by count.

    Source: Naeini et al. 2015 (AAAI).
    """
    place = np.minimum((probabilities * bins).astype(np.intp), bins - 1)
    stated = np.bincount(place, weights=probabilities, minlength=bins)
    found = np.bincount(place, weights=right.astype(np.float64), minlength=bins)
    return float(np.abs(stated - found).sum() / len(probabilities))
