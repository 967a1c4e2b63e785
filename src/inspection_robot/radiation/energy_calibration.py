"""Energy calibration from the background's own lines: offset, gain and curvature, with a figure for its quality.

Natural background is potassium, the radium and the thorium series, scattered in the surroundings. Their spectra are
fitted together to a measured background while the correction of the energy scale moves (posterior mode, with the
detector's usual deviations as the prior); the curvature of the deviance there and the faults of the natural shapes give
the deviations that are left.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.detectors import Detector
from inspection_robot.radiation.mixture_fit import Fit, fit, fit_amounts
from inspection_robot.radiation.nuclides import nuclides
from inspection_robot.radiation.response import CONTINUUM, THICK, templates
from inspection_robot.radiation.search import MOST_DEVIATIONS
from inspection_robot.radiation.spectrum import EnergyCorrection, Spectrum, rebin

Floats = NDArray[np.float64]

NATURAL: Final = ("K-40", "Ra-226", "Th-232")
LEAST_COUNTS: Final = 5000
MOST_MISFIT: Final = 3.0
SYSTEMATIC: Final = (3.0, 0.008, 2e-6)  # of offset [keV], gain, curvature [1/keV]: the natural shapes are not exact
CHECKED_KEV: Final = (100.0, 662.0, 1461.0)


@dataclass(frozen=True)
class Calibration:
    """An energy calibration.

    Attributes:
        correction: from the file's scale to true energies.
        deviations: standard deviations of offset [keV], gain and curvature [1/keV] that are left.
        energy_deviation_kev: standard deviation [keV] of the true energy at 100, 662 and 1461 keV.
        misfit: reduced deviance of the fit; 1 is perfect.
        usable: whether the fit is good enough to take the place of what is usual for the detector.
    """

    correction: EnergyCorrection
    deviations: tuple[float, float, float]
    energy_deviation_kev: tuple[float, float, float]
    misfit: float
    usable: bool


def calibrate(background: Spectrum, detector: Detector) -> Calibration:
    """Fit the energy scale of a background spectrum."""
    bank = templates(detector.resolution)
    names = [nuclide.name for nuclide in nuclides()]
    groups = [names.index(name) for name in NATURAL] + [CONTINUUM]
    shapes = bank.shapes[np.isin(bank.nuclide, groups) & (bank.shield == THICK)]
    edges = background.edges_kev()
    scale = np.array(detector.correction_deviation)

    def value(steps: Floats) -> tuple[float, float]:
        """Penalised deviance and plain deviance for a correction in the detector's standard deviations."""
        correction = EnergyCorrection(*map(float, detector.correction.as_array() + steps * scale))
        plain = float(_fit(rebin(background.counts, correction.apply(edges)), shapes).deviance[0])
        return plain + float(steps @ steps) * max(1.0, plain / shapes.shape[1]), plain

    steps = np.zeros(3)
    best, plain = value(steps)
    for size, _ in itertools.product((1.0, 0.5, 0.25, 0.1), range(2)):
        for axis, sign in itertools.product(np.eye(3), (-1.0, 1.0)):
            trial = steps + sign * size * axis
            while np.abs(trial).max() <= MOST_DEVIATIONS:
                now, now_plain = value(trial)
                if now >= best:
                    break
                best, plain, steps, trial = now, now_plain, trial, trial + sign * size * axis
    misfit = plain / shapes.shape[1]
    covariance = _covariance(lambda s: value(s)[0] / max(1.0, misfit), steps)
    covariance = covariance + np.diag((np.array(SYSTEMATIC) / scale) ** 2)
    deviations = np.sqrt(np.diagonal(covariance)) * scale
    at = np.array([[1.0, e, e * e] for e in CHECKED_KEV]) * scale
    energy_deviation = np.sqrt(np.einsum("ij,jk,ik->i", at, covariance, at))
    correction = EnergyCorrection(*map(float, detector.correction.as_array() + steps * scale))
    enough = float(background.counts[:-1].sum()) >= LEAST_COUNTS
    return Calibration(
        correction,
        (float(deviations[0]), float(deviations[1]), float(deviations[2])),
        (float(energy_deviation[0]), float(energy_deviation[1]), float(energy_deviation[2])),
        misfit,
        enough and misfit < MOST_MISFIT and bool(np.abs(steps).max() < MOST_DEVIATIONS - 0.1),
    )


def calibrated(detector: Detector, calibration: Calibration) -> Detector:
    """Return the detector with the energy scale that was measured, where it could be."""
    if not calibration.usable:
        return detector
    return replace(detector, correction=calibration.correction, correction_deviation=calibration.deviations)


def _fit(counts: Floats, shapes: Floats) -> Fit:
    """Fit all shapes together; the background of the fit proper is nothing."""
    nothing = np.full(len(counts), 1e-6)
    expected = np.maximum(counts, 1.0)
    result: Fit | None = None
    for _ in range(2):
        amounts = fit_amounts(counts, shapes, nothing, expected)
        result = fit(counts, (amounts @ shapes)[None, :], nothing, 1.0)
        expected = result.expected[0]
    assert result is not None
    return result


def _covariance(value: Callable[[Floats], float], steps: Floats, size: float = 0.3) -> Floats:
    """Inverse of half the second derivatives of a deviance by differences, kept positive by the unit prior."""
    centre = value(steps)
    hessian = np.zeros((3, 3))
    unit = np.eye(3) * size
    for i, j in itertools.combinations_with_replacement(range(3), 2):
        if i == j:
            both = value(steps + unit[i]) - 2.0 * centre + value(steps - unit[i])
        else:
            both = 0.25 * (
                value(steps + unit[i] + unit[j])
                - value(steps + unit[i] - unit[j])
                - value(steps - unit[i] + unit[j])
                + value(steps - unit[i] - unit[j])
            )
        hessian[i, j] = hessian[j, i] = 0.5 * both / size**2
    values, vectors = np.linalg.eigh(hessian)
    return np.asarray(vectors @ np.diag(1.0 / np.maximum(values, 1.0)) @ vectors.T)


def quality_percent(calibration: Calibration) -> float:
    """Relative standard deviation of the energy at 662 keV [percent], the figure shown to people."""
    return 100.0 * calibration.energy_deviation_kev[1] / CHECKED_KEV[1] if calibration.usable else math.nan
