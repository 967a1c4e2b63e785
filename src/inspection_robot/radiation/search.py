"""The search over nuclides, shields and corrections of the energy scale for the one nuclide that fits best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.detectors import Detector, correction_steps
from inspection_robot.radiation.mixture_fit import Fit, fit, screen
from inspection_robot.radiation.nuclides import nuclides
from inspection_robot.radiation.response import CONTINUUM, GRID_KEV, STEP_KEV, ambient_shape, templates
from inspection_robot.radiation.spectrum import EnergyCorrection, Spectrum, rebin

Floats = NDArray[np.float64]
MOST_DEVIATIONS = 2.5  # an energy scale further off than this is no longer the detector's we know


@dataclass(frozen=True)
class Case:
    """A spectrum on the energy bins under one correction of the scale."""

    counts: Floats
    background: Floats
    steps: Floats
    correction: EnergyCorrection

    @property
    def penalty(self) -> float:
        """Return the squared deviations of the correction from the expected one."""
        return float(self.steps @ self.steps)


def has_energy_scale(spectrum: Spectrum) -> bool:
    """Whether a spectrum can be put on the energy bins at all: a finite, growing scale of a gamma detector's range."""
    if len(spectrum.coefficients_kev) < 2 or len(spectrum.counts) < 64 or spectrum.live_time_s <= 0.0:
        return False
    edges = spectrum.edges_kev()
    return bool(np.all(np.isfinite(edges)) and np.all(np.diff(edges) > 0.0) and 500.0 < edges[-1] < 2e4)


@dataclass(frozen=True)
class Best:
    """Best fit of one nuclide: deviance with all penalties, the spectrum as corrected, and the template."""

    deviance: float
    case: Case
    template: int


def penalised(value: float, case: Case) -> float:
    """Deviance with that of the correction, which counts as much more as the fit is worse than chance allows."""
    return value + case.penalty * max(1.0, value / len(case.counts))


class Search:
    """A spectrum, its detector and the templates: what every step of the search needs."""

    def __init__(self, spectrum: Spectrum, detector: Detector, left_out: frozenset[str] = frozenset()) -> None:
        self.spectrum = spectrum
        self.detector = detector
        self.bank = templates(detector.resolution)
        if left_out:
            unwanted = [index for index, nuclide in enumerate(nuclides()) if nuclide.name in left_out]
            self.bank = self.bank.without(np.array(unwanted))
        self.ambient = ambient_shape(detector.resolution)
        background = spectrum.background
        self.background = background if background is not None and has_energy_scale(background) else None
        # A person or a bag in front of the detector shields the background by a tenth; one nobody measured is a guess.
        self.scale_deviation = 0.1 if self.background is not None else 0.5
        self.edges_kev = spectrum.edges_kev()
        self.cases = [self.case(steps) for steps in correction_steps()]

    def case(self, steps: Floats) -> Case:
        """Return the spectrum under a correction given in standard deviations from the expected one."""
        values = self.detector.correction.as_array() + steps * np.array(self.detector.correction_deviation)
        correction = EnergyCorrection(*map(float, values))
        counts = rebin(self.spectrum.counts, correction.apply(self.edges_kev))
        if self.background is None:
            background = self.ambient * _unmeasured_background(counts, self.ambient)
        else:
            background = rebin(self.background.counts, correction.apply(self.background.edges_kev()))
            background = (background + 0.5 * self.ambient) * self.spectrum.live_time_s / self.background.live_time_s
        return Case(counts, background, steps, correction)

    def pile_up_shape(self, case: Case) -> Floats:
        """Shape of two pulses taken for one: the spectrum convolved with itself; (bins,), sums to 1.

        It stands for chance coincidences and, near a source, for cascades such as that of Co-60.
        """
        edges = case.correction.apply(self.edges_kev)
        fine = rebin(self.spectrum.counts, edges, np.arange(0.0, len(GRID_KEV) + 1) * STEP_KEV)
        size = 2 * len(fine)
        twice = np.fft.irfft(np.fft.rfft(fine, size) ** 2, size)[: len(fine)].clip(0.0)
        shape = rebin(np.append(twice, 0.0), np.arange(0.0, len(fine) + 2) * STEP_KEV) + 1e-12
        return np.asarray(shape / shape.sum())

    def fit(self, case: Case, rows: NDArray[np.int64]) -> Fit:
        """Fit some templates to a case."""
        return fit(case.counts, self.bank.shapes[rows], case.background, self.scale_deviation)

    def best_of(self, case: Case, rows: NDArray[np.int64]) -> Best:
        """Return the best of some templates for one case."""
        deviances = self.fit(case, rows).deviance
        row = int(np.argmin(deviances))
        return Best(penalised(float(deviances[row]), case), case, int(rows[row]))

    def refine(self, best: Best, rows: NDArray[np.int64]) -> Best:
        """Move the correction to where one nuclide fits best, by pattern search with shrinking steps."""
        for size in (0.7, 0.3):
            for axis in np.eye(3):
                for sign in (-1.0, 1.0):
                    steps = best.case.steps + sign * size * axis
                    while np.abs(steps).max() <= MOST_DEVIATIONS:
                        entry = self.best_of(self.case(steps), rows)
                        if entry.deviance >= best.deviance - 0.1:
                            break
                        best, steps = entry, steps + sign * size * axis
        return best

    def background_deviance(self) -> float:
        """Deviance of the background alone, at its best over the corrections."""
        nothing = np.full((1, len(self.ambient)), 1e-30)
        return min(
            penalised(float(fit(case.counts, nothing, case.background, self.scale_deviation).deviance[0]), case)
            for case in self.cases
        )


def _unmeasured_background(counts: Floats, ambient: Floats) -> float:
    """Counts of a background nobody measured: what the high energies allow, where few sources reach."""
    high = slice(len(counts) * 3 // 4, None)
    return float(min(counts.sum(), (counts[high].sum() + 0.5) / ambient[high].sum())) + 0.5


def best_per_nuclide(search: Search, shortlist: int) -> dict[int, Best]:
    """Rank all templates quickly under every correction, then fit the best ones in full and refine the correction."""
    bank = search.bank
    ranks = np.array(
        [screen(case.counts, bank.shapes, bank.squares, case.background) + case.penalty for case in search.cases]
    )
    per_template = ranks.min(axis=0)
    groups = np.unique(bank.nuclide)
    group_rank = np.array([per_template[bank.nuclide == group].min() for group in groups])
    chosen = [int(group) for group in groups[np.argsort(group_rank)[:shortlist]] if group != CONTINUUM]
    best: dict[int, Best] = {}
    for group in [*chosen, CONTINUUM]:
        rows = np.flatnonzero(bank.nuclide == group)
        rows = rows[np.argsort(per_template[rows])[:6]]
        for index in np.argsort(ranks[:, rows].min(axis=1))[:3]:
            entry = search.best_of(search.cases[index], rows)
            if group not in best or entry.deviance < best[group].deviance:
                best[group] = entry
    leaders = sorted(best, key=lambda group: best[group].deviance)[:4]
    for group in leaders:
        if best[group].deviance > 3.0 * best[leaders[0]].deviance:
            break
        rows = np.flatnonzero(bank.nuclide == group)
        best[group] = search.refine(best[group], rows[np.argsort(per_template[rows])[:6]])
    return best
