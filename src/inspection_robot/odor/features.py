"""Features with names: patterns between channels and within a heater cycle rather than levels.

Levels follow humidity, drift and the unit; ratios of channels and the shape of a heater cycle follow the substance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError

Floats = NDArray[np.float64]

WINDOW_STATISTICS = ("level", "trend", "spread", "low", "high", "roughness")
FEWEST_SAMPLES = 4  # of an exposure
EXPONENT = (
    0.7  # of the power law of metal-oxide sensors; TGS2620 for ethanol, Monroy et al., Sensors 17 (2017) 1479 [1]
)
LEAST_CONCENTRATION = 0.004  # that stands for "none": about the noise of one reading, relative to half [1]
RISE_S, FALL_S = 3.0, 16.0  # time constants of a metal-oxide sensor, ibid. [s]


def signed_log(values: Floats) -> Floats:
    """Compress magnitudes and keep signs, so that a gain becomes an offset: sign(x)·log(1+|x|)."""
    result: Floats = np.sign(values) * np.log1p(np.abs(values))
    return result


def window_features(log_values: Floats) -> Floats:
    """Describe windows of an uncalibrated array by channel: (N, T, C) logarithms → (N, 6·C) features.

    Order as in :func:`window_feature_names`. ``trend`` is the least-squares change over half the window; ``low`` and
    ``high`` are the 10 % and 90 % quantiles; ``roughness`` is the spread of successive differences.
    """
    if log_values.ndim != 3 or log_values.shape[1] < 2:
        raise ValueError(f"windows {log_values.shape}, expected (windows, samples >= 2, channels)")
    level = log_values.mean(axis=1)
    ramp = np.linspace(-1.0, 1.0, log_values.shape[1])
    trend = np.einsum("t,ntc->nc", ramp, log_values - level[:, None, :]) / (ramp @ ramp)
    low, high = np.quantile(log_values, [0.1, 0.9], axis=1)
    roughness = np.diff(log_values, axis=1).std(axis=1)
    return np.concatenate([level, trend, log_values.std(axis=1), low, high, roughness], axis=1)


def window_feature_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of :func:`window_features` in order."""
    return tuple(f"{channel}.{statistic}" for statistic in WINDOW_STATISTICS for channel in channels)


def exposure_features(log_ratio: Floats, time_s: Floats) -> Floats:
    """Describe one exposure to a smell: (T, C) logarithm of signal over tracked baseline → (C + 1,) features.

    The response is turned into the concentration that each channel feels (inverse of its power law, relative to its
    half concentration), what was left of the last smell at the onset is taken off as it decays, and the strongest
    third of the samples is averaged. ``pattern`` is the logarithm of it relative to all channels together, which does
    not change with the concentration in the air; ``strength`` is what all have in common. Order as in
    :func:`exposure_feature_names`.

    Args:
        log_ratio: at least :data:`FEWEST_SAMPLES` samples.
        time_s: (T,) since the onset; samples before it tell what was left of the last smell [s].

    Raises:
        InputError: too few samples, or numbers that are not finite.
    """
    samples = len(log_ratio)
    if samples < FEWEST_SAMPLES or not np.isfinite(log_ratio).all():
        fault = f"{samples} samples" if samples < FEWEST_SAMPLES else "numbers that are not finite"
        raise InputError("odor exposure", fault)
    felt = felt_concentration(log_ratio)
    before = time_s < 0.0
    if before.any():
        left = felt[before].mean(axis=0)
        felt = felt - left * np.exp(-np.maximum(time_s, 0.0) / FALL_S)[:, None]
    # The strongest third: after a whiff the channels fall at different speeds, which would pass for a pattern.
    strongest = np.argsort(felt.sum(axis=1))[-max(samples // 3, 1) :]
    felt = np.log(np.maximum(felt[strongest].mean(axis=0), LEAST_CONCENTRATION))
    strength = felt.mean()
    return np.append(felt - strength, strength)


def felt_concentration(response: Floats, exponent: float = EXPONENT) -> Floats:
    """Concentration that a channel feels, relative to its half concentration: inverse of R = R0·(1 + x)^−β."""
    result: Floats = np.expm1(np.maximum(response, 0.0) / exponent)
    return result


def exposure_feature_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of :func:`exposure_features` in order."""
    return (*(f"{channel}.pattern" for channel in channels), "strength")


def concentrations_of(features: Floats) -> Floats:
    """Back from exposure features (…, C + 1) to the concentration that each channel felt (…, C)."""
    result: Floats = np.exp(features[..., :-1] + features[..., -1:])
    return result


def heater_cycle_features(resistances_ohm: Floats) -> Floats:
    """Logarithms of the gas resistances of heater cycles: (N, steps) [Ω] → (N, steps).

    Raises:
        InputError: a resistance that is not positive.
    """
    if not (np.isfinite(resistances_ohm).all() and (resistances_ohm > 0.0).all()):
        raise InputError("heater cycle", "a gas resistance that is not positive")
    result: Floats = np.log(resistances_ohm)
    return result


def standardise_unit(features: Floats) -> Floats:
    """Remove offset and gain of one sensor unit: (N, F) of that unit → zero mean, unit spread per feature.

    It needs sniffs of that unit over a range of smells, not their labels.
    """
    spread = features.std(axis=0)
    result: Floats = (features - features.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    return result
