"""Fit of one or a few nuclides with all the freedom their surroundings have, for the last decision between a handful.

A template stands for one shield and one level of scatter; a real source has something between. Here a nuclide's
templates are mixed freely, none negative, beside chance coincidences and a continuum without lines, and peaks may be
somewhat wider or narrower than the detector's usual ones. What still does not fit then lies at wrong energies: that
tells a nuclide of the library from one that is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.mixture_fit import FLOOR, Fit, fit, fit_amounts
from inspection_robot.radiation.response import CONTINUUM
from inspection_robot.radiation.search import Case, Search, penalised

Floats = NDArray[np.float64]

WIDENING: Final = (0.0, 0.12, -0.08)  # of peaks: weight of the second difference over the bins; +-10 % of the width
ROUNDS: Final = 2
PER_SHAPE: Final = 4.6  # deviance that every shape used costs: logarithm of the number of bins (Schwarz 1978)


@dataclass(frozen=True)
class FlexibleFit:
    """Best flexible fit of some nuclides to a case.

    Attributes:
        deviance: with all penalties.
        plain_deviance: without those of the energy scale and the number of shapes.
        groups: the nuclides, as indices into ``nuclides()``.
        shapes: spectrum of each nuclide as mixed, shape (groups, bins); each sums to 1 or is 0.
        counts: counts of each nuclide, shape (groups,).
        case: the spectrum as corrected.
        fit: of the sum.
    """

    deviance: float
    plain_deviance: float
    groups: tuple[int, ...]
    shapes: Floats
    counts: Floats
    case: Case
    fit: Fit


def flexible_fit(search: Search, case: Case, groups: tuple[int, ...]) -> FlexibleFit:
    """Fit nuclides together; no nuclide at all when ``groups`` is empty."""
    bank = search.bank
    rows = [np.flatnonzero(bank.nuclide == group) for group in groups]
    owner = np.repeat(np.arange(len(groups)), [len(part) for part in rows])
    own = bank.shapes[np.concatenate(rows)] if groups else np.empty((0, len(case.counts)))
    other = bank.shapes[bank.nuclide == CONTINUUM]
    if groups:
        other = np.concatenate([other, search.pile_up_shape(case)[None, :]])
    tries = [_fitted(search, case, np.concatenate([own, other]))]
    if groups and float(tries[0][1].deviance[0]) > len(case.counts):  # else chance explains all there is
        tries += [_fitted(search, case, np.concatenate([widened(own, a), other])) for a in WIDENING[1:]]
    widenings = [*WIDENING[: len(tries)], 0.0]
    if len(groups) == 1:  # where one template does, its freedom would only blur the difference to other nuclides
        alone = search.fit(case, rows[0])
        best = int(np.argmin(alone.deviance))
        amounts = np.zeros(len(own) + len(other))
        amounts[best] = alone.source_counts[best]
        tries.append((amounts, search.fit(case, rows[0][[best]])))
    deviances = [float(result.deviance[0]) + PER_SHAPE * np.count_nonzero(amounts) for amounts, result in tries]
    index = int(np.argmin(deviances))
    amounts, result = tries[index]
    wide = widened(own, widenings[index]) * amounts[: len(own), None]
    per_group = np.zeros((len(groups), len(case.counts)))
    np.add.at(per_group, owner, wide)
    counts = per_group.sum(axis=1)
    plain = float(result.deviance[0])
    return FlexibleFit(
        penalised(plain, case) + deviances[index] - plain, plain, groups,
        per_group / np.maximum(counts[:, None], FLOOR), counts, case, result,
    )  # fmt: skip


def _fitted(search: Search, case: Case, shapes: Floats) -> tuple[Floats, Fit]:
    """Amounts and fit by iterated weighted least squares; weights of single counts would pull the fit down."""
    expected = np.convolve(case.counts, np.ones(5) / 5, "same") + 1.0
    tries: list[tuple[Floats, Fit]] = []
    for _ in range(ROUNDS):
        amounts = fit_amounts(case.counts, shapes, case.background, expected)
        result = fit(case.counts, (amounts @ shapes)[None, :] + FLOOR, case.background, search.scale_deviation)
        expected = 0.5 * (expected + result.expected[0])
        tries.append((amounts, result))
    return min(tries, key=lambda entry: float(entry[1].deviance[0]))


def widened(shapes: Floats, weight: float) -> Floats:
    """Shapes with peaks wider (weight > 0) or narrower; in these bins all peaks have the same width."""
    if weight == 0.0:
        return shapes
    padded = np.pad(shapes, ((0, 0), (1, 1)), mode="edge")
    return np.asarray((shapes + weight * (padded[:, :-2] - 2.0 * shapes + padded[:, 2:])).clip(0.0))
