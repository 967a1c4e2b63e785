"""Name the nuclides in a gamma spectrum, or say honestly that it cannot be done.

Every nuclide behind every shield (``response.templates``) is fitted together with the background, over a grid of
corrections of the energy scale, by negative-binomial likelihood (``mixture_fit``). The best deviance of each nuclide
and its prior give the posterior; a lineless continuum competes with the nuclides, so that scattered
radiation gets no name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.detectors import DETECTORS, Detector, correction_steps, detector_for
from inspection_robot.radiation.mixture_fit import Fit, fit, fit_amounts, screen
from inspection_robot.radiation.nuclides import Nuclide, nuclides
from inspection_robot.radiation.response import CONTINUUM, ambient_shape, templates
from inspection_robot.radiation.spectrum import EnergyCorrection, Spectrum, rebin

Floats = NDArray[np.float64]
MOST_DEVIATIONS = 2.5  # an energy scale further off than this is no longer the detector's we know


@dataclass(frozen=True)
class IdentifyParameters:
    """Limits of an identification.

    Attributes:
        least_gain: deviance the best nuclide must gain over background alone; below it the spectrum is too weak.
        least_line_gain: deviance it must gain over a continuum without lines.
        least_confidence: posterior of all nuclides of its category below which nothing is named.
        least_share: posterior of the nuclide itself below which nothing is named.
        special_confidence: posterior that special nuclear nuclides together need.
        most_misfit: relative misfit of the expected spectrum above which nothing is named.
        most_misfit_unknown_detector: the same for a detector whose response was never compared with measurements.
        second_share: share of the source's counts a further nuclide must explain.
        second_prior: prior a further nuclide must have.
        second_gain: share of the deviance above its expected value that a further nuclide must explain.
        shortlist: nuclides that are fitted in full after the quick ranking.
        most_nuclides: nuclides named at most.
        medical_doubt: probability of an industrial or special nuclear one above which no medical nuclide is named.
    """

    least_gain: float = 30.0
    least_line_gain: float = 12.0
    least_confidence: float = 0.8
    least_share: float = 0.5
    special_confidence: float = 0.95
    most_misfit: float = 0.4
    most_misfit_unknown_detector: float = 0.2
    second_share: float = 0.08
    second_gain: float = 0.5
    second_prior: float = 1.0
    shortlist: int = 14
    most_nuclides: int = 3
    medical_doubt: float = 0.05


@dataclass(frozen=True)
class NamedNuclide:
    """One nuclide found: posterior probability and counts it explains."""

    nuclide: Nuclide
    confidence: float
    counts: float


@dataclass(frozen=True)
class Identification:
    """The answer for one spectrum.

    Attributes:
        found: nuclides, the one with most counts first; empty when unidentified.
        reason: message key why nothing was named; empty when something was.
        gain: deviance gained over background alone.
        misfit: relative misfit of the expected spectrum, weighted by counts.
        correction: the correction of the energy scale that fits best.
        candidates: names and posteriors of the five most likely nuclides, whether named or not.
        excess_cps: counts per second above the background.
    """

    found: tuple[NamedNuclide, ...]
    reason: str
    gain: float
    misfit: float
    correction: EnergyCorrection
    candidates: tuple[tuple[str, float], ...]
    excess_cps: float


@dataclass(frozen=True)
class _Case:
    """A spectrum on the energy bins under one correction of the scale."""

    counts: Floats
    background: Floats
    steps: Floats
    correction: EnergyCorrection

    @property
    def penalty(self) -> float:
        """Return the squared deviations of the correction from the expected one."""
        return float(self.steps @ self.steps)


def identify(
    spectrum: Spectrum, detector: Detector | None = None, parameters: IdentifyParameters | None = None
) -> Identification:
    """Identify the nuclides of a spectrum; its own background is used when it has one of the same channels."""
    limits = parameters or IdentifyParameters()
    if not _has_energy_scale(spectrum):
        return _nothing("no_energy_scale")
    if detector is None:
        detector = detector_for(spectrum.instrument, len(spectrum.counts), float(spectrum.edges_kev()[-1]))
    search = _Search(spectrum, detector)
    return _decide(search, _best_per_nuclide(search, limits.shortlist), limits)


def _nothing(reason: str) -> Identification:
    return Identification((), reason, 0.0, math.nan, EnergyCorrection(), (), math.nan)


def _has_energy_scale(spectrum: Spectrum) -> bool:
    if len(spectrum.coefficients_kev) < 2 or len(spectrum.counts) < 64 or spectrum.live_time_s <= 0.0:
        return False
    edges = spectrum.edges_kev()
    return bool(np.all(np.isfinite(edges)) and np.all(np.diff(edges) > 0.0) and 500.0 < edges[-1] < 2e4)


@dataclass(frozen=True)
class _Best:
    """Best fit of one nuclide: deviance with all penalties, the spectrum as corrected, and the template."""

    deviance: float
    case: _Case
    template: int


def _penalised(value: float, case: _Case) -> float:
    """Deviance with that of the correction, which counts as much more as the fit is worse than chance allows."""
    return value + case.penalty * max(1.0, value / len(case.counts))


class _Search:
    """A spectrum, its detector and the templates: what every step of the search needs."""

    def __init__(self, spectrum: Spectrum, detector: Detector) -> None:
        self.spectrum = spectrum
        self.detector = detector
        self.bank = templates(detector.resolution)
        self.ambient = ambient_shape(detector.resolution)
        background = spectrum.background
        self.background = background if background is not None and _has_energy_scale(background) else None
        # A person or a bag in front of the detector shields the background by a tenth; one nobody measured is a guess.
        self.scale_deviation = 0.1 if self.background is not None else 0.5
        self.edges_kev = spectrum.edges_kev()
        self.cases = [self.case(steps) for steps in correction_steps()]

    def case(self, steps: Floats) -> _Case:
        """Return the spectrum under a correction given in standard deviations from the expected one."""
        values = self.detector.correction.as_array() + steps * np.array(self.detector.correction_deviation)
        correction = EnergyCorrection(*map(float, values))
        counts = rebin(self.spectrum.counts, correction.apply(self.edges_kev))
        if self.background is None:
            background = self.ambient * _unmeasured_background(counts, self.ambient)
        else:
            background = rebin(self.background.counts, correction.apply(self.background.edges_kev()))
            background = (background + 0.5 * self.ambient) * self.spectrum.live_time_s / self.background.live_time_s
        return _Case(counts, background, steps, correction)

    def fit(self, case: _Case, rows: NDArray[np.int64]) -> Fit:
        """Fit some templates to a case."""
        return fit(case.counts, self.bank.shapes[rows], case.background, self.scale_deviation)

    def best_of(self, case: _Case, rows: NDArray[np.int64]) -> _Best:
        """Return the best of some templates for one case."""
        deviances = self.fit(case, rows).deviance
        row = int(np.argmin(deviances))
        return _Best(_penalised(float(deviances[row]), case), case, int(rows[row]))

    def refine(self, best: _Best, rows: NDArray[np.int64]) -> _Best:
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
            _penalised(float(fit(case.counts, nothing, case.background, self.scale_deviation).deviance[0]), case)
            for case in self.cases
        )


def _unmeasured_background(counts: Floats, ambient: Floats) -> float:
    """Counts of a background nobody measured: what the high energies allow, where few sources reach."""
    high = slice(len(counts) * 3 // 4, None)
    return float(min(counts.sum(), (counts[high].sum() + 0.5) / ambient[high].sum())) + 0.5


def _best_per_nuclide(search: _Search, shortlist: int) -> dict[int, _Best]:
    """Rank all templates quickly under every correction, then fit the best ones in full and refine the correction."""
    bank = search.bank
    ranks = np.array(
        [screen(case.counts, bank.shapes, bank.squares, case.background) + case.penalty for case in search.cases]
    )
    per_template = ranks.min(axis=0)
    groups = np.unique(bank.nuclide)
    group_rank = np.array([per_template[bank.nuclide == group].min() for group in groups])
    chosen = [int(group) for group in groups[np.argsort(group_rank)[:shortlist]] if group != CONTINUUM]
    best: dict[int, _Best] = {}
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


def _posterior(best: dict[int, _Best], dispersion: float) -> dict[int, float]:
    names = nuclides()
    score = {
        group: -0.5 * entry.deviance / dispersion + math.log(names[group].prior if group != CONTINUUM else 1.0)
        for group, entry in best.items()
    }
    top = max(score.values())
    total = sum(math.exp(value - top) for value in score.values())
    return {group: math.exp(value - top) / total for group, value in score.items()}


def misfit(counts: Floats, expected: Floats) -> float:
    """Root mean square relative difference weighted by the counts, less what chance alone makes."""
    difference = (counts - expected) ** 2 - expected
    return math.sqrt(max(0.0, float((difference / np.maximum(expected, 1.0)).sum() / max(counts.sum(), 1.0))))


def _decide(search: _Search, best: dict[int, _Best], limits: IdentifyParameters) -> Identification:
    names = nuclides()
    dispersion = max(1.0, min(entry.deviance for entry in best.values()) / len(search.ambient))
    posterior = _posterior(best, dispersion)
    ranked = sorted(posterior.items(), key=lambda item: -item[1])
    group, confidence = ranked[0]
    entry = best[group]
    result = search.fit(entry.case, np.array([entry.template]))
    gain = (search.background_deviance() - entry.deviance) / dispersion
    chosen, final = [(group, float(result.source_counts[0]))], result
    if group != CONTINUUM and gain >= limits.least_gain:
        chosen, final = _further(search, entry, result, limits)
    unlike = misfit(entry.case.counts, final.expected[0])
    line_gain = (best[CONTINUUM].deviance - entry.deviance) / dispersion
    most_misfit = limits.most_misfit if search.detector in DETECTORS else limits.most_misfit_unknown_detector
    reason = _why_not(group, posterior, (gain, line_gain), unlike, most_misfit, limits)
    return Identification(
        found=() if reason else tuple(NamedNuclide(names[g], confidence, counts) for g, counts in chosen),
        reason=reason,
        gain=gain,
        misfit=unlike,
        correction=entry.case.correction,
        candidates=tuple((names[g].name, p) for g, p in ranked[:5] if g != CONTINUUM),
        excess_cps=float(entry.case.counts.sum() - entry.case.background.sum()) / search.spectrum.live_time_s,
    )


def _why_not(
    group: int, posterior: dict[int, float], gains: tuple[float, float], unlike: float, most_misfit: float,
    limits: IdentifyParameters,
) -> str:  # fmt: skip
    """Return the message key of what forbids to name the most likely nuclide, or nothing."""
    gain, line_gain = gains
    if gain < limits.least_gain:
        return "too_weak"
    if group == CONTINUUM or line_gain < limits.least_line_gain:
        return "no_lines"
    if unlike > most_misfit:
        return "poor_fit"
    names = nuclides()
    category = names[group].category
    alike = sum(p for g, p in posterior.items() if g != CONTINUUM and names[g].category == category)
    # Nuclides of one category may stand in for each other; special nuclear ones must be certain.
    needed = limits.special_confidence if category == "special_nuclear" else limits.least_confidence
    sure = alike >= needed and posterior[group] >= limits.least_share
    if not sure or (category == "medical" and _grave_doubt(posterior) > limits.medical_doubt):
        return "ambiguous"
    return ""


def _grave_doubt(posterior: dict[int, float]) -> float:
    """Probability that something industrial or special nuclear only looks medical.

    Evidence counts a third of what it does otherwise and priors do not count: the templates are never that good.
    """
    names = nuclides()
    odds = {
        g: (max(p, 1e-300) / names[g].prior) ** (1.0 / 3.0) for g, p in posterior.items() if g != CONTINUUM and p > 0.0
    }
    grave = sum(value for g, value in odds.items() if set(names[g].categories) & _GRAVE)
    return float(grave / sum(odds.values()))


_GRAVE = {"industrial", "special_nuclear"}


def _further(
    search: _Search, first: _Best, result: Fit, limits: IdentifyParameters
) -> tuple[list[tuple[int, float]], Fit]:
    """Add further nuclides one by one while each explains a fair share and lowers the deviance by much.

    A lineless continuum comes first: faults of the response's continuum must not be given the name of a nuclide.
    """
    bank, case = search.bank, first.case
    chosen = [(int(bank.nuclide[first.template]), first.template)]
    shapes, current = bank.shapes[[first.template]], result
    continuum = np.flatnonzero(bank.nuclide == CONTINUUM)
    for _ in range(2):
        template, _, fitted = _best_added(search, case, shapes, continuum, current)
        if fitted.deviance[0] < current.deviance[0]:
            shapes, current = np.concatenate([bank.shapes[[template]], shapes]), fitted
    common = [index for index, nuclide in enumerate(nuclides()) if nuclide.prior >= limits.second_prior]
    while len(chosen) < limits.most_nuclides:
        others = np.flatnonzero(np.isin(bank.nuclide, common) & ~np.isin(bank.nuclide, [group for group, _ in chosen]))
        template, amounts, fitted = _best_added(search, case, shapes, others, current)
        gained = float(current.deviance[0] - fitted.deviance[0])
        unexplained = float(current.deviance[0]) - len(case.counts)
        enough = gained > max(limits.least_gain, limits.second_gain * unexplained)
        if not enough or amounts[-1] < limits.second_share * amounts.sum():
            break
        chosen.append((int(bank.nuclide[template]), template))
        shapes = np.concatenate([shapes, bank.shapes[[template]]])
        current = fitted
    amounts = _amounts(case, shapes, current)[-len(chosen) :]
    named = [(group, float(amount)) for (group, _), amount in zip(chosen, amounts, strict=True)]
    return sorted(named, key=lambda pair: -pair[1]), current


def _amounts(case: _Case, shapes: Floats, current: Fit) -> Floats:
    background = float(current.background_scale[0]) * case.background
    return fit_amounts(case.counts, shapes, background, current.expected[0])


def _best_added(
    search: _Search, case: _Case, shapes: Floats, candidates: NDArray[np.int64], current: Fit
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


def _screen_added(case: _Case, shapes: Floats, added: Floats, current: Fit) -> Floats:
    """Chi-square of weighted least squares of the chosen shapes and one more, for every one more."""
    expected = current.expected[0]
    weight = 1.0 / (expected + expected**2 / 100.0)
    target = case.counts - current.background_scale[0] * case.background
    root = np.sqrt(weight)
    basis, _ = np.linalg.qr((shapes * root).T)
    rest = target * root - basis @ (basis.T @ (target * root))
    free = added * root - (added * root @ basis) @ basis.T
    gained = np.maximum(free @ rest, 0.0) ** 2 / np.maximum((free**2).sum(axis=1), 1e-12)
    return np.asarray((rest**2).sum() - gained)
