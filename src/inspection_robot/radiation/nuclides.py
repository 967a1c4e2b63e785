"""The nuclides we can name: lines, half-lives, categories."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Nuclide:
    """One nuclide with the daughters that are found with it.

    Attributes:
        name: e.g. ``Cs-137``.
        categories: medical, industrial, norm, special_nuclear; the graver one first.
        prior: how often it is met, relative to the most common ones.
        half_life_s: half-life [s].
        energies_kev: photon energies [keV], shape (lines,).
        intensities: photons for a decay, shape (lines,).
    """

    name: str
    categories: tuple[str, ...]
    prior: float
    half_life_s: float
    energies_kev: NDArray[np.float64]
    intensities: NDArray[np.float64]

    @property
    def category(self) -> str:
        """The graver category."""
        return self.categories[0]

    def telling_lines(self, least_share: float = 0.1) -> list[tuple[float, float]]:
        """Return (energy [keV], intensity) of the lines above 50 keV that matter, strongest first."""
        seen = [(e, i) for e, i in zip(self.energies_kev, self.intensities, strict=True) if e >= 50.0]
        strongest = max((i for _, i in seen), default=0.0)
        return sorted(
            ((float(e), float(i)) for e, i in seen if i >= least_share * strongest), key=lambda line: -line[1]
        )


@cache
def nuclides() -> tuple[Nuclide, ...]:
    """All nuclides, in a fixed order. Sources stand in ``nuclides.json`` and in ``models/training/nuclides.py``."""
    data = json.loads(resources.files(__package__).joinpath("nuclides.json").read_text())
    return tuple(
        Nuclide(
            entry["name"], tuple(entry["categories"]), entry["prior"], entry["half_life_s"],
            np.array([line[0] for line in entry["lines_kev"]]), np.array([line[1] for line in entry["lines_kev"]]),
        )
        for entry in data["nuclides"]
    )  # fmt: skip


def by_name(name: str) -> Nuclide:
    """Return one nuclide.

    Raises:
        KeyError: there is none of this name.
    """
    for nuclide in nuclides():
        if nuclide.name == name:
            return nuclide
    raise KeyError(name)
