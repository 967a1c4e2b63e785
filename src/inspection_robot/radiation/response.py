"""Detector response: from the lines of a nuclide behind a shield to the spectrum a small CsI(Tl) crystal measures.

The flux at the detector is that of the lines, attenuated by the shield, plus what Compton scattering in shield and
surroundings adds below them (Klein & Nishina 1929). The crystal's part is the Monte Carlo table of
``models/training/csi_response.py``. Everything lives on one grid of energies; spectra are compared in bins of equal
width in the square root of the energy, in which the resolution of a scintillator is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from inspection_robot.radiation.attenuation import mass_attenuation_cm2_g
from inspection_robot.radiation.nuclides import Nuclide, nuclides

Floats = NDArray[np.float64]

STEP_KEV: Final = 2.5
GRID_KEV: Final[Floats] = np.asarray(STEP_KEV * (np.arange(1160) + 0.5))
ELECTRON_KEV: Final = 510.999
K_ESCAPE_KEV: Final = 30.2  # mean K X-ray energy of iodine and caesium
BIN_EDGES_KEV: Final[Floats] = np.asarray(np.linspace(5.0, 53.4, 97) ** 2)
BIN_CENTRES_KEV: Final[Floats] = (BIN_EDGES_KEV[:-1] + BIN_EDGES_KEV[1:]) / 2


@dataclass(frozen=True)
class Shield:
    """What stands between source and detector: a material and its areal density [g/cm2]."""

    material: str
    areal_density_g_cm2: float


SHIELDS: Final = (
    Shield("water", 0.3),  # the detector's own case
    Shield("steel", 0.4),
    Shield("steel", 1.6),
    Shield("steel", 8.0),
    Shield("lead", 1.1),
    Shield("lead", 5.7),
    Shield("water", 8.0),
    Shield("water", 20.0),
)
SCATTER_LEVELS: Final = (0.1, 0.4, 1.0, 2.5)


@dataclass(frozen=True)
class Resolution:
    """Width of a peak: FWHM = f sqrt(662 E), plus electronic noise.

    Attributes:
        fwhm_662: relative full width at half maximum at 662 keV.
        noise_kev: full width of the noise [keV].
        threshold_kev: energy [keV] at which half of the pulses are recorded.
        threshold_width_kev: width of that edge [keV].
    """

    fwhm_662: float = 0.095
    noise_kev: float = 4.0
    threshold_kev: float = 22.0
    threshold_width_kev: float = 6.0

    def sigma_kev(self, energy_kev: Floats) -> Floats:
        """Standard deviation [keV] at energies [keV]."""
        return np.asarray(np.sqrt(self.fwhm_662**2 * 661.66 * energy_kev + self.noise_kev**2) / 2.3548)


@cache
def deposit_matrix() -> Floats:
    """Absorbed energy for every photon energy of the grid: shape (photon, deposit), per photon on the crystal."""
    with np.load(str(resources.files(__package__).joinpath("csi_response.npz"))) as data:
        table_energies, table = data["energy_kev"], data["table"].astype(np.float64)
    parts = np.array([np.interp(np.log(GRID_KEV), np.log(table_energies), column) for column in table.T]).T
    n = len(GRID_KEV)
    matrix = np.zeros((n, n))
    rows = np.arange(n)
    matrix[rows, rows] += parts[:, 0]
    for column, lost_kev in ((1, K_ESCAPE_KEV), (2, ELECTRON_KEV), (3, 2 * ELECTRON_KEV)):
        target = np.floor((GRID_KEV - lost_kev) / STEP_KEV).astype(int)
        inside = target >= 0
        np.add.at(matrix, (rows[inside], target[inside]), parts[inside, column])
    edge_kev = GRID_KEV / (1 + ELECTRON_KEV / (2 * GRID_KEV))
    _spread(matrix, parts[:, 4:44], np.zeros(n), edge_kev)
    _spread(matrix, parts[:, 44:], edge_kev, GRID_KEV)
    return matrix


def _spread(matrix: Floats, histogram: Floats, low_kev: Floats, high_kev: Floats) -> None:
    """Add per-row histograms, uniform between two energies of each row, to the rows of the matrix."""
    count = histogram.shape[1]
    cumulative = np.concatenate([np.zeros((len(histogram), 1)), np.cumsum(histogram, axis=1)], axis=1)
    edges = STEP_KEV * np.arange(matrix.shape[1] + 1)
    position = np.clip((edges[None, :] - low_kev[:, None]) / (high_kev - low_kev)[:, None], 0.0, 1.0) * count
    whole = np.minimum(position.astype(int), count - 1)
    at = np.take_along_axis(cumulative, whole, 1) + (position - whole) * np.take_along_axis(histogram, whole, 1)
    matrix += np.diff(at, axis=1)


@cache
def scatter_matrix(least_cosine: float, greatest_cosine: float) -> Floats:
    """Flux after one Compton scatter into a range of angles, per photon: shape (before, after), rows sum to 1."""
    cosine = np.linspace(least_cosine, greatest_cosine, 400)
    ratio = 1 / (1 + GRID_KEV[:, None] / ELECTRON_KEV * (1 - cosine))
    weight = ratio**2 * (ratio + 1 / ratio - (1 - cosine**2))
    after = np.floor(GRID_KEV[:, None] * ratio / STEP_KEV).astype(int)
    matrix = np.zeros((len(GRID_KEV), len(GRID_KEV)))
    np.add.at(matrix, (np.repeat(np.arange(len(GRID_KEV)), len(cosine)), after.ravel()), weight.ravel())
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def line_flux(energies_kev: Floats, intensities: Floats) -> Floats:
    """Flux of lines on the grid, each shared between the two nearest points; shape (grid,)."""
    position = np.clip(energies_kev / STEP_KEV - 0.5, 0, len(GRID_KEV) - 1.001)
    low = position.astype(int)
    flux = np.zeros(len(GRID_KEV))
    np.add.at(flux, low, intensities * (low + 1 - position))
    np.add.at(flux, low + 1, intensities * (position - low))
    return flux


def shielded_fluxes(flux: Floats) -> Floats:
    """Flux behind every shield at every level of scatter: (..., grid) -> (..., shields, levels, grid).

    Back-scatter from the surroundings and forward scatter in shield and source are added in fixed proportion; the
    surroundings absorb low energies again (the survival factor), which makes the well-known hump near 100 keV.
    """
    survival = _survival(2.0)
    back = scatter_matrix(-1.0, -0.2)
    everywhere = scatter_matrix(-1.0, 1.0)
    passed = np.stack(
        [flux * np.exp(-mass_attenuation_cm2_g(s.material, GRID_KEV) * s.areal_density_g_cm2) for s in SHIELDS], axis=-2
    )
    once = passed @ everywhere
    scattered = (0.4 * (passed @ back) + 0.35 * once + 0.25 * (once @ everywhere)) * survival
    levels = np.array(SCATTER_LEVELS)
    return np.asarray(passed[..., None, :] + levels[:, None] * scattered[..., None, :])


@cache
def smearing_matrix(resolution: Resolution) -> Floats:
    """Share of pulses of each absorbed energy recorded in each analysis bin; shape (grid, bins)."""
    sigma = resolution.sigma_kev(GRID_KEV)[:, None] * np.sqrt(2.0)
    cumulative = 0.5 * (1.0 + erf((BIN_EDGES_KEV[None, :] - GRID_KEV[:, None]) / sigma))
    recorded = 0.5 * (1.0 + erf((BIN_CENTRES_KEV - resolution.threshold_kev) / resolution.threshold_width_kev))
    return np.asarray(np.diff(cumulative, axis=1) * recorded)


THICK = len(SHIELDS)  # shield index of a source as thick as its own radiation reaches, e.g. ground or cargo
THICKNESSES_G_CM2: Final = (0.6, 2.0, 5.0)
CONTINUUM_STARTS_KEV: Final = (150.0, 250.0, 400.0, 700.0, 1500.0)
BREMSSTRAHLUNG_SHIELDS: Final = [1, 2, 6]  # indices of SHIELDS: thin and thicker steel, water
BREMSSTRAHLUNG_KEV: Final = (
    80.0,
    120.0,
    160.0,
    300.0,
    700.0,
    1500.0,
)  # X-ray machines, and beta emitters without lines
CONTINUUM = -1  # nuclide index of a spectrum without lines: scattered radiation of something out of sight


@dataclass(frozen=True)
class Templates:
    """Expected spectra of every nuclide behind every shield, and of scattered radiation without lines.

    Attributes:
        shapes: shape (templates, bins), each row sums to 1.
        squares: squares of the shapes.
        nuclide: index into ``nuclides()`` of each template, or :data:`CONTINUUM`.
        shield: index into :data:`SHIELDS` of each template, or :data:`THICK`.
        level: index into :data:`SCATTER_LEVELS` of each template.
    """

    shapes: Floats
    squares: Floats
    nuclide: NDArray[np.int64]
    shield: NDArray[np.int64]
    level: NDArray[np.int64]

    def without(self, groups: NDArray[np.int64]) -> Templates:
        """Return the templates of all other nuclides."""
        kept = ~np.isin(self.nuclide, groups)
        return Templates(
            self.shapes[kept], self.squares[kept], self.nuclide[kept], self.shield[kept], self.level[kept]
        )  # fmt: skip


@cache
def _absorbed() -> Floats:
    """Absorbed-energy spectra of all nuclides, shields and levels; shape (nuclides, shields, levels, grid)."""
    flux = np.array([line_flux(n.energies_kev, n.intensities) for n in nuclides()])
    fluxes = shielded_fluxes(flux)
    return np.asarray(fluxes.reshape(-1, len(GRID_KEV)) @ deposit_matrix()).reshape(fluxes.shape)


@cache
def templates(resolution: Resolution) -> Templates:
    """Templates of all nuclides for a detector of this resolution."""
    absorbed = _absorbed()
    count, shields, levels, grid = absorbed.shape
    smear = smearing_matrix(resolution)
    shapes = absorbed.reshape(-1, grid) @ smear
    nuclide, shield, level = (index.ravel() for index in np.indices((count, shields, levels)))
    # A shield that lets through less than a thousandth leaves nothing to identify.
    strength = shapes.sum(axis=1)
    bare = strength.reshape(count, -1).max(axis=1)[nuclide]
    kept = strength > 1e-3 * bare
    natural = np.array([i for i, n in enumerate(nuclides()) if "norm" in n.categories])
    thick = np.array([line_flux(nuclides()[i].energies_kev, nuclides()[i].intensities) for i in natural])
    lineless = np.array([line_flux(np.array([e]), np.ones(1)) for e in CONTINUUM_STARTS_KEV])
    extra = np.concatenate(
        [
            part
            for thickness in THICKNESSES_G_CM2
            for part in (_thick_source(thick, thickness), _thick_source(lineless, thickness) - lineless)
        ]
    )
    machines = shielded_fluxes(np.array([bremsstrahlung_flux(end) for end in BREMSSTRAHLUNG_KEV]))
    machines = machines[:, BREMSSTRAHLUNG_SHIELDS, 1].reshape(-1, grid)
    extra = np.concatenate([extra, machines]) @ deposit_matrix() @ smear
    per_thickness = np.concatenate([natural, np.full(len(lineless), CONTINUUM)])
    extra_nuclide = np.concatenate([np.tile(per_thickness, len(THICKNESSES_G_CM2)), np.full(len(machines), CONTINUUM)])
    everything = np.concatenate([shapes[kept] / strength[kept, None], extra / extra.sum(axis=1, keepdims=True)])
    return Templates(
        everything,
        everything**2,
        np.concatenate([nuclide[kept], extra_nuclide]),
        np.concatenate([shield[kept], np.full(len(extra), THICK)]),
        np.concatenate([level[kept], np.zeros(len(extra), int)]),
    )


def bremsstrahlung_flux(end_kev: float) -> Floats:
    """Flux of electrons of an energy [keV] stopped in a thick target (Kramers 1923): (E0 - E) / E; shape (grid,)."""
    return np.asarray((end_kev - GRID_KEV).clip(0.0) / GRID_KEV)


def _thick_source(flux: Floats, thickness_g_cm2: float = 2.0) -> Floats:
    """Flux out of a source much thicker than the range of its photons: they scatter many times on the way out.

    Args:
        flux: photons made, shape (..., grid).
        thickness_g_cm2: path between two scatters in which low energies are absorbed.
    """
    everywhere = scatter_matrix(-1.0, 1.0) * _survival(thickness_g_cm2)
    total, step = flux.copy(), flux
    for _ in range(8):
        step = step @ everywhere
        total = total + step
    return np.asarray(total)


@cache
def _survival(thickness_g_cm2: float) -> Floats:
    """Share of scattered photons that are not absorbed again by the surroundings; shape (grid,)."""
    absorption = (mass_attenuation_cm2_g("concrete", GRID_KEV) - 0.15).clip(0.0)
    return np.asarray(np.exp(-thickness_g_cm2 * absorption))


@cache
def ambient_shape(resolution: Resolution) -> Floats:
    """Spectrum of natural background where none was measured: potassium, radium and thorium in building material.

    Shape (bins,), sums to 1. Activities are the world averages of UNSCEAR 2000, annex B: 400, 35 and 30 Bq/kg.
    """
    flux = np.zeros(len(GRID_KEV))
    activity = {"K-40": 400.0, "Ra-226": 35.0, "Th-232": 30.0}
    for nuclide in nuclides():
        if nuclide.name in activity:
            flux += activity[nuclide.name] * line_flux(nuclide.energies_kev, nuclide.intensities)
    shape = _thick_source(flux) @ deposit_matrix() @ smearing_matrix(resolution)
    return np.asarray(shape / shape.sum())


@cache
def indistinguishable() -> NDArray[np.bool_]:
    """Pairs of nuclides whose spectra in a scintillator differ by less than a tenth; shape (nuclides, nuclides)."""
    flux = np.array([line_flux(n.energies_kev, n.intensities) for n in nuclides()])
    shapes = flux @ deposit_matrix() @ smearing_matrix(Resolution())
    shapes /= shapes.sum(axis=1, keepdims=True)
    return np.asarray(0.5 * np.abs(shapes[:, None, :] - shapes[None, :, :]).sum(axis=2) < 0.1)


def nuclide_count_rate_per_mbq(nuclide: Nuclide, distance_m: float, area_m2: float = 1e-4) -> float:
    """Counts per second of a bare crystal face of ``area_m2`` for 1 MBq at a distance [m], above the threshold."""
    flux = line_flux(nuclide.energies_kev, nuclide.intensities)
    counted = float((flux @ deposit_matrix())[Resolution().threshold_kev < GRID_KEV].sum())
    return 1e6 * counted * area_m2 / (4 * np.pi * distance_m**2)
