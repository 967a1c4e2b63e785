"""Nuclide identification on synthetic spectra: confidence against outcomes, nuclides not in the library, shields.

The spectra differ from the templates as real ones do (`inspection_robot.radiation.synthetic`); the weights of the
confidence were learnt from others of the kind, with another seed. Only measured spectra show what is wrong with lines
and crystal (`./robot bench identify`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection_robot.radiation.identify import Identification, IdentifyParameters, identify
from inspection_robot.radiation.nuclides import Nuclide, nuclides
from inspection_robot.radiation.response import indistinguishable
from inspection_robot.radiation.synthetic import Conditions, synthetic_spectrum

COMMON_PRIOR = 0.3  # nuclides at least this common are asked for
BINS = 5  # of the reliability figure
SEED = 20261121
MINUTE = Conditions()
WEAK = Conditions(source_cps=6.0, live_time_s=30.0)
SHORT = Conditions(live_time_s=3.0)
SHIELDED = Conditions(shield_g_cm2=12.0)
STRONG = Conditions(source_cps=200.0, live_time_s=300.0)
TWO = Conditions(live_time_s=120.0)


@dataclass(frozen=True)
class Outcome:
    """A spectrum's truth and what was said of it."""

    truth: tuple[Nuclide, ...]
    answer: Identification

    @property
    def names(self) -> list[str]:
        """Return the names given, the strongest first."""
        return [found.nuclide.name for found in self.answer.found]

    @property
    def right(self) -> bool:
        """Whether the first name is one of the truth's or one that nobody could tell from it."""
        return bool(self.names) and any(alike(self.answer.found[0].nuclide, nuclide) for nuclide in self.truth)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=2, help="spectra of each nuclide and condition (%(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print each wrong name")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    random = np.random.default_rng(SEED)
    asked = [nuclide for nuclide in nuclides() if nuclide.prior >= COMMON_PRIOR]
    identify(synthetic_spectrum((asked[0],), MINUTE, random))  # templates are made once
    started_cpu, started = time.process_time(), time.perf_counter()
    known = _outcomes(asked, MINUTE, arguments.repeats, random)
    cpu_s, wall_s = time.process_time() - started_cpu, time.perf_counter() - started
    weak = _outcomes(asked, WEAK, arguments.repeats, random)
    short = _outcomes(asked, SHORT, arguments.repeats, random)
    shielded = _outcomes(asked, SHIELDED, arguments.repeats, random)
    strong = _outcomes(asked, STRONG, arguments.repeats, random)
    unknown = _outcomes(nuclides(), MINUTE, arguments.repeats, random, leave_out=True)
    pairs = _pairs(asked, arguments.repeats * len(asked), random)
    every = [*known, *weak, *short, *shielded, *strong]
    if arguments.verbose:
        for label, outcomes in (("known", every), ("left out", unknown), ("pair", pairs)):
            for outcome in outcomes:
                if outcome.names and (label == "pair" or not outcome.right):
                    print(label, [n.name for n in outcome.truth], outcome.names)
    return {
        "nuclides": len(asked),
        **_summary("60s", known),
        **_summary("weak_30s", weak),
        **_summary("3s", short),
        **_summary("shielded", shielded),
        **_summary("strong", strong),
        **_calibration(every),
        "left_out_n": len(unknown),
        "left_out_named": _share(bool(o.names) for o in unknown),
        "left_out_named_apart": _share(bool(o.names) and not o.right for o in unknown),
        "left_out_wrong_category": _share(_wrong_category(o) for o in unknown),
        "pairs_n": len(pairs),
        "pairs_both_named": _share({n.name for n in o.truth} == set(o.names) for o in pairs),
        "pairs_one_named": _share(len(o.names) == 1 and o.right for o in pairs),
        "pairs_wrong": _share(any(not _in(o, name) for name in o.names) for o in pairs),
        "industrial_as_medical": sum(map(_as_medical, [*every, *unknown])),
        "cpu_ms_per_spectrum": round(1e3 * cpu_s / len(known), 1),
        "wall_ms_per_spectrum": round(1e3 * wall_s / len(known), 1),
    }


def alike(one: Nuclide, other: Nuclide) -> bool:
    """Whether a scintillator cannot tell two nuclides apart."""
    known = nuclides()
    return bool(indistinguishable()[known.index(one), known.index(other)])


def _outcomes(
    asked: Iterable[Nuclide], given: Conditions, repeats: int, random: np.random.Generator, leave_out: bool = False
) -> list[Outcome]:
    outcomes = []
    for nuclide in (nuclide for nuclide in asked for _ in range(repeats)):
        limits = IdentifyParameters(left_out=frozenset({nuclide.name}) if leave_out else frozenset())
        spectrum = synthetic_spectrum((nuclide,), given, random)
        outcomes.append(Outcome((nuclide,), identify(spectrum, given.detector, limits)))
    return outcomes


def _pairs(asked: list[Nuclide], number: int, random: np.random.Generator) -> list[Outcome]:
    outcomes = []
    while len(outcomes) < number:
        first, second = (asked[int(i)] for i in random.choice(len(asked), 2, replace=False))
        if not alike(first, second):
            spectrum = synthetic_spectrum((first, second), TWO, random)
            outcomes.append(Outcome((first, second), identify(spectrum, TWO.detector)))
    return outcomes


def _summary(label: str, outcomes: list[Outcome]) -> dict[str, Any]:
    return {
        f"top1_{label}": _share(o.right for o in outcomes),
        f"wrong_{label}": _share(bool(o.names) and not o.right for o in outcomes),
        f"n_{label}": len(outcomes),
    }


def _calibration(outcomes: list[Outcome]) -> dict[str, Any]:
    """Confidence of the first name against whether it is right: expected calibration error and Brier score."""
    named = [o for o in outcomes if o.names]
    confidence = np.array([o.answer.found[0].confidence for o in named])
    right = np.array([o.right for o in named], float)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        np.count_nonzero(place == b) * abs(float(confidence[place == b].mean() - right[place == b].mean()))
        for b in np.unique(place)
    ]
    return {
        "named_n": len(named),
        "confidence_mean": round(float(confidence.mean()), 4),
        "right_of_named": round(float(right.mean()), 4),
        "ece": round(float(np.sum(gaps)) / len(named), 4),
        "brier": round(float(np.mean((confidence - right) ** 2)), 4),
    }


def _wrong_category(outcome: Outcome) -> bool:
    allowed = {category for nuclide in outcome.truth for category in nuclide.categories}
    return any(not allowed & set(found.nuclide.categories) for found in outcome.answer.found)


def _in(outcome: Outcome, name: str) -> bool:
    named = next(found.nuclide for found in outcome.answer.found if found.nuclide.name == name)
    return any(alike(named, nuclide) for nuclide in outcome.truth)


def _as_medical(outcome: Outcome) -> bool:
    harmless = all("medical" not in nuclide.categories for nuclide in outcome.truth)
    return harmless and any(found.nuclide.category == "medical" for found in outcome.answer.found)


def _share(marks: Iterable[bool]) -> float:
    values = list(marks)
    return round(sum(values) / len(values), 4)
