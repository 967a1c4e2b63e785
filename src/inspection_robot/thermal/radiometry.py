"""From a camera's signal to the temperature of the object: Planck curve, emissivity, reflection, atmosphere.

The camera sees ``signal = ε τ W(object) + (1-ε) τ W(reflected) + (1-τ) W(atmosphere)`` where W is the signal of a
blackbody (FLIR, *The measurement formula*, user's manual; Minkina & Dudzik 2009, ch. 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.thermal.frames import CELSIUS_ZERO_KELVIN

SKIN_EMISSIVITY = 0.98
"""Of human skin in the long-wave band, any complexion (Steketee 1973: 0.98 ± 0.01)."""

# A long-wave microbolometer's signal over 20–45 °C follows a Planck curve of this second radiation constant over its
# effective wavelength; the median of FLIR's published camera constants (PlanckB ≈ 1400–1510 K).
LONGWAVE_B_KELVIN = 1430.0


@dataclass(frozen=True)
class PlanckConstants:
    """Camera constants of ``W(T) = R1 / (R2 (exp(B/T) - F)) - O`` with T in kelvin, W in raw counts."""

    r1: float
    r2: float
    b: float
    f: float
    o: float

    def signal(self, celsius: float) -> float:
        """Raw signal of a blackbody at ``celsius`` [counts]."""
        return self.r1 / (self.r2 * (math.exp(self.b / (celsius + CELSIUS_ZERO_KELVIN)) - self.f)) - self.o

    def celsius(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Temperature of a blackbody of raw ``signal`` [°C]; below the curve's range the result is NaN."""
        ratio = self.r1 / (self.r2 * (signal + self.o)) + self.f
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(ratio > 1.0, self.b / np.log(np.maximum(ratio, 1e-12)), np.nan) - CELSIUS_ZERO_KELVIN


@dataclass(frozen=True)
class AtmosphereConstants:
    """Constants of FLIR's two-term transmission model; the defaults are those that FLIR cameras carry."""

    x: float = 1.9
    alpha1: float = 0.006569
    alpha2: float = 0.012620
    beta1: float = -0.002276
    beta2: float = -0.006670


@dataclass(frozen=True)
class Surroundings:
    """What lies around and between camera and object.

    Attributes:
        emissivity: Of the object [1].
        reflected_celsius: Reflected apparent temperature [°C].
        atmosphere_celsius: Air temperature on the path [°C].
        relative_humidity: 0..1 [1].
        distance_m: Path length [m].
        window_celsius: Temperature of an infrared window before the camera [°C].
        window_transmission: Of that window; 1 when there is none [1].
    """

    emissivity: float = SKIN_EMISSIVITY
    reflected_celsius: float = 22.0
    atmosphere_celsius: float = 22.0
    relative_humidity: float = 0.5
    distance_m: float = 1.0
    window_celsius: float = 22.0
    window_transmission: float = 1.0


def transmission(surroundings: Surroundings, constants: AtmosphereConstants | None = None) -> float:
    """Transmission of the air between object and camera, 0..1 (FLIR's model, h in g/m³ of water)."""
    model = constants or AtmosphereConstants()
    t = surroundings.atmosphere_celsius
    water = surroundings.relative_humidity * math.exp(1.5587 + 0.06939 * t - 2.7816e-4 * t**2 + 6.8455e-7 * t**3)
    root_distance = math.sqrt(max(surroundings.distance_m, 0.0))
    root_water = math.sqrt(max(water, 0.0))
    first = model.x * math.exp(-root_distance * (model.alpha1 + model.beta1 * root_water))
    second = (1.0 - model.x) * math.exp(-root_distance * (model.alpha2 + model.beta2 * root_water))
    return first + second


def object_celsius(
    raw: NDArray[np.uint16],
    planck: PlanckConstants,
    surroundings: Surroundings,
    atmosphere: AtmosphereConstants | None = None,
) -> NDArray[np.float64]:
    """Object temperature from raw counts of a radiometric camera.

    The path is split in halves before and behind the window, as FLIR's formula does.

    Args:
        raw: Counts, any shape.
        planck: The camera's Planck constants.
        surroundings: Emissivity, reflected and air temperature, distance, humidity, window.
        atmosphere: The camera's constants of the transmission model.

    Returns:
        Temperature [°C], float64 of the same shape; NaN where the signal lies outside the Planck curve.
    """
    near = Surroundings(**{**surroundings.__dict__, "distance_m": surroundings.distance_m / 2.0})
    tau = transmission(near, atmosphere)
    emissivity, window = surroundings.emissivity, surroundings.window_transmission
    reflected = planck.signal(surroundings.reflected_celsius)
    air = planck.signal(surroundings.atmosphere_celsius)
    glass = planck.signal(surroundings.window_celsius)
    signal = raw.astype(np.float64) / (emissivity * tau * window * tau)
    signal -= (1.0 - emissivity) / emissivity * reflected
    signal -= (1.0 - tau) / (emissivity * tau) * air
    signal -= (1.0 - window) / (emissivity * tau * window) * glass
    signal -= (1.0 - tau) / (emissivity * tau * window * tau) * air
    return planck.celsius(signal)


def object_celsius_from_apparent(
    apparent_celsius: NDArray[np.floating], surroundings: Surroundings
) -> NDArray[np.float64]:
    """Object temperature from the blackbody-equivalent temperatures of a camera that already works in °C.

    The correction is made in the signal domain of a long-wave camera (``exp(-B/T)``, Wien's approximation of the Planck
    curve; between -20 and 150 °C the error this adds is below 1 % of the correction).

    Args:
        apparent_celsius: What the camera says, any shape [°C].
        surroundings: Emissivity, reflected and air temperature, distance, humidity; the window is not considered.

    Returns:
        Temperature [°C], float64 of the same shape; NaN where less comes in than is reflected.
    """
    tau = transmission(surroundings)
    emissivity = surroundings.emissivity

    def signal(celsius: NDArray[np.floating] | float) -> NDArray[np.float64]:
        return np.exp(-LONGWAVE_B_KELVIN / (np.asarray(celsius, np.float64) + CELSIUS_ZERO_KELVIN))

    total = signal(apparent_celsius) - (1.0 - emissivity) * tau * signal(surroundings.reflected_celsius)
    total = (total - (1.0 - tau) * signal(surroundings.atmosphere_celsius)) / (emissivity * tau)
    with np.errstate(divide="ignore"):
        kelvin = -LONGWAVE_B_KELVIN / np.log(np.where(total > 0, total, np.nan))
    return np.asarray(kelvin - CELSIUS_ZERO_KELVIN)
