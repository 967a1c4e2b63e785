"""Several nuclides at once: one added to the best single one, or the best pair where no single one fits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.flexible_fit import FlexibleFit, flexible_fit
from inspection_robot.radiation.mixture_fit import SHAPE
from inspection_robot.radiation.nuclides import nuclides
from inspection_robot.radiation.response import CONTINUUM, indistinguishable
from inspection_robot.radiation.search import MOST_DEVIATIONS, Case, Search

Floats = NDArray[np.float64]

PAIR_SHIELDS: Final = (0, 2, 4)
PAIR_LEVELS: Final = (1, 2)
PAIR_CASES: Final = 5
PAIRS_KEPT: Final = 8
ADDED_TRIED: Final = 3
NATURAL: Final = ("K-40", "Ra-226", "Th-232")


@dataclass(frozen=True)
class MixtureLimits:
    """When a further nuclide is believed.

    Attributes:
        least_gain: deviance it must gain at least.
        natural_gain: the same for a further one of the three natural series, which stones and soil hold together.
        second_share: share of the nuclides' counts it must explain.
        second_share_low: the same for one without lines above 100 keV: there the continuum of another is least known.
        fault_gain: deviance it must gain for every bin in which the response's faults outweigh chance, when it
            explains half of the counts; as much more as it explains less: faults look like weak nuclides.
        second_prior: prior it must have.
        most_nuclides: nuclides named at most.
    """

    least_gain: float = 30.0
    natural_gain: float = 7.0
    second_share: float = 0.08
    second_share_low: float = 0.25
    fault_gain: float = 0.8
    second_prior: float = 0.3
    most_nuclides: int = 3


def add_nuclides(search: Search, first: FlexibleFit, limits: MixtureLimits) -> FlexibleFit:
    """Add further nuclides one by one while each explains a fair share and lowers the deviance by much."""
    current = first
    while len(current.groups) < limits.most_nuclides:
        tried = [flexible_fit(search, current.case, (*current.groups, g)) for g in _candidates(search, current, limits)]
        believed = [fit for fit in tried if _addition_is_believed(current, fit, limits)]
        if not believed:
            return current
        current = min(believed, key=lambda fit: fit.deviance)
    return current


def _candidates(search: Search, current: FlexibleFit, limits: MixtureLimits) -> list[int]:
    """The nuclides that a quick test finds most promising beside those chosen."""
    bank = search.bank
    taken = _alike(current.groups)
    rows = np.flatnonzero(np.isin(bank.nuclide, _common(limits)) & ~taken[bank.nuclide])
    rows = rows[bank.nuclide[rows] != CONTINUUM]
    order = rows[np.argsort(-_added_gain(current, bank.shapes[rows]))]
    best = list(dict.fromkeys(int(group) for group in bank.nuclide[order[:40]]))[:ADDED_TRIED]
    natural = [index for index, nuclide in enumerate(nuclides()) if nuclide.name in NATURAL]
    if set(current.groups) <= set(natural):
        best += [index for index in natural if not taken[index] and index not in best]
    return best


def _alike(groups: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which nuclides look like one of the groups; shape (nuclides + 1,), so that the continuum's index fits too."""
    return np.append(indistinguishable()[list(groups)].any(axis=0), False)


def _addition_is_believed(before: FlexibleFit, after: FlexibleFit, limits: MixtureLimits) -> bool:
    gained = before.deviance - after.deviance
    bins = len(after.case.counts)
    spread = max(1.0, after.plain_deviance / bins)
    names = [nuclides()[group].name for group in after.groups]
    if all(name in NATURAL for name in names):
        return gained > limits.natural_gain * spread
    share = after.counts[-1] / max(float(after.counts.sum()), 1.0)
    faults = limits.fault_gain * _decided_by_faults(before) * max(1.0, 0.5 / max(float(share), 1e-3))
    needed = limits.least_gain * spread + faults
    return bool(gained > needed and share >= _needed_share(after.groups[-1], limits))


def _decided_by_faults(fit: FlexibleFit) -> float:
    """Number of bins with so many counts that not chance but the response's faults make most of their deviance."""
    expected = fit.fit.expected[0]
    return float((expected / (expected + SHAPE)).sum())


