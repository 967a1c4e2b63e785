"""Name the nuclides in a gamma spectrum, or say honestly that it cannot be done.

Every nuclide behind every shield (``response.templates``) is fitted together with the background, over a grid of
corrections of the energy scale, by negative-binomial likelihood (``mixture_fit``). The best few are fitted again with
all the freedom their surroundings have (``flexible_fit``); what the fits show decides how sure a name is
(``confidence``), also in view of nuclides that are not in the library. A lineless continuum competes with the nuclides,
so that scattered radiation gets no name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.confidence import Evidence, confidence
from inspection_robot.radiation.detectors import DETECTORS, Detector, detector_for
from inspection_robot.radiation.energy_calibration import calibrate, calibrated
from inspection_robot.radiation.flexible_fit import FlexibleFit, flexible_fit
from inspection_robot.radiation.mixtures import MixtureLimits, add_nuclides, find_pairs, pair_is_believed, refined
from inspection_robot.radiation.nuclides import Nuclide, nuclides
from inspection_robot.radiation.response import CONTINUUM, indistinguishable
from inspection_robot.radiation.search import Best, Search, best_per_nuclide, has_energy_scale
from inspection_robot.radiation.spectrum import EnergyCorrection, Spectrum

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class IdentifyParameters:
    """Limits of an identification.

    Attributes:
        least_gain: deviance the best nuclide must gain over background alone; below it the spectrum is too weak.
        least_line_gain: deviance it must gain over a continuum without lines.
        least_confidence: confidence below which nothing is named.
        careful_confidence: the same for special nuclear material, which alarms all, and for medical nuclides, which
            let somebody pass.
        most_misfit: relative misfit of the expected spectrum above which nothing is named.
        most_misfit_unknown_detector: the same for a detector whose response was never compared with measurements.
        mixture: limits for further nuclides.
        pair_above: deviance per bin above which pairs of nuclides are tried.
        shortlist: nuclides that are fitted after the quick ranking.
        finalists: nuclides that are then fitted with all freedom.
        medical_doubt: probability of an industrial or special nuclear one above which no medical nuclide is named.
        left_out: nuclides to do without, so that it can be measured what is said of one that is not in the library.
    """

    least_gain: float = 30.0
    least_line_gain: float = 12.0
    least_confidence: float = 0.6
    careful_confidence: float = 0.75
    most_misfit: float = 0.4
    most_misfit_unknown_detector: float = 0.2
    mixture: MixtureLimits = field(default_factory=MixtureLimits)
    pair_above: float = 1.2
    shortlist: int = 14
    finalists: int = 5
    medical_doubt: float = 0.05
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class NamedNuclide:
    """One nuclide found: probability that the name is right (``confidence``) and counts it explains."""

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
        evidence: what the confidence of the strongest nuclide rests on; None where nothing could be fitted.
        correction: the correction of the energy scale that fits best.
        candidates: names and posteriors of the five most likely nuclides, whether named or not.
        excess_cps: counts per second above the background.
    """

    found: tuple[NamedNuclide, ...]
    reason: str
    gain: float
    misfit: float
    evidence: Evidence | None
    correction: EnergyCorrection
    candidates: tuple[tuple[str, float], ...]
    excess_cps: float


def identify(
    spectrum: Spectrum, detector: Detector | None = None, parameters: IdentifyParameters | None = None
) -> Identification:
    """Identify the nuclides of a spectrum; its own background is used when it has one of the same channels."""
    limits = parameters or IdentifyParameters()
    if not has_energy_scale(spectrum):
        return _nothing("no_energy_scale")
    if detector is None:
        detector = detector_for(spectrum.instrument, len(spectrum.counts), float(spectrum.edges_kev()[-1]))
        if detector not in DETECTORS and spectrum.background is not None and has_energy_scale(spectrum.background):
            # Nothing is known of this detector's energy scale but what its own background tells.
            detector = calibrated(detector, calibrate(spectrum.background, detector))
    search = Search(spectrum, detector, limits.left_out)
    return _decide(search, best_per_nuclide(search, limits.shortlist), limits)


def _nothing(reason: str) -> Identification:
    return Identification((), reason, 0.0, math.nan, None, EnergyCorrection(), (), math.nan)


def misfit(counts: Floats, expected: Floats) -> float:
    """Root mean square relative difference weighted by the counts, less what chance alone makes."""
    difference = (counts - expected) ** 2 - expected
    return math.sqrt(max(0.0, float((difference / np.maximum(expected, 1.0)).sum() / max(counts.sum(), 1.0))))


@dataclass(frozen=True)
class Finalists:
    """The nuclides that the search found most promising, each fitted with all freedom, the most likely first.

    Attributes:
        fits: of one nuclide each.
        lineless: fit of a continuum without lines.
        dispersion: how much worse than chance allows the best of all fits.
        posterior: probability of each nuclide, and of :data:`CONTINUUM`, within the library.
    """

    fits: tuple[FlexibleFit, ...]
    lineless: FlexibleFit
    dispersion: float
    posterior: dict[int, float]


def _finalists(search: Search, best: dict[int, Best], number: int) -> Finalists:
    groups = sorted((group for group in best if group != CONTINUUM), key=lambda group: best[group].deviance)
    fits = [flexible_fit(search, best[group].case, (group,)) for group in groups[:number]]
    lineless = flexible_fit(search, best[CONTINUUM].case, ())
    dispersion = max(1.0, min(fit.plain_deviance for fit in [*fits, lineless]) / len(search.ambient))
    score = {fit.groups[0]: _score(fit, dispersion) for fit in fits} | {
        CONTINUUM: -0.5 * lineless.deviance / dispersion
    }
    top = max(score.values())
    total = sum(math.exp(value - top) for value in score.values())
    posterior = {group: math.exp(value - top) / total for group, value in score.items()}
    ranked = tuple(sorted(fits, key=lambda fit: -score[fit.groups[0]]))
    return Finalists(ranked, lineless, dispersion, posterior)


