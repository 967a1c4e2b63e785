"""`./robot identify FILE…`: name the nuclides in gamma spectra, with a verdict and an N42 file beside it on request."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspection_contract.errors import InputError
from inspection_contract.resources import share, state
from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.radiation.adjudicate import Rules, Situation, load_rules
from inspection_robot.radiation.detectors import detector_for
from inspection_robot.radiation.energy_calibration import calibrate, quality_percent
from inspection_robot.radiation.identify import Identification, identify
from inspection_robot.radiation.n42 import write_n42
from inspection_robot.radiation.raddata import raddata_uris
from inspection_robot.radiation.search import has_energy_scale
from inspection_robot.radiation.spectrum import Spectrum
from inspection_robot.radiation.spectrum_files import read_spectrum


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="N42, RadiaCode XML, SPE, CNF, CSV")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--background", metavar="FILE", help="background spectrum for files that hold none")
    parser.add_argument("--output", metavar="FOLDER", help="where N42 files go (default: n42 in the state folder)")
    parser.add_argument("--raddata", action="store_true", help="print the spectrum as RADDATA text for QR codes")


def run(arguments: argparse.Namespace) -> int:
    """Identify every file."""
    rules = load_rules(share() / "config" / "radiation_rules.yaml")
    background = read_spectrum(Path(arguments.background)) if arguments.background else None
    folder = _folder(arguments.output)

    def process(name: str) -> None:
        spectrum = read_spectrum(Path(name))
        if spectrum.background is None and background is not None:
            spectrum = replace(spectrum, background=replace(background, background=None))
        identification = identify(spectrum)
        path = _write(folder, Path(name), spectrum, identification)
        result = summarise(name, spectrum, identification, rules, path)
        if arguments.raddata:
            result["raddata"] = list(raddata_uris(spectrum))
        if arguments.json:
            print_json(result)
        else:
            _print_text(result)

    return for_each("identify", arguments.files, process)


def summarise(name: str, spectrum: Spectrum, identification: Identification, rules: Rules, n42: Path) -> dict[str, Any]:
    """Return the result of one file as the command prints it."""
    verdict = rules.decide(identification, Situation())
    return {
        "file": name,
        "nuclides": [
            {"name": n.nuclide.name, "confidence": round(n.confidence, 4), "category": n.nuclide.category}
            for n in identification.found
        ],
        "verdict": verdict.verdict,
        "reason": identification.reason or verdict.reason,
        "rule": verdict.rule_id,
        "energy_scale": _energy_scale(spectrum, identification),
        "live_time_s": round(spectrum.live_time_s, 3),
        "n42": str(n42),
    }


def _energy_scale(spectrum: Spectrum, identification: Identification) -> dict[str, Any]:
    """The correction used, and how well the background's own lines fix the scale; null where they cannot."""
    used = identification.correction
    result: dict[str, Any] = {
        "offset_kev": round(used.offset_kev, 3),
        "gain": round(used.gain, 5),
        "curvature_per_kev": round(used.curvature_per_kev, 8),
        "background_quality_percent": None,
    }
    if spectrum.background is not None and has_energy_scale(spectrum.background):
        edge_kev = float(spectrum.edges_kev()[-1]) if spectrum.coefficients_kev else 0.0
        detector = detector_for(spectrum.instrument, len(spectrum.counts), edge_kev)
        calibration = calibrate(spectrum.background, detector)
        if calibration.usable:
            result["background_quality_percent"] = round(quality_percent(calibration), 2)
    return result


def _folder(text: str | None) -> Path:
    folder = Path(text) if text is not None else state() / "n42"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, error.strerror or "cannot be made") from error
    return folder


def _write(folder: Path, source: Path, spectrum: Spectrum, identification: Identification) -> Path:
    """Write the N42 file; the same input gets the same name, other inputs of that name another one."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    target = folder / f"{source.stem}-{digest}.n42"
    try:
        target.write_bytes(write_n42(spectrum, identification))
    except OSError as error:
        raise InputError(target, error.strerror or "cannot be written") from error
    return target


def _print_text(result: dict[str, Any]) -> None:
    found = ", ".join(f"{n['name']} ({n['category']}, {n['confidence']:.0%})" for n in result["nuclides"])
    print(f"{result['file']}: {result['verdict']}: {found or 'unidentified'} [{result['reason']}]")
    print(f"  {result['n42']}")
    for uri in result.get("raddata", []):
        print(f"  {uri}")
