"""Write src/inspection_robot/radiation/csi_response.npz: what a 10 mm cube of CsI(Tl) absorbs of a photon.

A Monte Carlo transport of photons in the crystal: photoelectric effect with escape of the K X-ray, Compton scattering
by Klein-Nishina, pair production with annihilation; electrons take energy out when they are made near the surface.
Coefficients are those of caesium iodide, interpolated from NIST XCOM
(Berger et al., NBSIR 87-3597) rounded to three digits; coherent scattering, which leaves no energy, is left out.

The result is kept in coordinates in which it changes smoothly with energy, so that few energies are enough:
full-energy peak, X-ray escape peak, annihilation escapes, the Compton continuum over T / T_max and the multiple
scattering between the Compton edge and the peak.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TARGET = Path(__file__).resolve().parents[2] / "src/inspection_robot/radiation/csi_response.npz"
SIDE_CM = 1.0
DENSITY_G_CM3 = 4.51
ELECTRON_KEV = 510.999
K_EDGE_KEV = (33.17, 35.98)  # iodine, caesium
K_XRAY_KEV = (28.9, 31.3)  # mean K-alpha and K-beta energies
K_SHARE = 0.82  # of photoelectric absorptions above the edge that happen in the K shell
K_YIELD = 0.89  # fluorescence yield
PHOTONS = 300_000
STRAIGHTNESS = 0.6

# Energy [keV], photoelectric and pair-production coefficients of CsI [cm2/g].
PHOTOELECTRIC = np.array([
    (15, 62.0), (20, 28.2), (25, 15.3), (30, 9.25), (33.16, 7.0), (33.18, 21.0), (35.97, 16.9), (35.99, 29.2),
    (40, 22.1), (50, 12.2), (60, 7.43), (80, 3.38), (100, 1.82), (150, 0.577), (200, 0.254), (300, 0.0809),
    (400, 0.0373), (500, 0.0211), (600, 0.0136), (800, 0.00715), (1000, 0.00449), (1250, 0.00291), (1500, 0.00210),
    (2000, 0.00131), (3000, 0.000727),
])  # fmt: skip
PAIR = np.array([(1022, 1e-9), (1250, 0.00035), (1500, 0.00108), (2000, 0.00297), (2500, 0.00480), (3000, 0.00648)])
ELECTRONS_PER_G = 2.50e23  # Avogadro's number x 108 electrons / 259.8 g


def klein_nishina_cm2(energy: Floats) -> Floats:
    """Cross-section of one electron (Klein & Nishina 1929) [cm2]."""
    k = energy / ELECTRON_KEV
    radius = 2.8179403e-13
    log = np.log1p(2 * k)
    first = (1 + k) / k**2 * (2 * (1 + k) / (1 + 2 * k) - log / k)
    return 2 * np.pi * radius**2 * (first + log / (2 * k) - (1 + 3 * k) / (1 + 2 * k) ** 2)


def coefficients(energy: Floats) -> tuple[Floats, Floats, Floats]:
    """Photoelectric, Compton and pair coefficients [1/cm]."""
    photo = np.exp(np.interp(np.log(energy), np.log(PHOTOELECTRIC[:, 0]), np.log(PHOTOELECTRIC[:, 1])))
    pair = np.where(energy > 1022, np.interp(energy, PAIR[:, 0], PAIR[:, 1]), 0.0)
    return photo * DENSITY_G_CM3, klein_nishina_cm2(energy) * ELECTRONS_PER_G * DENSITY_G_CM3, pair * DENSITY_G_CM3


def to_wall(position: Floats, direction: Floats) -> Floats:
    """Distance to the surface of the cube along each direction [cm]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(direction > 0, (SIDE_CM - position) / direction, -position / direction)
    return np.where(np.abs(direction) < 1e-12, np.inf, far).min(axis=1)