def find_pairs(search: Search, limits: MixtureLimits) -> list[FlexibleFit]:
    """Find the pairs of nuclides that fit best together, the best first.

    All pairs of common nuclides behind typical shields are ranked by weighted least squares under every correction; the
    best few are then fitted in full.
    """
    fits = [flexible_fit(search, case, pair) for _, case, pair in _ranked_pairs(search, limits)]
    return sorted(fits, key=lambda fit: fit.deviance)


def pair_is_believed(pair: FlexibleFit, single: FlexibleFit, limits: MixtureLimits) -> bool:
    """Whether two nuclides explain so much more than one that it cannot be a fault of the response."""
    bins = len(pair.case.counts)
    spread = max(1.0, pair.plain_deviance / bins)
    gained = single.deviance - pair.deviance
    total = max(float(pair.counts.sum()), 1.0)
    least_share = max(float(pair.counts.min()) / total, 1e-3)
    shared = all(c >= _needed_share(g, limits) * total for g, c in zip(pair.groups, pair.counts, strict=True))
    faults = limits.fault_gain * _decided_by_faults(single) * max(1.0, 0.5 / least_share)
    needed = limits.least_gain * spread + faults
    return bool(gained > needed and shared)


def _needed_share(group: int, limits: MixtureLimits) -> float:
    lines = nuclides()[group].telling_lines()
    low = not lines or max(energy for energy, _ in lines) < 100.0
    return limits.second_share_low if low else limits.second_share


def _common(limits: MixtureLimits) -> list[int]:
    return [index for index, nuclide in enumerate(nuclides()) if nuclide.prior >= limits.second_prior]


def _ranked_pairs(search: Search, limits: MixtureLimits) -> list[tuple[float, Case, tuple[int, int]]]:
    """The best pairs of different nuclides: gain, case and nuclides, best first."""
    bank = search.bank
    typical = np.isin(bank.shield, PAIR_SHIELDS) & np.isin(bank.level, PAIR_LEVELS)
    rows = np.flatnonzero(np.isin(bank.nuclide, _common(limits)) & typical)
    shapes, groups = bank.shapes[rows], bank.nuclide[rows]
    different = (groups[:, None] < groups[None, :]) & ~indistinguishable()[groups[:, None], groups[None, :]]
    best: dict[tuple[int, int], tuple[float, Case, tuple[int, int]]] = {}
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
        for flat in np.argpartition(gain.ravel(), -200)[-200:]:
            i, j = divmod(int(flat), len(rows))
            pair = (int(groups[i]), int(groups[j]))
            if usable[i, j] and (pair not in best or gain[i, j] > best[pair][0]):
                best[pair] = (float(gain[i, j]), case, pair)
    return sorted(best.values(), key=lambda entry: -entry[0])[:PAIRS_KEPT]


def refined(search: Search, best: FlexibleFit) -> FlexibleFit:
    """Move the correction of the energy scale to where the nuclides fit best."""
    for size, axis, sign in itertools.product((0.7, 0.3), np.eye(3), (-1.0, 1.0)):
        steps = best.case.steps + sign * size * axis
        while np.abs(steps).max() <= MOST_DEVIATIONS:
            moved = flexible_fit(search, search.case(steps), best.groups)
            if moved.deviance >= best.deviance - 0.1:
                break
            best, steps = moved, steps + sign * size * axis
    return best


def _added_gain(current: FlexibleFit, added: Floats) -> Floats:
    """Gain in chi-square of one more shape beside the chosen ones, by weighted least squares; shape (added,)."""
    expected = current.fit.expected[0]
    root = np.sqrt(1.0 / (expected + expected**2 / SHAPE))
    basis, _ = np.linalg.qr((current.shapes * root).T)
    target = (current.case.counts - current.fit.background_scale[0] * current.case.background) * root
    rest = target - basis @ (basis.T @ target)
    free = added * root - (added * root @ basis) @ basis.T
    return np.asarray(np.maximum(free @ rest, 0.0) ** 2 / np.maximum((free**2).sum(axis=1), 1e-12))
