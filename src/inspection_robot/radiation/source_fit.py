"""Maximum likelihood of a source's activity and the background, for many hypotheses about the source at once.

The model is λ = A k + b t: activity A [MBq], expected counts k of each measurement for 1 MBq, background rate b [1/s]
and live time t [s]. A hypothesis is a place, or a person's track. Counts are Poisson; where the source's own counts
outweigh chance, what is not known of walls and poses decides instead: then they are negative binomial, of variance
``λ + λ²/K`` (Hilbe, Negative Binomial Regression, 2011).
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


def negative_binomial_shape(counts: Floats, live_s: Floats, model_fault: float) -> Floats:
    """K of each measurement when the source's share of its counts is uncertain by ``model_fault``; shape (n,)."""
    rates = counts / np.maximum(live_s, FLOOR)
    background = np.quantile(rates, 0.2) * live_s
    share = np.maximum(counts - background, 0.0) / np.maximum(counts, 1.0)
    return np.asarray(1.0 / np.maximum(model_fault * share, 1e-3) ** 2)


def fit_sources(
    counts: Floats, live_s: Floats, kernels: Floats, fixed: Floats | None = None, shape: Floats | None = None
) -> SourceFit:
    """Fit activity and background for every hypothesis by Fisher scoring, with A >= 0 and b > 0.

    Where several kernels of a hypothesis are given, each measurement has one of them, nobody knows which: the
    likelihood is their mean, and the scoring weighs them by how well they explain the count (Dempster et al. 1977).

    Args:
        counts: shape (measurements,).
        live_s: live times [s], shape (measurements,).
        kernels: expected counts for 1 MBq, shape (hypotheses, measurements) or (choices, hypotheses, measurements).
        fixed: counts expected from other sources, shape (measurements,).
        shape: K of each measurement, see :func:`negative_binomial_shape`; Poisson when None.
    """
    choices = kernels if kernels.ndim == 3 else kernels[None]
    base = np.zeros_like(counts) if fixed is None else fixed
    target = counts - base
    total_s = live_s.sum()
    hypotheses = choices.shape[1]
    b = np.full(hypotheses, max(float(target.sum()), 1.0) / total_s)
    a = np.zeros(hypotheses)
    expected = np.maximum(base + b[:, None] * live_s + 0.0 * choices, FLOOR)
    chosen = np.full(choices.shape, 1.0 / len(choices))
    determinant, tt = np.ones(hypotheses), np.ones(hypotheses)
    for _ in range(ROUNDS):
        weight = chosen / (expected if shape is None else expected + expected**2 / shape)
        weighted = weight * choices
        kk = (weighted * choices).sum(axis=(0, 2))
        kt = (weighted @ live_s).sum(axis=0)
        tt = (weight @ live_s**2).sum(axis=0)
        kn = (weighted @ target).sum(axis=0)
        tn = (weight @ (live_s * target)).sum(axis=0)
        determinant = np.maximum(kk * tt - kt**2, 1e-12 * kk * tt + 1e-300)
        a = np.maximum((tt * kn - kt * tn) / determinant, 0.0)
        b = np.maximum((tn - a * kt) / tt, 0.02 * counts.sum() / total_s + FLOOR)
        expected = np.maximum(base + a[:, None] * choices + b[:, None] * live_s, FLOOR)
        values = log_likelihood(counts, expected, shape)
        if len(choices) > 1:
            chosen = np.exp(values - values.max(axis=0))
            chosen /= chosen.sum(axis=0)
    top = values.max(axis=0)
    likelihood = (top + np.log(np.exp(values - top).mean(axis=0))).sum(axis=1)
    return SourceFit(likelihood, a, np.sqrt(tt / determinant), b)


def log_likelihood(counts: Floats, expected: Floats, shape: Floats | None) -> Floats:
    """Log-likelihood of every measurement up to a constant."""
    if shape is None:
        return np.asarray(counts * np.log(expected) - expected)
    return np.asarray(counts * np.log(expected) - (counts + shape) * np.log1p(expected / shape))


def screen_sources(
    counts: Floats, live_s: Floats, kernels: Floats, fixed: Floats, shape: Floats | None = None
) -> Floats:
    """Quick test of every hypothesis: chi-square that it takes by weighted least squares; shape (hypotheses,).

    Variances are those of the counts themselves, but none below half their mean.
    """
    smooth = np.maximum(counts, 0.5 * counts.mean()) + 1.0
    variance = smooth if shape is None else smooth + smooth**2 / shape
    weight = 1.0 / variance
    target = counts - fixed
    kk, kt, tt = kernels**2 @ weight, kernels @ (weight * live_s), weight @ live_s**2
    kn, tn = kernels @ (weight * target), weight @ (live_s * target)
    determinant = np.maximum(kk * tt - kt**2, 1e-12 * kk * tt + 1e-300)
    activity = np.maximum((tt * kn - kt * tn) / determinant, 0.0)
    return np.asarray(activity**2 * determinant / tt)


def background_log_likelihood(
    counts: Floats, live_s: Floats, fixed: Floats | None = None, shape: Floats | None = None
) -> float:
    """Log-likelihood of a constant background (and of what is fixed) without a further source."""
    return float(fit_sources(counts, live_s, np.full((1, len(counts)), FLOOR), fixed, shape).log_likelihood[0])
