"""Poisson maximum likelihood of a source's activity and the background, for many hypotheses about the source at once.

The model is λ = A k + b t: activity A [MBq], expected counts k of each measurement for 1 MBq, background rate b [1/s]
and live time t [s]. A hypothesis is a place, or a person's track.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FLOOR = 1e-9


@dataclass(frozen=True)
class SourceFit:
    """Result for every hypothesis, each of shape (hypotheses,).

    Attributes:
        log_likelihood: up to a constant common to all hypotheses.
        activity_mbq: activity [MBq].
        activity_deviation_mbq: one standard deviation of it [MBq].
        background_cps: background rate [1/s].
    """

    log_likelihood: Floats
    activity_mbq: Floats
    activity_deviation_mbq: Floats
    background_cps: Floats


ROUNDS = 7  # of Fisher scoring; the likelihood has settled by then


def fit_sources(counts: Floats, live_s: Floats, kernels: Floats, fixed: Floats | None = None) -> SourceFit:
    """Fit activity and background for every hypothesis by Fisher scoring, with A >= 0 and b > 0.

    Args:
        counts: shape (measurements,).
        live_s: live times [s], shape (measurements,).
        kernels: expected counts for 1 MBq, shape (hypotheses, measurements).
        fixed: counts expected from other sources, shape (measurements,).
    """
    base = np.zeros_like(counts) if fixed is None else fixed
    target = counts - base
    total_s = live_s.sum()
    b = np.full(len(kernels), max(float(target.sum()), 1.0) / total_s)
    a = np.zeros(len(kernels))
    expected = base + np.maximum(b[:, None] * live_s, FLOOR)
    determinant, tt = np.ones(len(kernels)), np.ones(len(kernels))
    for _ in range(ROUNDS):
        weight = 1.0 / expected
        weighted = weight * kernels
        kk = (weighted * kernels).sum(axis=1)
        kt = weighted @ live_s
        tt = weight @ live_s**2
        kn = weighted @ target
        tn = weight @ (live_s * target)
        determinant = np.maximum(kk * tt - kt**2, 1e-12 * kk * tt + 1e-300)
        a = np.maximum((tt * kn - kt * tn) / determinant, 0.0)
        b = np.maximum((tn - a * kt) / tt, 0.02 * counts.sum() / total_s + FLOOR)
        expected = np.maximum(base + a[:, None] * kernels + b[:, None] * live_s, FLOOR)
    likelihood = np.log(expected) @ counts - expected.sum(axis=1)
    return SourceFit(likelihood, a, np.sqrt(tt / determinant), b)


def screen_sources(counts: Floats, live_s: Floats, kernels: Floats, fixed: Floats) -> Floats:
    """Score test of every hypothesis: standard deviations of the excess its kernel picks up; shape (hypotheses,)."""
    rate = max(float((counts - fixed).sum()), 1.0) / live_s.sum()
    expected = fixed + rate * live_s + FLOOR
    excess = kernels @ ((counts - expected) / expected)
    spread = np.sqrt(kernels**2 @ (1.0 / expected) - (kernels.sum(axis=1)) ** 2 / expected.sum() + FLOOR)
    return np.asarray(excess / np.maximum(spread, FLOOR))


def background_log_likelihood(counts: Floats, live_s: Floats, fixed: Floats | None = None) -> float:
    """Log-likelihood of a constant background (and of what is fixed) without a further source."""
    return float(fit_sources(counts, live_s, np.full((1, len(counts)), FLOOR), fixed).log_likelihood[0])
