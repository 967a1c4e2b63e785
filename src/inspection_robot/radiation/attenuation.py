"""Mass attenuation coefficients: shielding of spectra and walls of the field map."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Energy [keV] and mu/rho [cm2/g]: NIST, Hubbell & Seltzer, NISTIR 5632 (1995).
_ENERGY_KEV: Final = np.array(
    [15, 20, 30, 40, 50, 60, 80, 88.0, 88.01, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1250, 1500, 2000, 3000],
    float,
)
_TABLES: Final[dict[str, tuple[float, ...]]] = {
    "water": (
        1.673, 0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1781, 0.1781, 0.1707, 0.1505, 0.1370, 0.1186, 0.1061,
        0.09687, 0.08956, 0.07865, 0.07072, 0.06323, 0.05754, 0.04942, 0.03969,
    ),
    "concrete": (
        7.012, 3.027, 0.9962, 0.5106, 0.3412, 0.2660, 0.2014, 0.1886, 0.1886, 0.1738, 0.1436, 0.1282, 0.1097, 0.09783,
        0.08915, 0.08236, 0.07227, 0.06495, 0.05807, 0.05288, 0.04557, 0.03701,
    ),
    "steel": (
        57.08, 25.68, 8.176, 3.629, 1.958, 1.205, 0.5952, 0.4850, 0.4850, 0.3717, 0.1964, 0.1460, 0.1099, 0.09400,
        0.08414, 0.07704, 0.06699, 0.05995, 0.05350, 0.04883, 0.04265, 0.03621,
    ),
    "lead": (
        111.6, 86.36, 30.32, 14.36, 8.041, 5.021, 2.419, 1.910, 7.683, 5.549, 2.014, 0.9985, 0.4031, 0.2323,
        0.1614, 0.1248, 0.08870, 0.07102, 0.05876, 0.05222, 0.04606, 0.04234,
    ),
}  # fmt: skip
DENSITY_G_CM3: Final = {"water": 1.0, "concrete": 2.3, "steel": 7.87, "lead": 11.35}
MATERIALS: Final = tuple(_TABLES)


def mass_attenuation_cm2_g(material: str, energy_kev: Floats | float) -> Floats:
    """Return mu/rho [cm2/g] of a material of :data:`MATERIALS` at photon energies [keV], interpolated log-log."""
    table = np.log(np.array(_TABLES[material]))
    return np.asarray(np.exp(np.interp(np.log(np.maximum(energy_kev, 1.0)), np.log(_ENERGY_KEV), table)))


def linear_attenuation_per_m(material: str, energy_kev: float) -> float:
    """Return mu [1/m] of a material at one photon energy [keV]."""
    return float(mass_attenuation_cm2_g(material, energy_kev)) * DENSITY_G_CM3[material] * 100.0
