"""Synthetic spectra that differ from the templates in all that is not known of a real one.

The energy scale and the resolution are drawn within the detector's deviations, shields and scatter are not those of
the templates, the response is wrong by a smooth fault, the background changes. Only the lines and the crystal are the
same as the search's; what that hides only measured spectra show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.attenuation import mass_attenuation_cm2_g
from inspection_robot.radiation.detectors import DETECTORS, Detector
from inspection_robot.radiation.nuclides import Nuclide
from inspection_robot.radiation.response import (
    BIN_CENTRES_KEV,
    BIN_EDGES_KEV,
    GRID_KEV,
    ambient_shape,
    deposit_matrix,
    line_flux,
    scatter_matrix,
    smearing_matrix,
)
from inspection_robot.radiation.spectrum import EnergyCorrection, Spectrum

Floats = NDArray[np.float64]

COEFFICIENTS_KEV: Final = (-6.0, 2.44, 0.0004)
MATERIALS: Final = ("water", "steel", "concrete", "lead")
LEAST_PASSED = 0.02  # a shield that lets through less than this share of the photons leaves nothing to identify


@dataclass(frozen=True)
class Conditions:
    """How a spectrum is measured, and by how much reality differs from what is known.

    Attributes:
        source_cps: count rate of all sources together [1/s].
        live_time_s: live time [s].
        detector: the detector.
        channels: its channels.
        shield_g_cm2: greatest areal density of the shield [g/cm²]; a third of it for lead.
        background_cps: count rate of the background [1/s].
        background_s: live time of the measured background [s].
        response_fault: relative fault of the response, smooth in energy.
        background_change: relative change of the background since it was measured.
        width_fault: relative fault of the resolution.
    """

    source_cps: float = 60.0
    live_time_s: float = 60.0
    detector: Detector = DETECTORS[1]
    channels: int = 1024
    shield_g_cm2: float = 4.0
    background_cps: float = 6.4
    background_s: float = 3600.0
    response_fault: float = 0.1
    background_change: float = 0.05
    width_fault: float = 0.06


def synthetic_spectrum(sources: tuple[Nuclide, ...], given: Conditions, random: np.random.Generator) -> Spectrum:
    """Return a spectrum, with its background, of some nuclides in equal parts."""
    detector = given.detector
    parts = [_shape(nuclide, given, random) for nuclide in sources]
    shape = np.sum(parts, axis=0) / len(parts)
    steps = np.clip(random.standard_normal(3), -2.0, 2.0) * np.array(detector.correction_deviation)
    correction = EnergyCorrection(*map(float, detector.correction.as_array() + steps))
    wider = 1024 / given.channels
    coefficients = (COEFFICIENTS_KEV[0], COEFFICIENTS_KEV[1] * wider, COEFFICIENTS_KEV[2] * wider**2)
    edges = correction.apply(np.polynomial.polynomial.polyval(np.arange(given.channels + 1.0), coefficients))
    ambient = given.background_cps * _in_channels(ambient_shape(detector.resolution), edges)
    change = 1.0 + given.background_change * random.standard_normal()
    expected = given.source_cps * _in_channels(shape, edges) + change * ambient
    empty = Spectrum(
        random.poisson(ambient * given.background_s), coefficients, given.background_s, given.background_s,
        detector.model,
    )  # fmt: skip
    time_s = given.live_time_s
    counts = random.poisson(expected * time_s)
    return replace(empty, counts=counts, live_time_s=time_s, real_time_s=time_s, background=empty)


def _shape(nuclide: Nuclide, given: Conditions, random: np.random.Generator) -> Floats:
    """One nuclide behind a random shield with random scatter in a detector of slightly other response; sums to 1."""
    flux = line_flux(nuclide.energies_kev, nuclide.intensities)
    material = MATERIALS[int(random.integers(len(MATERIALS)))]
    areal = random.uniform(0.3, given.shield_g_cm2) * (0.3 if material == "lead" else 1.0)
    passed = flux * np.exp(-mass_attenuation_cm2_g(material, GRID_KEV) * areal)
    if passed.sum() < LEAST_PASSED * flux.sum():  # nothing would be left to name: only the detector's case then
        passed = flux * np.exp(-mass_attenuation_cm2_g("water", GRID_KEV) * 0.3)
    scattered = passed @ scatter_matrix(-1.0, round(float(random.uniform(-0.3, 1.0)), 1))
    passed = passed + random.uniform(0.1, 2.5) * scattered
    known = given.detector.resolution
    resolution = replace(known, fwhm_662=round(known.fwhm_662 * random.lognormal(0.0, given.width_fault), 3))
    shape = passed @ deposit_matrix() @ smearing_matrix(resolution)
    knots_kev = np.geomspace(25.0, 2800.0, 9)
    fault = np.interp(BIN_CENTRES_KEV, knots_kev, given.response_fault * random.standard_normal(len(knots_kev)))
    shape = shape * np.exp(fault)
    return np.asarray(shape / shape.sum())


def _in_channels(shape: Floats, edges_kev: Floats) -> Floats:
    cumulative = np.concatenate([[0.0], np.cumsum(shape)])
    return np.diff(np.interp(edges_kev, BIN_EDGES_KEV, cumulative))
