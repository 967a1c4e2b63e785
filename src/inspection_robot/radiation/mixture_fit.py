"""Fit of one template and the background to a spectrum, for thousands of templates at once.

Counts are Poisson and the templates are wrong by some tenth: together a negative binomial of variance
``λ + λ²/SHAPE`` (Hilbe, Negative Binomial Regression, 2011). It is Poisson for few counts and asks for a relative
agreement of a tenth for many, so that a strong spectrum is not decided by the small faults of the response.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.response import BIN_CENTRES_KEV

Floats = NDArray[np.float64]

# Relative faults of the response: a tenth, and a quarter where every unit has its own threshold and window.
SHAPE: Final[Floats] = np.where(BIN_CENTRES_KEV < 45.0, 16.0, 100.0)
FLOOR: Final = 1e-6


@dataclass(frozen=True)
class Fit:
    """Result for every template.

    Attributes:
        deviance: negative-binomial deviance and the penalty of the background's scale, shape (templates,).
        source_counts: counts given to the template, shape (templates,).
        background_scale: factor on the expected background, shape (templates,).
        expected: expected counts, shape (templates, bins).
    """

    deviance: Floats
    source_counts: Floats
    background_scale: Floats
    expected: Floats


def deviance(counts: Floats, expected: Floats) -> Floats:
    """Negative-binomial deviance over the last axis."""
    expected = np.maximum(expected, FLOOR)
    own = np.where(counts > 0, counts * np.log(np.maximum(counts, 1e-12) / expected), 0.0)
    return np.asarray(2.0 * (own - (counts + SHAPE) * np.log((counts + SHAPE) / (expected + SHAPE))).sum(axis=-1))


def screen(counts: Floats, shapes: Floats, squares: Floats, background: Floats) -> Floats:
    """Chi-square of a least-squares fit of every template with weights from the data: a quick ranking.

    Args:
        counts: shape (bins,).
        shapes: shape (templates, bins).
        squares: their squares.
        background: expected background, shape (bins,).
    """
    smooth = np.convolve(counts, np.ones(5) / 5, "same") + 1.0
    weight = 1.0 / (smooth + smooth**2 / SHAPE)
    excess = counts - background
    cross = shapes @ (weight * excess)
    square = squares @ weight
    return np.asarray((weight * excess**2).sum() - np.maximum(cross, 0.0) ** 2 / square)


def fit(counts: Floats, shapes: Floats, background: Floats, scale_deviation: float, rounds: int = 5) -> Fit:
    """Fit ``counts = a template + c background`` by iterated weighted least squares with a >= 0 and c near 1.

    Args:
        counts: shape (bins,).
        shapes: shape (templates, bins).
        background: expected background, shape (bins,).
        scale_deviation: one standard deviation of c about 1.
        rounds: iterations; the weights have settled after five.
    """
    prior = 1.0 / scale_deviation**2
    background_squared, background_counts = background**2, background * counts
    expected = np.maximum(counts + 1.0, FLOOR)[None, :]
    amount, scale = np.zeros(len(shapes)), np.ones(len(shapes))
    for _ in range(rounds):
        weight = 1.0 / (expected + expected**2 / SHAPE)
        weighted = weight * shapes
        tt = (weighted * shapes).sum(axis=1)
        tb = weighted @ background
        bb = weight @ background_squared + prior
        tn = weighted @ counts
        bn = weight @ background_counts + prior
        amount = np.maximum((bb * tn - tb * bn) / (tt * bb - tb**2), 0.0)
        scale = np.minimum(np.maximum((bn - tb * amount) / bb, 0.3), 3.0)
        expected = np.maximum(amount[:, None] * shapes + scale[:, None] * background, FLOOR)
    return Fit(deviance(counts, expected) + prior * (scale - 1.0) ** 2, amount, scale, expected)


def fit_amounts(counts: Floats, shapes: Floats, background: Floats, expected: Floats) -> Floats:
    """Counts of each of a few shapes together, none negative, by least squares with the weights of a previous fit.

    Args:
        counts: shape (bins,).
        shapes: shape (few, bins).
        background: background as scaled by the previous fit, shape (bins,).
        expected: expected counts of the previous fit, shape (bins,).
    """
    from scipy.optimize import nnls  # half a second to import; commands that fit nothing need not wait for it

    root = np.sqrt(1.0 / (expected + expected**2 / SHAPE))
    amounts, _ = nnls((shapes * root).T, (counts - background) * root)
    return np.asarray(amounts)
