"""Nuclide identification on measured spectra: top-1 at full time and at 3 s, industrial read as medical, time.

The truth is the nuclide named by the folder or file (`top1`). Where only a material is named, its main nuclide is
expected (`top1_materials`). Spectra whose name says neither must not be called medical, industrial or special nuclear.
"""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inspection_contract.errors import InputError
from inspection_robot.radiation.identify import Identification, identify
from inspection_robot.radiation.nuclides import by_name, nuclides
from inspection_robot.radiation.spectrum import Spectrum
from inspection_robot.radiation.spectrum_files import read_spectrum

# What is accepted for a material; series are in equilibrium, so their members share most lines.
MATERIALS = {
    "radon": {"Ra-226"}, "uraninite": {"Ra-226", "U-238"}, "pitchblende": {"Ra-226", "U-238"}, "radium": {"Ra-226"},
    "potassium": {"K-40"}, "thorium": {"Th-232", "Th-228"}, "uranium": {"U-238", "U-235", "Ra-226"},
    "lutetium": {"Lu-176"},
}  # fmt: skip
SUFFIXES = {".xml", ".n42", ".spe", ".cnf", ".csv", ".spc"}
SHORT_S = 3.0
SEED = 20261120


@dataclass(frozen=True)
class Case:
    """A file, its spectrum and the names that are right; none when the name says nothing."""

    path: Path
    spectrum: Spectrum
    truth: frozenset[str]
    material: bool = False


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DIR", help="folder of spectra")
    parser.add_argument("--repeats", type=int, default=5, help="random 3 s excerpts of each spectrum (%(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print each spectrum")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    cases = _cases(arguments.data)
    known = [case for case in cases if case.truth and not case.material]
    if not known:
        raise InputError(arguments.data, "no spectrum whose name tells its nuclide")
    generator = np.random.default_rng(SEED)
    identify(
        max((case.spectrum for case in cases), key=lambda s: s.counts.sum())
    )  # templates and libraries: loaded once
    started, started_cpu = time.perf_counter(), time.process_time()
    full = [identify(case.spectrum) for case in cases]
    elapsed, elapsed_cpu = time.perf_counter() - started, time.process_time() - started_cpu
    short_cases = [case for case in cases for _ in range(arguments.repeats)]
    short = [identify(case.spectrum.thinned(SHORT_S, generator)) for case in short_cases]
    if arguments.verbose:
        for case, answer in zip(cases, full, strict=True):
            print(case.path.name, sorted(case.truth), [n.nuclide.name for n in answer.found], answer.reason)
    return {
        "top1": _share_right(cases, full, material=False),
        "n": len(known),
        "top1_3s": _share_right(short_cases, short, material=False),
        "n_3s": len(known) * arguments.repeats,
        "top1_materials": _share_right(cases, full, material=True),
        "n_materials": sum(case.material for case in cases),
        "materials_named_at_all": _share_named(cases, full),
        "top1_materials_3s": _share_right(short_cases, short, material=True),
        "wrong_named": _wrong(cases, full),
        "wrong_named_3s": _wrong(short_cases, short),
        "industrial_as_medical": _as_medical([*cases, *short_cases], [*full, *short]),
        "unlabelled": sum(not case.truth for case in cases),
        "unlabelled_called_grave_or_medical": _alarming(cases, full),
        "nuclides_known": len(nuclides()),
        "ms_per_spectrum": round(1e3 * elapsed / len(cases), 2),
        "cpu_ms_per_spectrum": round(1e3 * elapsed_cpu / len(cases), 2),
    }


def _cases(folder: Path) -> list[Case]:
    if not folder.is_dir():
        raise InputError(folder, "no such folder")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(folder, "no spectra in it")
    return [Case(path, read_spectrum(path), *_truth(path.relative_to(folder))) for path in paths]


def _truth(path: Path) -> tuple[frozenset[str], bool]:
    """Names that are right for a file, and whether they stand for a material."""
    known = {nuclide.name for nuclide in nuclides()}
    for part in reversed(path.parts):
        names = {f"{m[0].capitalize()}-{m[1]}" for m in re.findall(r"(?<![A-Za-z])([A-Za-z]{1,2})-?(\d{2,3}m?)", part)}
        if names & known:
            return frozenset(names & known), False
        materials = [accepted for word, accepted in MATERIALS.items() if word in part.lower()]
        if materials:
            return frozenset().union(*materials), True
    return frozenset(), False


def _share_right(cases: list[Case], answers: list[Identification], material: bool) -> float | None:
    marks = [
        bool(answer.found) and answer.found[0].nuclide.name in case.truth
        for case, answer in zip(cases, answers, strict=True)
        if case.truth and case.material == material
    ]
    return round(sum(marks) / len(marks), 4) if marks else None


def _share_named(cases: list[Case], answers: list[Identification]) -> float | None:
    """Share of the materials whose nuclide is among all that are named, not only the strongest."""
    marks = [
        any(found.nuclide.name in case.truth for found in answer.found)
        for case, answer in zip(cases, answers, strict=True)
        if case.truth and case.material
    ]
    return round(sum(marks) / len(marks), 4) if marks else None


def _wrong(cases: list[Case], answers: list[Identification]) -> int:
    """Spectra given a wrong name; unidentified is no name."""
    return sum(
        bool(case.truth) and bool(answer.found) and answer.found[0].nuclide.name not in case.truth
        for case, answer in zip(cases, answers, strict=True)
    )


def _as_medical(cases: list[Case], answers: list[Identification]) -> int:
    return sum(
        any(n.nuclide.category == "medical" for n in answer.found)
        for case, answer in zip(cases, answers, strict=True)
        if case.truth and all(by_name(name).category != "medical" for name in case.truth)
    )


def _alarming(cases: list[Case], answers: list[Identification]) -> int:
    return sum(
        any(n.nuclide.category != "norm" for n in answer.found)
        for case, answer in zip(cases, answers, strict=True)
        if not case.truth
    )
