"""Name the nuclides in a gamma spectrum, or say honestly that it cannot be done.

Every nuclide behind every shield (``response.templates``) is fitted together with the background, over a grid of
corrections of the energy scale, by negative-binomial likelihood (``mixture_fit``). The best deviance of each nuclide
and its prior give the posterior; a lineless continuum competes with the nuclides, so that scattered
radiation gets no name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.detectors import DETECTORS, Detector, detector_for
from inspection_robot.radiation.energy_calibration import calibrate, calibrated
from inspection_robot.radiation.mixtures import Mixture, MixtureLimits, add_nuclides, find_pair, pair_is_believed
from inspection_robot.radiation.nuclides import Nuclide, nuclides
from inspection_robot.radiation.response import CONTINUUM
from inspection_robot.radiation.search import Best, Search, best_per_nuclide, has_energy_scale
from inspection_robot.radiation.spectrum import EnergyCorrection, Spectrum

Floats = NDArray[np.float64]


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
        mixture: limits for further nuclides.
        pair_above: deviance per bin above which pairs of nuclides are tried.
        shortlist: nuclides that are fitted in full after the quick ranking.
        medical_doubt: probability of an industrial or special nuclear one above which no medical nuclide is named.
    """

    least_gain: float = 30.0
    least_line_gain: float = 12.0
    least_confidence: float = 0.8
    least_share: float = 0.5
    special_confidence: float = 0.95
    most_misfit: float = 0.4
    most_misfit_unknown_detector: float = 0.2
    mixture: MixtureLimits = field(default_factory=MixtureLimits)
    pair_above: float = 1.5
    shortlist: int = 14
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
    search = Search(spectrum, detector)
    return _decide(search, best_per_nuclide(search, limits.shortlist), limits)


def _nothing(reason: str) -> Identification:
    return Identification((), reason, 0.0, math.nan, EnergyCorrection(), (), math.nan)


def _posterior(best: dict[int, Best], dispersion: float) -> dict[int, float]:
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


def _decide(search: Search, best: dict[int, Best], limits: IdentifyParameters) -> Identification:
    names = nuclides()
    bins = len(search.ambient)
    dispersion = max(1.0, min(entry.deviance for entry in best.values()) / bins)
    posterior = _posterior(best, dispersion)
    ranked = sorted(posterior.items(), key=lambda item: -item[1])
    group, confidence = ranked[0]
    entry = best[group]
    result = search.fit(entry.case, np.array([entry.template]))
    background_only = search.background_deviance()
    gain = (background_only - entry.deviance) / dispersion
    mixture = Mixture(
        ((group, float(result.source_counts[0])),), entry.case, result, entry.deviance, {group: confidence}
    )  # fmt: skip
    if group != CONTINUUM and gain >= limits.least_gain:
        chosen, final = add_nuclides(search, entry, result, limits.mixture)
        total = float(final.deviance[0])
        mixture = Mixture(tuple(chosen), entry.case, final, total, {g: confidence for g, _ in chosen})
    unlike = misfit(mixture.case.counts, mixture.fit.expected[0])
    most_misfit = limits.most_misfit if search.detector in DETECTORS else limits.most_misfit_unknown_detector
    line_gain = (best[CONTINUUM].deviance - entry.deviance) / dispersion
    reason = _why_not(group, posterior, (gain, line_gain), unlike, most_misfit, limits)
    if gain >= limits.least_gain and mixture.deviance > limits.pair_above * bins:
        pair = find_pair(search, limits.mixture)
        if pair_is_believed(pair, mixture.deviance, limits.mixture):
            mixture, unlike = pair, misfit(pair.case.counts, pair.fit.expected[0])
            reason, mixture = _judge_pair(pair, unlike, most_misfit, limits)
    excess = float(mixture.case.counts.sum() - mixture.case.background.sum())
    return Identification(
        found=()
        if reason
        else tuple(NamedNuclide(names[g], mixture.confidences[g], counts) for g, counts in mixture.groups),
        reason=reason,
        gain=gain,
        misfit=unlike,
        correction=mixture.case.correction,
        candidates=tuple((names[g].name, p) for g, p in ranked[:5] if g != CONTINUUM),
        excess_cps=excess / search.spectrum.live_time_s,
    )


def _judge_pair(pair: Mixture, unlike: float, most_misfit: float, limits: IdentifyParameters) -> tuple[str, Mixture]:
    """Why a pair is not named, and what is left of it to name.

    When one of the two is not certain, the certain one is named alone only if that calls for the same care: an
    industrial or special nuclear source stays one whatever lies beside it, a harmless one might hide something.
    """
    if unlike > most_misfit:
        return "poor_fit", pair
    certain = tuple((g, counts) for g, counts in pair.groups if pair.confidences[g] >= limits.least_confidence)
    if len(certain) == len(pair.groups):
        return "", pair
    if any(nuclides()[group].category in _GRAVE for group, _ in certain):
        return "", replace(pair, groups=certain)
    return "ambiguous", pair


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
