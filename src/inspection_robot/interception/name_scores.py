"""Figures of merit of a score against labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def best_f1(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Highest F1 over all thresholds; equal scores stand on the same side of a threshold."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    ends = np.append(np.diff(scores[order]) != 0, True)
    called = np.arange(1, len(scores) + 1)
    return float((2.0 * hits / (called + labels.sum()))[ends].max())


def area_under_curve(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic: the Mann-Whitney statistic, ties counted half."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    ranks = rankdata(scores)[labels].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