def _score(fit: FlexibleFit, dispersion: float) -> float:
    """Logarithm of likelihood and priors."""
    return -0.5 * fit.deviance / dispersion + sum(math.log(nuclides()[group].prior) for group in fit.groups)


def gather(
    fit: FlexibleFit, rivals: Sequence[FlexibleFit], lineless: FlexibleFit, group: int, dispersion: float
) -> Evidence:
    """Gather what speaks for one nuclide of a fit: the rivals count that hold nothing that looks like it."""
    alike = indistinguishable()[group]
    others = [_score(rival, dispersion) for rival in rivals if not any(alike[g] for g in rival.groups)]
    others.append(-0.5 * lineless.deviance / dispersion)
    place = fit.groups.index(group)
    return Evidence(
        reduced_deviance=fit.plain_deviance / len(fit.case.counts),
        rival_gap=2.0 * (_score(fit, dispersion) - max(others)),
        line_gap=(lineless.deviance - fit.deviance) / dispersion,
        scale_penalty=fit.case.penalty,
        counts=float(fit.counts[place]),
        prior=nuclides()[group].prior,
    )


def _decide(search: Search, best: dict[int, Best], limits: IdentifyParameters) -> Identification:
    names = nuclides()
    last = _finalists(search, best, limits.finalists)
    first = last.fits[0]
    gain = (search.background_deviance() - first.deviance) / last.dispersion
    line_gain = (last.lineless.deviance - first.deviance) / last.dispersion
    mixture, rivals = first, last.fits[1:]
    if gain >= limits.least_gain and line_gain >= limits.least_line_gain:
        mixture = add_nuclides(search, first, limits.mixture)
        if mixture.plain_deviance > limits.pair_above * len(search.ambient):
            pairs = find_pairs(search, limits.mixture)
            if pairs and pair_is_believed(pairs[0], mixture, limits.mixture):
                mixture, rivals = refined(search, pairs[0]), (*pairs[1:], *last.fits)
    spread = max(1.0, mixture.plain_deviance / len(search.ambient))
    evidence = {g: gather(mixture, rivals, last.lineless, g, spread) for g in mixture.groups}
    sure = {group: confidence(found) for group, found in evidence.items()}
    unlike = misfit(mixture.case.counts, mixture.fit.expected[0])
    named, reason = _named(mixture, sure, last, (gain, line_gain), unlike, search.detector in DETECTORS, limits)
    counts = dict(zip(mixture.groups, mixture.counts, strict=True))
    excess = float(mixture.case.counts.sum() - mixture.case.background.sum())
    ranked = sorted(last.posterior.items(), key=lambda item: -item[1])
    return Identification(
        found=tuple(NamedNuclide(names[g], sure[g], float(counts[g])) for g in sorted(named, key=lambda g: -counts[g])),
        reason=reason,
        gain=gain,
        misfit=unlike,
        evidence=evidence[mixture.groups[0]],
        correction=mixture.case.correction,
        candidates=tuple((names[g].name, p) for g, p in ranked[:5] if g != CONTINUUM),
        excess_cps=excess / search.spectrum.live_time_s,
    )


def _named(
    mixture: FlexibleFit, sure: dict[int, float], last: Finalists, gains: tuple[float, float], unlike: float,
    known_detector: bool, limits: IdentifyParameters,
) -> tuple[tuple[int, ...], str]:  # fmt: skip
    """Which nuclides are named, or the message key of what forbids to name any.

    When only some of several are certain, they are named alone only if that calls for the same care: an industrial or
    special nuclear source stays one whatever lies beside it, a harmless one might hide something.
    """
    gain, line_gain = gains
    if gain < limits.least_gain:
        return (), "too_weak"
    if line_gain < limits.least_line_gain:
        return (), "no_lines"
    if unlike > (limits.most_misfit if known_detector else limits.most_misfit_unknown_detector):
        return (), "poor_fit"
    names = nuclides()
    certain = tuple(group for group in mixture.groups if sure[group] >= _needed(group, limits))
    if len(certain) < len(mixture.groups):
        grave = tuple(group for group in certain if names[group].category in _GRAVE)
        return (grave, "") if grave else ((), "ambiguous")
    single = len(mixture.groups) == 1
    if single and names[certain[0]].category == "medical" and _grave_doubt(last.posterior) > limits.medical_doubt:
        return (), "ambiguous"
    return certain, ""


def _needed(group: int, limits: IdentifyParameters) -> float:
    category = nuclides()[group].category
    return limits.careful_confidence if category in ("special_nuclear", "medical") else limits.least_confidence


def _grave_doubt(posterior: dict[int, float]) -> float:
    """Probability that something industrial or special nuclear only looks medical.

    Evidence counts a third of what it does otherwise and priors do not count above that of nuclides that are met at
    borders at all: templates and energy scales are never good enough to rule out a neighbour by a narrow margin.
    """
    names = nuclides()
    odds = {
        g: (p / names[g].prior) ** (1.0 / 3.0) * min(1.0, names[g].prior / _MET_AT_BORDERS)
        for g, p in posterior.items()
        if g != CONTINUUM
    }
    grave = sum(value for g, value in odds.items() if names[g].category in _GRAVE)
    return float(grave / sum(odds.values()))


_GRAVE = {"industrial", "special_nuclear"}
_MET_AT_BORDERS = 0.1