def isotropic(rng: np.random.Generator, n: int) -> Floats:
    """Unit vectors, uniform over the sphere; shape (n, 3)."""
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def scatter(rng: np.random.Generator, energy: Floats, direction: Floats) -> tuple[Floats, Floats]:
    """Compton scatter: energies and directions after it, by rejection from Klein-Nishina."""
    cosine = np.empty(len(energy))
    todo = np.arange(len(energy))
    while len(todo):
        trial = rng.uniform(-1, 1, len(todo))
        ratio = 1 / (1 + energy[todo] / ELECTRON_KEV * (1 - trial))
        weight = ratio**2 * (ratio + 1 / ratio - (1 - trial**2)) / 2
        taken = rng.random(len(todo)) < weight
        cosine[todo[taken]] = trial[taken]
        todo = todo[~taken]
    helper = np.where(np.abs(direction[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]])
    side = np.cross(direction, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(direction, side)
    azimuth = rng.uniform(0, 2 * np.pi, len(energy))[:, None]
    sine = np.sqrt(1 - cosine**2)[:, None]
    turned = cosine[:, None] * direction + sine * (np.cos(azimuth) * side + np.sin(azimuth) * other)
    return energy / (1 + energy / ELECTRON_KEV * (1 - cosine)), turned


def kept_energy(energy: Floats, position: Floats, direction: Floats) -> Floats:
    """Energy that electrons leave in the crystal [keV]: a straight way of 0.6 times their range.

    The range is that of Katz & Penfold (Rev. Mod. Phys. 24 (1952) 28); energy falls along it as the power 1 / 1.5.
    """
    mev = np.maximum(energy, 1.0) / 1e3
    range_cm = 0.412 * mev ** (1.265 - 0.0954 * np.log(mev)) / DENSITY_G_CM3
    way = np.minimum(to_wall(position, direction) / (STRAIGHTNESS * range_cm), 1.0)
    return energy * (1.0 - (1.0 - way) ** (1 / 1.5))


def absorb(rng: np.random.Generator, energy_kev: float, n: int) -> tuple[Floats, Floats, Floats]:
    """Energy absorbed of each of n photons on one face, X-ray energy lost, and annihilation energy lost [keV]."""
    position = np.column_stack([np.full(n, 1e-9), rng.random(n) * SIDE_CM, rng.random(n) * SIDE_CM])
    direction = np.tile([1.0, 0.0, 0.0], (n, 1))
    energy = np.full(n, energy_kev)
    owner = np.arange(n)
    annihilation = np.zeros(n, bool)
    deposit, lost_xray, lost_annihilation = np.zeros(n), np.zeros(n), np.zeros(n)
    while len(energy):
        photo, compton, pair = coefficients(energy)
        total = photo + compton + pair
        path = rng.exponential(size=len(energy)) / total
        inside = path < to_wall(position, direction)
        np.add.at(lost_annihilation, owner[~inside & annihilation], energy[~inside & annihilation])
        energy, owner, annihilation = energy[inside], owner[inside], annihilation[inside]
        position = position[inside] + path[inside, None] * direction[inside]
        direction = direction[inside]
        draw = rng.random(len(energy)) * total[inside]
        is_photo = draw < photo[inside]
        is_pair = draw > (photo + compton)[inside]
        is_compton = ~is_photo & ~is_pair
        new: list[tuple[Floats, Floats, Floats, NDArray[np.int64], NDArray[np.bool_]]] = []
        if is_compton.any():
            after, turned = scatter(rng, energy[is_compton], direction[is_compton])
            momentum = energy[is_compton][:, None] * direction[is_compton] - after[:, None] * turned
            momentum /= np.maximum(np.linalg.norm(momentum, axis=1, keepdims=True), 1e-9)
            left = kept_energy(energy[is_compton] - after, position[is_compton], momentum)
            np.add.at(deposit, owner[is_compton], left)
            new.append((position[is_compton], turned, after, owner[is_compton], annihilation[is_compton]))
        if is_photo.any():
            e, o, p = energy[is_photo], owner[is_photo], position[is_photo]
            caesium = (e > K_EDGE_KEV[1]) & (rng.random(len(e)) < 0.5)
            emits = (e > K_EDGE_KEV[0]) & (rng.random(len(e)) < K_SHARE * K_YIELD)
            xray = np.where(caesium, K_XRAY_KEV[1], K_XRAY_KEV[0])
            way = isotropic(rng, len(e))
            reach = rng.exponential(size=len(e)) / coefficients(xray)[0]
            escapes = emits & (reach > to_wall(p, way))
            np.add.at(deposit, o, kept_energy(np.where(escapes, e - xray, e), p, isotropic(rng, len(e))))
            np.add.at(lost_xray, o[escapes], xray[escapes])
        if is_pair.any():
            e, o, p = energy[is_pair], owner[is_pair], position[is_pair]
            half = e / 2 - ELECTRON_KEV
            for _ in range(2):
                np.add.at(deposit, o, kept_energy(half, p, isotropic(rng, len(e))))
            way = isotropic(rng, len(e))
            rest, true = np.full(len(e), ELECTRON_KEV), np.ones(len(e), bool)
            new.extend((p, sign * way, rest, o, true) for sign in (1.0, -1.0))
        if not new:
            break
        position, direction, energy = (np.concatenate([part[i] for part in new]) for i in (0, 1, 2))
        owner, annihilation = np.concatenate([part[3] for part in new]), np.concatenate([part[4] for part in new])
        alive = energy > 5.0
        np.add.at(deposit, owner[~alive], energy[~alive])
        position, direction, energy, owner = position[alive], direction[alive], energy[alive], owner[alive]
        annihilation = annihilation[alive]
    return deposit, lost_xray, lost_annihilation


def main() -> None:
    """Transport and write."""
    rng = np.random.default_rng(20261120)
    below = np.geomspace(15, 33.1, 6)
    between = np.array([33.2, 34.5, 35.9])
    energies = np.concatenate([below, between, np.geomspace(36.1, 3000, 44)])
    rows = []
    edges = np.linspace(0, 1, 41)
    for energy in energies:
        deposit, lost_xray, lost_annihilation = absorb(rng, energy, PHOTONS)
        hit = deposit > 0
        full = hit & (deposit > energy - 0.5 - 0.004 * energy)
        single = hit & (np.abs(deposit - (energy - ELECTRON_KEV)) < 0.5) & (lost_annihilation > 0)
        double = hit & (np.abs(deposit - (energy - 2 * ELECTRON_KEV)) < 0.5) & (lost_annihilation > 0)
        escape = hit & (lost_xray > 0) & (np.abs(deposit + lost_xray - energy) < 0.5)
        rest = hit & ~full & ~single & ~double & ~escape
        edge = energy / (1 + ELECTRON_KEV / (2 * energy))
        continuum, _ = np.histogram(deposit[rest] / edge, edges)
        multiple, _ = np.histogram((deposit[rest] - edge) / (energy - edge), np.linspace(0, 1, 11))
        rows.append(
            np.concatenate([[full.sum(), escape.sum(), single.sum(), double.sum()], continuum, multiple]) / PHOTONS
        )
        print(f"{energy:8.1f} keV: peak {rows[-1][0]:.4f} escape {rows[-1][1]:.4f} rest {rest.mean():.4f}")
    np.savez_compressed(TARGET, energy_kev=energies, table=np.array(rows, dtype=np.float32))


if __name__ == "__main__":
    main()
