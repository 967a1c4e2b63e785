"""To whom a finding belongs: probabilities over the tracks near it, and over nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GATE = 9.21
"""Squared Mahalanobis distance of a 2-D Gaussian at 99 % (chi-square, 2 degrees of freedom)."""
CLUTTER_DENSITY = 0.02
"""Findings that belong to no track, one in so many square metres [1/m²]."""
DEFAULT_DEVIATION_M = 1.0
NEEDED = 0.9
"""A finding is laid to a track only at this probability."""


@dataclass(frozen=True)
class TrackPoint:
    """A track at one time: (x, y) in `map` [m], its covariance (2, 2) [m²] and the probability that it exists."""

    track: str
    position: NDArray[np.float64]
    covariance: NDArray[np.float64]
    existence: float = 1.0


def associate(
    position: tuple[float, float],
    covariance: tuple[tuple[float, float], tuple[float, float]] | None,
    tracks: Sequence[TrackPoint],
) -> Mapping[str, float]:
    """Probability of each track within the gate being the finding's subject; the empty name is nobody.

    A finding is either clutter, uniformly spread, or of exactly one track, Gaussian about it with the covariances of
    both (the single-measurement case of probabilistic data association, Bar-Shalom and Tse, 1975).

    Args:
        position: of the finding in `map` [m].
        covariance: of that position [m²]; one metre either way when not known.
        tracks: at the time of the finding.
    """
    spread = np.array(covariance) if covariance is not None else np.eye(2) * DEFAULT_DEVIATION_M**2
    weights = {"": CLUTTER_DENSITY}
    for track in tracks:
        total = spread + track.covariance
        determinant = float(np.linalg.det(total))
        if not np.isfinite(determinant) or determinant <= 0:
            continue
        gap = np.asarray(position) - track.position
        distance = float(gap @ np.linalg.solve(total, gap))
        if distance <= GATE:
            density = float(np.exp(-0.5 * distance) / (2 * np.pi * np.sqrt(determinant)))
            weights[track.track] = track.existence * density
    total_weight = sum(weights.values())
    return {name: weight / total_weight for name, weight in weights.items()}


def subject_of(probabilities: Mapping[str, float]) -> str:
    """The track a finding is laid to: the likeliest, when it is likely enough; else nobody."""
    name, probability = max(probabilities.items(), key=lambda item: item[1], default=("", 0.0))
    return name if probability >= NEEDED else ""
