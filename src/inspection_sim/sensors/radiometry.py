"""Radiometry of an uncooled 8–14 µm camera: surfaces → radiance → apparent temperature.

r = τ·[ε·L(T) + (1−ε)·L(T_refl)] + (1−τ)·L(T_air), L the band integral of Planck's law (thermal.md).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BAND_M: Final = (8e-6, 14e-6)
_TABLE_K: Final = np.arange(150.0, 1500.5, 0.25)

_X: Final = 1.9
_ALPHA: Final = (0.006569, 0.01262)
_BETA: Final = (-0.002276, -0.00667)
_HUMIDITY: Final = (1.5587, 0.06939, -2.7816e-4, 6.8455e-7)


def _band_table() -> NDArray[np.float64]:
    """Integrate Planck's law over the band by Simpson's rule for every temperature of the table [W m⁻² sr⁻¹]."""
    wavelength = np.linspace(*_BAND_M, 121)
    c1, c2 = 1.191042972e-16, 1.438776877e-2  # 2hc² [W m² sr⁻¹], hc/k [m K] (CODATA 2018)
    spectral = c1 / wavelength**5 / np.expm1(c2 / (wavelength * _TABLE_K[:, None]))
    weights = np.where(np.arange(121) % 2, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    table: NDArray[np.float64] = spectral @ weights * (wavelength[1] - wavelength[0]) / 3.0
    return table


_TABLE: Final = _band_table()


def radiance(temperature_k: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the band radiance of a black body [W m⁻² sr⁻¹]; any shape, 150..1500 K."""
    return np.asarray(np.interp(temperature_k, _TABLE_K, _TABLE))


def apparent_temperature(band_radiance: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the temperature of the black body of that band radiance [K]; the inverse of :func:`radiance`."""
    return np.asarray(np.interp(band_radiance, _TABLE, _TABLE_K))


def surface_radiance(
    temperature_k: NDArray[np.float64], emissivity: NDArray[np.float64], reflected_k: float
) -> NDArray[np.float64]:
    """Return what leaves a surface: emitted and reflected [W m⁻² sr⁻¹]."""
    return emissivity * radiance(temperature_k) + (1.0 - emissivity) * radiance(reflected_k)


def transmission(distance_m: NDArray[np.float64], air_c: float, relative_humidity: float) -> NDArray[np.float64]:
    """Return the transmission of air over some distances [m] (the FLIR model; constants of thermal.md)."""
    k0, k1, k2, k3 = _HUMIDITY
    water = relative_humidity * np.exp(k0 + k1 * air_c + k2 * air_c**2 + k3 * air_c**3)
    root = np.sqrt(np.maximum(distance_m, 0.0))
    terms = [np.exp(-root * (a + b * np.sqrt(water))) for a, b in zip(_ALPHA, _BETA, strict=True)]
    return np.asarray(np.clip(_X * terms[0] + (1.0 - _X) * terms[1], 0.0, 1.0))
