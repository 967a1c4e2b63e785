"""Smell: the filament model of gas dispersion and metal-oxide sensors in it.

Filaments are released by each source, carried by the wind and by turbulence, and grow by molecular diffusion:
σ² = σ₀² + γt; concentration C = Σ ppm₀·(σ₀/σ)³·exp(−r²/2σ²). Source: Monroy et al., "GADEN: A 3D gas dispersion
simulator for mobile robot olfaction in realistic environments", Sensors 17 (2017) 1479.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SUBSTANCES: Final[dict[str, str]] = {
    "beef": "meat", "pork": "meat", "fish": "seafood", "shrimp": "seafood", "cheese": "dairy", "mango": "fruit",
    "citrus": "fruit", "apple": "fruit", "flowers": "plant", "soil": "soil", "ethanol": "solvent",
    "coffee": "permitted",
}  # fmt: skip
"""Substance → family, the class list of detector-dog training (odor.md)."""

STEP_S: Final = 0.1
SIGMA_0_M: Final = 0.10
GROWTH_M2_S: Final = 10e-4
"""γ, growth of a filament's variance [m²/s]."""
STEP_NOISE_M: Final = 0.02
"""Standard deviation of the turbulent step per :data:`STEP_S` [m]."""
FILAMENTS_PER_S: Final = 10
LIFE_S: Final = 60.0


@dataclass(frozen=True)
class Plume:
    """Filaments in the air.

    Attributes:
        position: (n, 3) [m].
        age_s: (n,) [s].
        ppm: (n,) concentration at the centre when released [ppm].
        source: (n,) index of the source.
    """

    position: NDArray[np.float64]
    age_s: NDArray[np.float64]
    ppm: NDArray[np.float64]
    source: NDArray[np.int64]

    @staticmethod
    def empty() -> Plume:
        """Return clean air."""
        return Plume(np.empty((0, 3)), np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))


def step(
    plume: Plume, sources: NDArray[np.float64], ppm: NDArray[np.float64], wind: NDArray[np.float64],
    blocked: Callable[[NDArray[np.float64]], NDArray[np.bool_]], generator: np.random.Generator,
) -> Plume:  # fmt: skip
    """Carry the plume on by :data:`STEP_S`: advect, disperse, age, and release one filament from every source.

    Args:
        plume: the filaments before.
        sources: (m, 3) positions [m]; NaN where a source is not there now.
        ppm: (m,) concentration of each source's fresh filaments [ppm].
        wind: (2,) mean wind [m/s].
        blocked: tells for (n, 3) positions which lie in a solid; such filaments stay where they were.
        generator: random numbers.
    """
    moved = plume.position + generator.normal(0.0, STEP_NOISE_M, plume.position.shape)
    moved[:, :2] += wind * STEP_S
    moved[:, 2] = np.maximum(moved[:, 2], 0.02)
    moved = np.where(blocked(moved)[:, None], plume.position, moved)
    age = plume.age_s + STEP_S
    alive = age < LIFE_S
    there = np.flatnonzero(np.isfinite(sources[:, 0]))
    return Plume(
        np.vstack([moved[alive], sources[there]]),
        np.concatenate([age[alive], np.zeros(len(there))]),
        np.concatenate([plume.ppm[alive], ppm[there]]),
        np.concatenate([plume.source[alive], there]),
    )


def concentration_ppm(plume: Plume, position: NDArray[np.float64], sources: int) -> NDArray[np.float64]:
    """Return the concentration from each of ``sources`` sources at a position (3,), shape (sources,) [ppm]."""
    variance = SIGMA_0_M**2 + GROWTH_M2_S * plume.age_s
    squared = np.sum((plume.position - position) ** 2, axis=1)
    value = plume.ppm * (SIGMA_0_M**2 / variance) ** 1.5 * np.exp(-squared / (2.0 * variance))
    return np.bincount(plume.source, weights=value, minlength=sources).astype(np.float64)
