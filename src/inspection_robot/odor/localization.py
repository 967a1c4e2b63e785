"""Where a smell comes from: wind, source and the track that carries it, by a particle filter over the filament model.

A particle is a source place, a wind and a source strength. An observation is whether the nose met a whiff at a place.
The probability of a whiff follows the mean concentration of a line of filaments that the wind carries and turbulence
spreads: the filament model of Monroy et al., Sensors 17 (2017) 1479, with encounters as in infotaxis, Vergassola et
al., Nature 445 (2007) 406. The sensor's lag is taken out before: metal-oxide sensors rise in 3 s and fall in 16 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inspection_robot.odor.features import EXPONENT, FALL_S, RISE_S, felt_concentration

Floats = NDArray[np.float64]

SIGMA_0_M = 0.10  # radius of a fresh filament [m]
GROWTH_M2_S = 10e-4  # of a filament's variance [m²/s]
DIFFUSIVITY_M2_S = 0.002  # turbulent, of filament centres: 2 cm steps every 0.1 s [m²/s]
MEANDER_M2_S = 0.02  # slow changes of wind direction that the mean wind does not hold [m²/s]
_AGES_S = np.geomspace(0.2, 60.0, 28)  # ages of filaments the mean is taken over [s]
_AGE_STEPS_S = np.gradient(_AGES_S)


@dataclass(frozen=True)
class FilterSettings:
    """Limits and noise of the particle filter."""

    particles: int = 1500
    radius_m: float = 8.0  # sources are looked for within this of the first whiff [m]
    wind_sigma_m_s: float = 0.15  # of a wind nobody has measured, each axis [m/s]
    false_whiff: float = 0.03  # probability of a whiff where there is no smell, and of none in the thick of it [1]
    strength_range: tuple[float, float] = (0.3, 30.0)  # whiff rate of an undiluted filament line [1/s]
    jitter_m: float = 0.06  # added to places at resampling [m]


@dataclass(frozen=True)
class Particles:
    """N hypotheses: ``place`` (N, 2) [m] in map, ``wind`` (N, 2) [m/s], ``strength`` (N,), ``weight`` (N,) sum 1."""

    place: Floats
    wind: Floats
    strength: Floats
    weight: Floats


@dataclass(frozen=True)
class SourceEstimate:
    """Mean place (2,) [m] with covariance (2, 2) [m²], mean wind (2,) [m/s] with standard deviation (2,)."""

    place: Floats
    covariance: Floats
    wind: Floats
    wind_sigma: Floats


def air_concentration(
    response: Floats, period_s: float, exponent: float = EXPONENT, rise_s: float = RISE_S, fall_s: float = FALL_S
) -> Floats:
    """Concentration in the air behind a sensor's response, relative to its half concentration, (T,) or (T, C).

    The power law R = R0·(1 + x)^−β is inverted, then the first-order lag: x + τ·dx/dt with the rise or fall constant.

    Args:
        response: log of signal over baseline, at least two samples.
        period_s: between samples [s].
        exponent: β of the sensor.
        rise_s: τ while the concentration rises [s].
        fall_s: τ while it falls [s].
    """
    felt = felt_concentration(response, exponent)
    slope = np.gradient(felt, period_s, axis=0)
    result: Floats = np.maximum(felt + np.where(slope > 0.0, rise_s, fall_s) * slope, 0.0)
    return result


def whiff_probability(
    nose: Floats, place: Floats, wind: Floats, strength: Floats, false_whiff: float
) -> Floats:  # fmt: skip
    """Probability (N,) of a whiff at ``nose`` (2,) for sources at (N, 2) in winds (N, 2) of strengths (N,)."""
    centers = place[:, None, :] + wind[:, None, :] * _AGES_S[None, :, None]
    variance = SIGMA_0_M**2 + (GROWTH_M2_S + 2.0 * DIFFUSIVITY_M2_S + 2.0 * MEANDER_M2_S) * _AGES_S
    squared = ((centers - nose) ** 2).sum(axis=2)
    # Two dimensions: the nose is as high as luggage, and the floor and the height of the plume are not resolved.
    dilution = SIGMA_0_M**2 / variance * np.exp(-squared / (2.0 * variance))
    rate = strength * (dilution * _AGE_STEPS_S).sum(axis=1)
    result: Floats = false_whiff + (1.0 - 2.0 * false_whiff) * (1.0 - np.exp(-rate))
    return result


def start(
    nose: Floats, wind: Floats | None, generator: np.random.Generator, settings: FilterSettings | None = None
) -> Particles:
    """Particles around the nose (2,) [m], with a measured wind (2,) [m/s] or an unknown one."""
    chosen = settings or FilterSettings()
    count = chosen.particles
    radius = chosen.radius_m * np.sqrt(generator.random(count))
    angle = generator.uniform(0.0, 2.0 * np.pi, count)
    place = nose + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    spread = chosen.wind_sigma_m_s if wind is None else chosen.wind_sigma_m_s / 4.0
    air = (np.zeros(2) if wind is None else wind) + spread * generator.standard_normal((count, 2))
    weakest, strongest = np.log(chosen.strength_range)
    strength = np.exp(generator.uniform(weakest, strongest, count))
    return Particles(place, air, strength, np.full(count, 1.0 / count))


def update(
    particles: Particles,
    nose: Floats,
    whiff: bool,
    generator: np.random.Generator,
    settings: FilterSettings | None = None,
) -> Particles:
    """Take one observation at ``nose`` (2,) [m]; resample when fewer than half the particles count."""
    chosen = settings or FilterSettings()
    probability = whiff_probability(nose, particles.place, particles.wind, particles.strength, chosen.false_whiff)
    weight = particles.weight * (probability if whiff else 1.0 - probability)
    weight /= weight.sum()
    weighted = replace(particles, weight=weight)
    if 1.0 / float((weight**2).sum()) > 0.5 * len(weight):
        return weighted
    return _resample(weighted, generator, chosen)


def estimate(particles: Particles) -> SourceEstimate:
    """Mean and spread of the hypotheses."""
    weight = particles.weight
    place = weight @ particles.place
    offset = particles.place - place
    covariance = (offset * weight[:, None]).T @ offset
    wind = weight @ particles.wind
    variance = weight @ (particles.wind - wind) ** 2
    return SourceEstimate(place, covariance, wind, np.sqrt(variance))


def grid(particles: Particles, origin: Floats, resolution_m: float, shape: tuple[int, int]) -> Floats:
    """Probability of the source in each cell (rows, columns) of a map whose corner is ``origin`` (2,) [m]."""
    cell = np.floor((particles.place - origin) / resolution_m).astype(np.intp)
    inside = (cell >= 0).all(axis=1) & (cell[:, 0] < shape[1]) & (cell[:, 1] < shape[0])
    result = np.zeros(shape)
    np.add.at(result, (cell[inside, 1], cell[inside, 0]), particles.weight[inside])
    return result


@dataclass(frozen=True)
class Whiff:
    """One observation: when [s], where the nose was (2,) [m], whether it smelt."""

    time_s: float
    nose: Floats
    smelt: bool


def carriers(
    whiffs: list[Whiff],
    tracks: Mapping[str, tuple[Floats, Floats]],
    wind: Floats,
    settings: FilterSettings | None = None,
) -> dict[str, float]:
    """Probability that each track carries the source; what is missing to 1 is "none of them".

    Args:
        whiffs: observations, whiffs and clean air alike.
        tracks: for each track its times (T,) [s] and places (T, 2) [m].
        wind: (2,) [m/s].
        settings: defaults when None.
    """
    chosen = settings or FilterSettings()
    strengths = np.geomspace(*chosen.strength_range, 8)
    names = [name for name, (times, _) in tracks.items() if len(times)]
    floor = float(np.mean([whiff.smelt for whiff in whiffs])) if whiffs else 0.0
    nowhere = np.clip(floor, chosen.false_whiff, 1.0 - chosen.false_whiff)  # a smell that depends on no track
    likelihood = np.zeros((len(names) + 1, len(strengths)))
    for whiff in whiffs:
        for row, name in enumerate(names):
            times, places = tracks[name]
            place = np.array([np.interp(whiff.time_s, times, places[:, axis]) for axis in (0, 1)])
            shape = (len(strengths), 2)
            probability = whiff_probability(
                whiff.nose, np.broadcast_to(place, shape), np.broadcast_to(wind, shape), strengths, chosen.false_whiff
            )
            likelihood[row] += np.log(probability if whiff.smelt else 1.0 - probability)
        likelihood[-1] += np.log(nowhere if whiff.smelt else 1.0 - nowhere)
    best = likelihood.max()
    evidence = np.exp(likelihood - best).mean(axis=1)
    share = evidence / evidence.sum()
    return {name: float(value) for name, value in zip(names, share[:-1], strict=True)}


def _resample(particles: Particles, generator: np.random.Generator, settings: FilterSettings) -> Particles:
    """Systematic resampling (Kitagawa 1996) with a little jitter, so that copies part again."""
    count = len(particles.weight)
    points = (generator.random() + np.arange(count)) / count
    chosen = np.minimum(np.searchsorted(np.cumsum(particles.weight), points), count - 1)
    jitter = settings.jitter_m * generator.standard_normal((count, 2))
    wind = particles.wind[chosen] + 0.02 * settings.wind_sigma_m_s * generator.standard_normal((count, 2))
    strength = particles.strength[chosen] * np.exp(0.1 * generator.standard_normal(count))
    return Particles(
        particles.place[chosen] + jitter,
        wind,
        np.clip(strength, *settings.strength_range),
        np.full(count, 1.0 / count),
    )
