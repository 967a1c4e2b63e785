"""Radiation field: inverse square, attenuation through the world's solids, and what a detector counts.

λ = Σ A·I_γ·ε·S / (4πr²) · exp(−Σ μᵢlᵢ) + B (radiation.md). Scatter is left out: behind thick walls the true rate is
somewhat higher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_sim.fields.nuclides import dose_rate_per_flux, linear_attenuation, lines

CLOSEST_M: Final = 0.05
"""Distances are not taken below this: a source has an extent [m]."""

GEIGER_CPS_PER_USV_H: Final = 2.56
"""Sensitivity of the J305 tube that Rad Pro lists (153.8 cpm per µSv/h), here in counts per second."""
BACKGROUND_USV_H: Final = 0.10
"""Terrestrial and cosmic background [µSv/h], a typical indoor value (UNSCEAR 2008, Annex B: 0.08)."""


@dataclass(frozen=True)
class Source:
    """A point source: nuclide, activity [MBq], position (3,) [m], depth in water-like matter [m]."""

    nuclide: str
    activity_mbq: float
    position: NDArray[np.float64]
    depth_m: float = 0.0


@dataclass(frozen=True)
class Solids:
    """Attenuating solids: boxes and vertical-axis cylinders in their own frames.

    Attributes:
        inverse: (n, 4, 4) transforms from the world to each solid's frame.
        half: (n, 3) half extents [m]; for a cylinder (radius, radius, half length).
        round: (n,) True for cylinders.
        materials: n names.
    """

    inverse: NDArray[np.float64]
    half: NDArray[np.float64]
    round: NDArray[np.bool_]
    materials: tuple[str, ...]

    @staticmethod
    def none() -> Solids:
        """Return an empty set of solids."""
        return Solids(np.empty((0, 4, 4)), np.empty((0, 3)), np.empty(0, dtype=np.bool_), ())


def path_lengths(solids: Solids, start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the straight line from ``start`` to ``end`` (each (3,) [m]) runs inside each solid, (n,) [m]."""
    if not len(solids.half):
        return np.empty(0)
    a = solids.inverse[:, :3, :3] @ start + solids.inverse[:, :3, 3]
    direction = solids.inverse[:, :3, :3] @ (end - start)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        near = (-np.copysign(solids.half, direction) - a) / direction
        far = (np.copysign(solids.half, direction) - a) / direction
    parallel = np.abs(direction) < 1e-12
    inside = np.abs(a) <= solids.half
    near = np.where(parallel, np.where(inside, -np.inf, np.inf), near)
    far = np.where(parallel, np.where(inside, np.inf, -np.inf), far)
    round_near, round_far = _circle(a[:, :2], direction[:, :2], solids.half[:, 0])
    entry_xy = np.where(solids.round, round_near, np.maximum(near[:, 0], near[:, 1]))
    exit_xy = np.where(solids.round, round_far, np.minimum(far[:, 0], far[:, 1]))
    entry = np.clip(np.maximum(entry_xy, near[:, 2]), 0.0, 1.0)
    leave = np.clip(np.minimum(exit_xy, far[:, 2]), 0.0, 1.0)
    length: NDArray[np.float64] = np.maximum(leave - entry, 0.0) * float(np.linalg.norm(end - start))
    return length


def _circle(
    a: NDArray[np.float64], direction: NDArray[np.float64], radius: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where lines a + t·direction enter and leave circles about the origin; ±inf for upright ones inside."""
    square = np.sum(direction**2, axis=1)
    half_b = np.sum(a * direction, axis=1)
    c = np.sum(a**2, axis=1) - radius**2
    root = half_b**2 - square * c
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.sqrt(np.maximum(root, 0.0)) / square
        middle = -half_b / square
    vertical = square < 1e-18
    near = np.where(vertical, np.where(c <= 0, -np.inf, np.inf), np.where(root > 0, middle - width, np.inf))
    far = np.where(vertical, np.where(c <= 0, np.inf, -np.inf), np.where(root > 0, middle + width, -np.inf))
    return near, far


def line_flux(
    source: Source, position: NDArray[np.float64], solids: Solids
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a source's uncollided lines at a position: energies [keV] and photons per m² and second, each (n,)."""
    energy, yield_per_decay = lines(source.nuclide)
    squared_m2 = max(float(np.sum((position - source.position) ** 2)), CLOSEST_M**2)
    optical_depth = linear_attenuation("water", energy) * source.depth_m
    lengths = path_lengths(solids, source.position, position)
    for index in np.flatnonzero(lengths > 0.0):
        optical_depth = optical_depth + linear_attenuation(solids.materials[index], energy) * lengths[index]
    flux = source.activity_mbq * 1e6 * yield_per_decay / (4.0 * np.pi * squared_m2) * np.exp(-optical_depth)
    return energy, flux


def dose_rate_usv_h(sources: list[Source], position: NDArray[np.float64], solids: Solids) -> float:
    """Return the ambient dose equivalent rate of the sources, background excluded, at a position (3,) [µSv/h]."""
    total = 0.0
    for source in sources:
        energy, flux = line_flux(source, position, solids)
        total += float(np.sum(flux * dose_rate_per_flux(energy)))
    return total


def geiger_rate_cps(sources: list[Source], position: NDArray[np.float64], solids: Solids) -> float:
    """Return the expected count rate of a Geiger tube at a position, background included [1/s]."""
    return GEIGER_CPS_PER_USV_H * (BACKGROUND_USV_H + dose_rate_usv_h(sources, position, solids))
