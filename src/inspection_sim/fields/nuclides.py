"""Gamma lines and attenuation data of the simulated radiation field.

Lines: energies and emission probabilities per decay, rounded, from the Decay Data Evaluation Project (LNE-LNHB);
chains are in equilibrium. Attenuation: photon mass attenuation coefficients of NIST SRD 126 (Hubbell and Seltzer);
mass energy-absorption coefficients of dry air from the same tables; ambient dose equivalent H*(10) per air kerma
from ICRP Publication 74, Table A.21.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

NUCLIDES: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "Am-241": ((26.34, 0.023), (59.54, 0.359)),
    "Ba-133": ((30.85, 0.96), (81.0, 0.333), (276.4, 0.071), (302.85, 0.183), (356.01, 0.620), (383.85, 0.089)),
    "Co-57": ((122.06, 0.855), (136.47, 0.107)),
    "Co-60": ((1173.23, 0.9985), (1332.49, 0.9998)),
    "Cs-137": ((32.06, 0.055), (661.66, 0.850)),
    "F-18": ((511.0, 1.937),),
    "Ga-67": ((93.31, 0.386), (184.58, 0.211), (300.22, 0.167), (393.53, 0.046)),
    "I-131": ((80.19, 0.026), (284.31, 0.061), (364.49, 0.815), (636.99, 0.071), (722.91, 0.018)),
    "Ir-192": ((295.96, 0.287), (308.46, 0.297), (316.51, 0.829), (468.07, 0.478), (604.41, 0.082)),
    "K-40": ((1460.82, 0.1055),),
    "Ra-226": ((186.21, 0.036), (295.22, 0.184), (351.93, 0.356), (609.31, 0.455), (1120.29, 0.149), (1764.49, 0.153)),
    "Tc-99m": ((140.51, 0.885),),
    "Th-232": ((238.63, 0.436), (338.32, 0.113), (583.19, 0.304), (911.2, 0.258), (968.97, 0.158), (2614.51, 0.358)),
    "Tl-201": ((70.0, 0.74), (80.2, 0.20), (135.31, 0.026), (167.45, 0.100)),
}
"""Nuclide → ((energy [keV], photons per decay), …)."""

_ENERGY_KEV: Final = np.array(
    [20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1250, 1500, 2000, 3000], dtype=np.float64
)
_MASS_ATTENUATION: Final = {
    "water": [
        0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505, 0.1370, 0.1186, 0.1061, 0.09687,
        0.08956, 0.07865, 0.07072, 0.06323, 0.05754, 0.04942, 0.03969,
    ],
    "concrete": [
        2.806, 0.9601, 0.5058, 0.3412, 0.2660, 0.2014, 0.1738, 0.1436, 0.1282, 0.1097, 0.09783, 0.08915,
        0.08236, 0.07227, 0.06495, 0.05807, 0.05288, 0.04557, 0.03701,
    ],
    "aluminium": [
        3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018, 0.1704, 0.1378, 0.1223, 0.1042, 0.09276, 0.08445, 0.07802,
        0.06841, 0.06146, 0.05496, 0.05006, 0.04324, 0.03541,
    ],
    "iron": [
        25.68, 8.176, 3.629, 1.958, 1.205, 0.5952, 0.3717, 0.1964, 0.1460, 0.1099, 0.0940, 0.08414, 0.07704,
        0.06699, 0.05995, 0.05350, 0.04883, 0.04265, 0.03621,
    ],
    "lead": [
        86.36, 30.32, 14.36, 8.041, 5.021, 2.419, 5.549, 2.014, 0.9985, 0.4031, 0.2323, 0.1614, 0.1248, 0.08870,
        0.07102, 0.05876, 0.05222, 0.04606, 0.04234,
    ],
}  # fmt: skip
"""μ/ρ [cm²/g] at :data:`_ENERGY_KEV`; lead's K edge at 88 keV lies between two nodes."""
_DENSITY: Final = {"water": 1.0, "concrete": 2.3, "aluminium": 2.699, "iron": 7.874, "lead": 11.35}
"""[g/cm³]"""
_AIR_ABSORPTION: Final = np.array([
    0.5389, 0.1537, 0.06833, 0.04098, 0.03041, 0.02407, 0.02325, 0.02496, 0.02672, 0.02872, 0.02949, 0.02966,
    0.02953, 0.02882, 0.02789, 0.02666, 0.02547, 0.02345, 0.02057,
])  # fmt: skip
"""μ_en/ρ of dry air [cm²/g]"""
_DOSE_PER_KERMA: Final = np.array([
    0.61, 1.10, 1.47, 1.67, 1.74, 1.72, 1.65, 1.49, 1.40, 1.31, 1.26, 1.23, 1.21, 1.19, 1.17, 1.16, 1.15, 1.14,
    1.13,
])  # fmt: skip
"""H*(10) / K_a [Sv/Gy]"""
MATERIALS: Final = tuple(_DENSITY)


def lines(nuclide: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return energies [keV] and photons per decay of a nuclide, each of shape (n,)."""
    table = np.array(NUCLIDES[nuclide])
    return table[:, 0], table[:, 1]


def linear_attenuation(material: str, energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return μ [1/m] of a material at some energies, by log-log interpolation."""
    log_value = np.interp(np.log(energy_kev), np.log(_ENERGY_KEV), np.log(_MASS_ATTENUATION[material]))
    return np.asarray(100.0 * _DENSITY[material] * np.exp(log_value))


def dose_rate_per_flux(energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ambient dose equivalent rate [µSv/h] of one photon per m² and second at some energies."""
    at = np.log(energy_kev)
    absorption_m2_kg = 0.1 * np.exp(np.interp(at, np.log(_ENERGY_KEV), np.log(_AIR_ABSORPTION)))
    conversion = np.interp(at, np.log(_ENERGY_KEV), _DOSE_PER_KERMA)
    joule = energy_kev * 1.602176634e-16
    return np.asarray(joule * absorption_m2_kg * conversion * 3600.0 * 1e6)
