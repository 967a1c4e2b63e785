"""A simulated array of six metal-oxide gas sensors: what each substance does to each channel, lags, noise, drift.

Each channel follows a power law of the mixture, Rs = R0·(1 + x/x0)^(−β) with x = Σ s·c, then a low-pass that is faster
up than down; the channel TGS2620 has the lag and, for ethanol, the exponent of Figaro's sensor as measured by Monroy
et al. (Sensors 17 (2017) 1479): 2.96 s, 15.71 s, 0.7155. The sensitivities of the other channels and substances are
invented, chosen so that substances of one family resemble each other: this array proves the software, no chemistry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHANNELS: Final = ("TGS2600", "TGS2602", "TGS2603", "TGS2610", "TGS2611", "TGS2620")
SENSITIVITIES: Final[Mapping[str, tuple[float, ...]]] = {
    # effective concentration on each channel for 1 ppm of vapour, relative to ethanol on the TGS2620 [1]
    "beef": (0.30, 2.60, 4.20, 0.10, 0.08, 0.35),
    "pork": (0.34, 2.10, 4.60, 0.13, 0.10, 0.30),
    "fish": (0.25, 1.10, 9.50, 0.08, 0.06, 0.20),
    "shrimp": (0.22, 0.90, 7.80, 0.12, 0.05, 0.26),
    "cheese": (0.90, 5.20, 1.60, 0.25, 0.10, 0.60),
    "mango": (1.60, 1.50, 0.30, 0.60, 0.20, 2.20),
    "citrus": (2.40, 1.90, 0.25, 1.10, 0.25, 2.00),
    "apple": (1.30, 1.20, 0.40, 0.50, 0.30, 2.60),
    "flowers": (3.00, 4.00, 0.60, 0.40, 0.90, 0.80),
    "soil": (0.50, 0.60, 0.80, 1.60, 4.50, 0.40),
    "ethanol": (0.80, 0.50, 0.35, 0.30, 0.15, 1.00),
    "coffee": (2.00, 3.40, 2.80, 0.90, 0.50, 2.40),
}
CLEAN_OHM: Final = np.array([40e3, 60e3, 50e3, 8e3, 5e3, 30e3])
EXPONENTS: Final = np.array([0.62, 0.90, 0.74, 0.55, 0.50, 0.7155])
HALF_CONCENTRATION: Final = np.array([2.0, 1.0, 1.5, 6.0, 8.0, 2.5])  # x0 [ppm]
RISE_S: Final = np.array([2.5, 2.0, 2.8, 3.0, 3.2, 2.96])
FALL_S: Final = np.array([12.0, 18.0, 20.0, 10.0, 9.0, 15.71])
HUMIDITY_EXPONENT: Final = np.array([0.25, 0.35, 0.30, 0.10, 0.12, 0.25])  # R ∝ (humidity/0.45)^−e
NOISE: Final = 0.004  # relative standard deviation of one reading [1]


@dataclass(frozen=True)
class Unit:
    """What makes one board different from another: (6,) factors on clean-air resistance and on sensitivity."""

    clean: Floats
    sensitivity: Floats


def make_unit(seed: int, drift: float = 0.0) -> Unit:
    """Draw a board: 25 % spread of clean-air resistance, 12 % of sensitivity; ``drift`` adds ageing to both [1]."""
    generator = np.random.default_rng(seed)
    clean = 0.25 * generator.standard_normal(len(CHANNELS))
    sensitivity = 0.12 * generator.standard_normal(len(CHANNELS))
    aging = drift * generator.standard_normal((2, len(CHANNELS)))
    return Unit(np.exp(clean + aging[0]), np.exp(sensitivity + aging[1]))


class MoxArray:
    """The array's state: effective concentration behind each channel's lag, and its damages."""

    def __init__(self, unit: Unit, seed: int) -> None:
        self.unit = unit
        self._generator = np.random.default_rng(seed)
        self._felt = np.zeros(len(CHANNELS))
        self._concentration = np.zeros(len(CHANNELS))
        self._humidity = 0.45
        self._poison = np.ones(len(CHANNELS))
        self._stuck: dict[int, float] = {}

    def set_air(self, concentrations_ppm: Mapping[str, float], relative_humidity: float = 0.45) -> None:
        """Set what is in the air: ppm of each substance of :data:`SENSITIVITIES`, and the humidity, 0..1."""
        total = np.zeros(len(CHANNELS))
        for substance, ppm in concentrations_ppm.items():
            total += np.array(SENSITIVITIES[substance]) * ppm
        self._concentration = total
        self._humidity = relative_humidity

    def poison(self, channel: str, factor: float) -> None:
        """Multiply a channel's sensitivity: 0.1 is a poisoned sensor, 1 a healthy one."""
        self._poison[CHANNELS.index(channel)] = factor

    def stick(self, channel: str, stuck: bool) -> None:
        """Hold a channel at its present resistance, or let it go."""
        index = CHANNELS.index(channel)
        if stuck:
            self._stuck[index] = float(self._ideal_ohm()[index])
        else:
            self._stuck.pop(index, None)

    def advance(self, duration_s: float) -> None:
        """Let the sensors follow the air for ``duration_s`` [s]."""
        target = self._concentration * self.unit.sensitivity * self._poison
        lag = np.where(target > self._felt, RISE_S, FALL_S)
        self._felt = target + (self._felt - target) * np.exp(-duration_s / lag)

    def resistances_ohm(self) -> Floats:
        """One reading with noise (6,) [Ω]."""
        noisy = self._ideal_ohm() * np.exp(NOISE * self._generator.standard_normal(len(CHANNELS)))
        for index, value in self._stuck.items():
            noisy[index] = value
        return noisy

    def _ideal_ohm(self) -> Floats:
        gas = (1.0 + self._felt / HALF_CONCENTRATION) ** -EXPONENTS
        water = (max(self._humidity, 0.01) / 0.45) ** -HUMIDITY_EXPONENT
        result: Floats = CLEAN_OHM * self.unit.clean * gas * water
        return result
