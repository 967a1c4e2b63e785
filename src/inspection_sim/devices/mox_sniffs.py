"""Whole sniffs of the simulated array: clean air, then a smell as a plume or a dock brings it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inspection_sim.devices.mox_array import CHANNELS, MoxArray, Unit

Floats = NDArray[np.float64]

PERIOD_S = 0.5


def plume_factor(samples: int, generator: np.random.Generator) -> Floats:
    """Concentration of an intermittent plume relative to its mean (samples,): whiffs that come and go."""
    walk = np.cumsum(generator.normal(0.0, 0.35, samples))
    whiffs = np.exp(walk - walk.mean())
    result: Floats = np.clip(whiffs / whiffs.mean(), 0.05, 4.0)
    return result


def sniff_ohm(
    unit: Unit, substance: str, ppm: Floats, clean_s: float, generator: np.random.Generator, humidity: float = 0.45
) -> Floats:
    """Resistances (T, 6) [Ω] at 2 Hz: ``clean_s`` of clean air, then ``ppm`` (samples,) of a substance."""
    array = MoxArray(unit, int(generator.integers(2**31)))
    clean = round(clean_s / PERIOD_S)
    rows = np.empty((clean + len(ppm), len(CHANNELS)))
    for place in range(len(rows)):
        air = {substance: float(ppm[place - clean])} if place >= clean and substance else {}
        array.set_air(air, humidity)
        array.advance(PERIOD_S)
        rows[place] = array.resistances_ohm()
    return rows
