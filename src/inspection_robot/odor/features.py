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
EXPOSURE_STATISTICS = ("response", "rise", "trend", "pattern")


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


def exposure_features(log_ratio: Floats, period_s: float) -> Floats:
    """Describe one exposure to a smell: (T, C) logarithm of signal over tracked baseline → (4·C,) features.

    Order as in :func:`exposure_feature_names`: mean response of the last third; steepest rise over 1 s; trend over
    the last half [1/s]; and ``pattern``, the response divided by that of all channels together, which does not change
    with concentration while the channels follow power laws.

    Args:
        log_ratio: at least four samples.
        period_s: between samples [s].

    Raises:
        InputError: too few samples, or numbers that are not finite.
    """
    samples = len(log_ratio)
    if samples < FEWEST_SAMPLES or not np.isfinite(log_ratio).all():
        raise InputError(
            "odor exposure", f"{samples} samples" if samples < FEWEST_SAMPLES else "numbers that are not finite"
        )
    response = log_ratio[-max(samples // 3, 1) :].mean(axis=0)
    lag = min(max(round(1.0 / period_s), 1), samples - 1)
    change = log_ratio[lag:] - log_ratio[:-lag]
    rise = np.take_along_axis(change, np.abs(change).argmax(axis=0)[None, :], axis=0)[0]
    second = log_ratio[samples // 2 :]
    time_s = np.arange(len(second)) * period_s
    trend = np.polynomial.polynomial.polyfit(time_s, second, 1)[1]
    pattern = response / max(float(np.linalg.norm(response)), 1e-9)
    return np.concatenate([response, rise, trend, pattern])


def exposure_feature_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of :func:`exposure_features` in order."""
    return tuple(f"{channel}.{statistic}" for statistic in EXPOSURE_STATISTICS for channel in channels)


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
