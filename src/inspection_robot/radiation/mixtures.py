"""Several nuclides at once: one added to the best single one, or the best pair where no single one fits."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.mixture_fit import SHAPE, Fit, fit, fit_amounts
from inspection_robot.radiation.nuclides import nuclides
from inspection_robot.radiation.response import CONTINUUM
from inspection_robot.radiation.search import MOST_DEVIATIONS, Best, Case, Search, penalised

Floats = NDArray[np.float64]

PAIR_SHIELDS: Final = (0, 2, 4)
PAIR_LEVELS: Final = (1, 2)
PAIR_CASES: Final = 5
PAIRS_KEPT: Final = 4


@dataclass(frozen=True)
class MixtureLimits:
    """When a further nuclide is believed.

    Attributes:
        least_gain: deviance it must gain at least.
        second_share: share of the source's counts it must explain.
        second_share_low: the same for one without lines above 100 keV: there the continuum of another is least known.
        second_gain: share of the deviance above its expected value that it must explain.
        second_prior: prior it must have.
        most_nuclides: nuclides named at most.
    """

    least_gain: float = 30.0
    second_share: float = 0.08
    second_share_low: float = 0.25
    second_gain: float = 0.5
    second_prior: float = 1.0
    most_nuclides: int = 3


@dataclass(frozen=True)
class Mixture:
    """Nuclides found together: index and counts of each, the one with most counts first; case, fit, confidences."""

    groups: tuple[tuple[int, float], ...]
    case: Case
    fit: Fit
    deviance: float
    confidences: dict[int, float]


def add_nuclides(
    search: Search, first: Best, result: Fit, limits: MixtureLimits
) -> tuple[list[tuple[int, float]], Fit]:
    """Add further nuclides one by one while each explains a fair share and lowers the deviance by much.

    Pile-up and a lineless continuum come first: faults of the response must not be given the name of a nuclide.
    """
    bank, case = search.bank, first.case
    chosen = [(int(bank.nuclide[first.template]), first.template)]
    shapes, current = bank.shapes[[first.template]], result
    piled = np.concatenate([search.pile_up_shape(case)[None, :], shapes])
    fitted = _mixture_fit(search, case, piled)
    if fitted.deviance[0] < current.deviance[0]:
        shapes, current = piled, fitted
    continuum = np.flatnonzero(bank.nuclide == CONTINUUM)
    for _ in range(2):
        template, _, fitted = _best_added(search, case, shapes, continuum, current)
        if fitted.deviance[0] < current.deviance[0]:
            shapes, current = np.concatenate([bank.shapes[[template]], shapes]), fitted
    common = _common(limits)
    while len(chosen) < limits.most_nuclides:
        others = np.flatnonzero(np.isin(bank.nuclide, common) & ~np.isin(bank.nuclide, [group for group, _ in chosen]))
        template, amounts, fitted = _best_added(search, case, shapes, others, current)
        gained = float(current.deviance[0] - fitted.deviance[0])
        # The worse the fit so far, the more of a gain may only make up for faults of the response.
        spread = max(1.0, float(current.deviance[0]) / len(case.counts))
        unexplained = float(current.deviance[0]) - len(case.counts)
        enough = gained > max(limits.least_gain * spread**2, limits.second_gain * unexplained)
        needed_share = _needed_share(int(bank.nuclide[template]), limits)
        if not enough or amounts[-1] < needed_share * amounts.sum():
            break
        chosen.append((int(bank.nuclide[template]), template))
        shapes = np.concatenate([shapes, bank.shapes[[template]]])
        current = fitted
    amounts = _amounts(case, shapes, current)[-len(chosen) :]
    named = [(group, float(amount)) for (group, _), amount in zip(chosen, amounts, strict=True)]
    return sorted(named, key=lambda pair: -pair[1]), current


def find_pair(search: Search, limits: MixtureLimits) -> Mixture:
    """Find the two nuclides that fit best together.

    All pairs of common nuclides behind typical shields are ranked by weighted least squares under every correction; the
    best few pairs are then fitted in full, with the correction refined and a lineless continuum allowed.
    """
    ranked = _ranked_pairs(search, limits)
    fitted = [_polish(search, case, np.array([first, second])) for _, case, first, second in ranked]
    best = min(fitted, key=lambda entry: entry[0])
    deviance, case, shapes, rows, result = _refine(search, *best)
    amounts = _amounts(case, shapes, result)[: len(rows)]
    spread = max(1.0, deviance / len(case.counts))
    weights = [math.exp(-0.5 * (entry[0] - best[0]) / spread) for entry in fitted]
    groups = [int(search.bank.nuclide[row]) for row in rows]
    confidences = {
        group: sum(w for w, entry in zip(weights, fitted, strict=True) if group in search.bank.nuclide[entry[3]])
        / sum(weights)
        for group in groups
    }
    named = sorted(((g, float(a)) for g, a in zip(groups, amounts, strict=True)), key=lambda pair: -pair[1])
    return Mixture(tuple(named), case, result, deviance, confidences)


def pair_is_believed(pair: Mixture, single_deviance: float, limits: MixtureLimits) -> bool:
    """Whether two nuclides explain so much more than one that it cannot be a fault of the response."""
    bins = len(pair.case.counts)
    spread = max(1.0, pair.deviance / bins)
    gained = single_deviance - pair.deviance
    total = max(sum(amount for _, amount in pair.groups), 1.0)
    shared = all(amount >= _needed_share(group, limits) * total for group, amount in pair.groups)
    needed = max(2.0 * limits.least_gain * spread**2, limits.second_gain * (single_deviance - bins))
    return gained > needed and shared


def _needed_share(group: int, limits: MixtureLimits) -> float:
    lines = nuclides()[group].telling_lines()
    low = not lines or max(energy for energy, _ in lines) < 100.0
    return limits.second_share_low if low else limits.second_share


def _common(limits: MixtureLimits) -> list[int]:
    return [index for index, nuclide in enumerate(nuclides()) if nuclide.prior >= limits.second_prior]


def _ranked_pairs(search: Search, limits: MixtureLimits) -> list[tuple[float, Case, int, int]]:
    """The best pairs of different nuclides: gain, case and template rows, best first."""
    bank = search.bank
    typical = np.isin(bank.shield, PAIR_SHIELDS) & np.isin(bank.level, PAIR_LEVELS)
    rows = np.flatnonzero(np.isin(bank.nuclide, _common(limits)) & typical)
    shapes, groups = bank.shapes[rows], bank.nuclide[rows]
    different = groups[:, None] < groups[None, :]
    best: dict[tuple[int, int], tuple[float, Case, int, int]] = {}
    for case in search.cases[:PAIR_CASES]:
        smooth = np.convolve(case.counts, np.ones(5) / 5, "same") + 1.0
        weight = 1.0 / (smooth + smooth**2 / SHAPE)
        gram = (shapes * weight) @ shapes.T
        cross = shapes @ (weight * (case.counts - case.background))
        diagonal = np.diagonal(gram)
        determinant = diagonal[:, None] * diagonal[None, :] - gram**2
        first = cross[:, None] * diagonal[None, :] - cross[None, :] * gram
        second = cross[None, :] * diagonal[:, None] - cross[:, None] * gram
        usable = different & (first > 0.0) & (second > 0.0) & (determinant > 1e-12 * diagonal[:, None] ** 2)
        gain = np.where(
            usable, (cross[:, None] * first + cross[None, :] * second) / np.where(usable, determinant, 1), 0
        )
        gain = gain - case.penalty
        for flat in np.argpartition(gain.ravel(), -40)[-40:]:
            i, j = divmod(int(flat), len(rows))
            pair = (int(groups[i]), int(groups[j]))
            if usable[i, j] and (pair not in best or gain[i, j] > best[pair][0]):
                best[pair] = (float(gain[i, j]), case, int(rows[i]), int(rows[j]))
    return sorted(best.values(), key=lambda entry: -entry[0])[:PAIRS_KEPT]


def _polish(search: Search, case: Case, rows: NDArray[np.int64]) -> tuple[float, Case, Floats, NDArray[np.int64], Fit]:
    """Choose the best shields for both nuclides of a pair and add a continuum; the deviance comes first."""
    bank = search.bank
    rows = rows.copy()
    shapes = bank.shapes[rows]
    current = _mixture_fit(search, case, shapes)
    for place in (0, 1):
        own = np.flatnonzero(bank.nuclide == bank.nuclide[rows[place]])
        other = shapes[[1 - place]]
        template, _, fitted = _best_added(search, case, other, own, current)
        if fitted.deviance[0] < current.deviance[0]:
            rows[place], current = template, fitted
            shapes = bank.shapes[rows]
    continuum = np.flatnonzero(bank.nuclide == CONTINUUM)
    template, _, fitted = _best_added(search, case, shapes, continuum, current)
    if fitted.deviance[0] < current.deviance[0]:
        shapes, current = np.concatenate([shapes, bank.shapes[[template]]]), fitted
    return penalised(float(current.deviance[0]), case), case, shapes, rows, current


def _refine(
    search: Search, deviance: float, case: Case, shapes: Floats, rows: NDArray[np.int64], current: Fit
) -> tuple[float, Case, Floats, NDArray[np.int64], Fit]:
    """Move the correction to where the pair fits best."""
    for size, axis, sign in itertools.product((0.7, 0.3), np.eye(3), (-1.0, 1.0)):
        steps = case.steps + sign * size * axis
        while np.abs(steps).max() <= MOST_DEVIATIONS:
            moved = search.case(steps)
            fitted = _mixture_fit(search, moved, shapes)
            value = penalised(float(fitted.deviance[0]), moved)
            if value >= deviance - 0.1:
                break
            deviance, case, current, steps = value, moved, fitted, steps + sign * size * axis
    return deviance, case, shapes, rows, current


def _mixture_fit(search: Search, case: Case, shapes: Floats) -> Fit:
    """Fit a few shapes together: amounts by least squares, then their sum with the background."""
    expected = np.maximum(case.counts, 1.0)
    for _ in range(2):
        amounts = fit_amounts(case.counts, shapes, case.background, expected)
        result = fit(case.counts, (amounts @ shapes)[None, :], case.background, search.scale_deviation)
        expected = result.expected[0]
    return result


def _amounts(case: Case, shapes: Floats, current: Fit) -> Floats:
    background = float(current.background_scale[0]) * case.background
    return fit_amounts(case.counts, shapes, background, current.expected[0])


def _best_added(
    search: Search, case: Case, shapes: Floats, candidates: NDArray[np.int64], current: Fit
) -> tuple[int, Floats, Fit]:
    """Return the template that fits best when added to the shapes chosen, the amounts of all, and the fit."""
    rank = _screen_added(case, shapes, search.bank.shapes[candidates], current)
    tried: list[tuple[int, Floats, Fit]] = []
    for template in candidates[np.argsort(rank)[:6]]:
        together = np.concatenate([shapes, search.bank.shapes[[template]]])
        amounts = _amounts(case, together, current)
        fitted = fit(case.counts, (amounts @ together)[None, :], case.background, search.scale_deviation)
        tried.append((int(template), amounts, fitted))
    return min(tried, key=lambda entry: float(entry[2].deviance[0]))


def _screen_added(case: Case, shapes: Floats, added: Floats, current: Fit) -> Floats:
    """Chi-square of weighted least squares of the chosen shapes and one more, for every one more."""
    expected = current.expected[0]
    weight = 1.0 / (expected + expected**2 / SHAPE)
    target = case.counts - current.background_scale[0] * case.background
    root = np.sqrt(weight)
    basis, _ = np.linalg.qr((shapes * root).T)
    rest = target * root - basis @ (basis.T @ (target * root))
    free = added * root - (added * root @ basis) @ basis.T
    gained = np.maximum(free @ rest, 0.0) ** 2 / np.maximum((free**2).sum(axis=1), 1e-12)
    return np.asarray((rest**2).sum() - gained)
