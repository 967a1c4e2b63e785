"""What is known of each kind of spectrometer: resolution, and how far its energy scale may be off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from inspection_robot.radiation.response import Resolution
from inspection_robot.radiation.spectrum import EnergyCorrection


@dataclass(frozen=True)
class Detector:
    """A kind of spectrometer.

    Attributes:
        model: its name as files and devices give it.
        resolution: width of its peaks.
        correction: the correction of its energy scale that is expected before a spectrum is seen.
        correction_deviation: one standard deviation of offset [keV], gain and curvature [1/keV] about it.
        sensitivity_cps_per_usv_h: counts per second for 1 uSv/h of Cs-137; NaN when not known.
    """

    model: str
    resolution: Resolution
    correction: EnergyCorrection
    correction_deviation: tuple[float, float, float]
    sensitivity_cps_per_usv_h: float = float("nan")


# Resolution at 662 keV: maker's data sheets, 101 from the Cs-137 spectra of the Czech SURO. The 101's files carry a
# scale on which 59.5 keV reads 67, 662 reads 649 and 1408 reads 1360: scintillators of CsI(Tl) give more light per keV
# at low energies (Mengesha et al., IEEE Trans. Nucl. Sci. 45 (1998) 456) and the maker's quadratic does not follow.
DETECTORS: Final = (
    Detector("RadiaCode-101", Resolution(0.135), EnergyCorrection(-8.0, 1.028, 0.8e-5), (4.0, 0.012, 0.5e-5), 30.0),
    Detector("RadiaCode-102", Resolution(0.095), EnergyCorrection(), (5.0, 0.015, 0.5e-5), 30.0),
    Detector("RadiaCode-103", Resolution(0.084), EnergyCorrection(), (5.0, 0.015, 0.5e-5), 30.0),
    Detector("RadiaCode-110", Resolution(0.084), EnergyCorrection(), (5.0, 0.015, 0.5e-5), 77.0),
)
UNKNOWN: Final = Detector("unknown scintillator", Resolution(0.08), EnergyCorrection(), (6.0, 0.02, 0.5e-5))
HIGH_RESOLUTION: Final = Detector("germanium", Resolution(0.02, 2.0), EnergyCorrection(), (0.5, 0.001, 1e-7))


def detector_for(instrument: str, channels: int, last_edge_kev: float) -> Detector:
    """Return the detector of an instrument's name; an unnamed one with channels below 1 keV is taken for germanium."""
    for detector in DETECTORS:
        if detector.model.lower().replace("-", "") in instrument.lower().replace("-", "").replace(" ", ""):
            return detector
    if "radiacode" in instrument.lower():
        return DETECTORS[1]
    return HIGH_RESOLUTION if last_edge_kev / max(channels, 1) < 0.8 else UNKNOWN


@cache
def correction_steps() -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Corrections to try, in standard deviations of offset, gain and curvature about the expected one."""
    steps = [np.zeros(3)]
    steps += [sign * 1.2 * axis for axis in np.eye(3) for sign in (-1.0, 1.0)]
    steps += [np.array([a, b, 0.0]) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    steps += [np.array([0.0, b, -b]) for b in (-1.5, 1.5)] + [np.array([a, -a, 0.5 * a]) for a in (-2.0, 2.0)]
    return tuple(steps)
