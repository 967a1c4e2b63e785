"""From raw channel values to exposures: one scale for all channels, humidity taken out, baseline tracked, onset found.

The signal of a channel is the logarithm of its value, turned so that gas raises it: a gain of the unit becomes an
offset that the baseline takes away. Onset is a change point found by Page's cumulative sum on each channel
(Biometrika 41 (1954) 100).

There are two baselines. The clean one stands still from an onset until the sensors have come back, which takes
minutes; responses are told against it. The local one follows the sensors down as soon as a smell has gone, so that the
next smell is noticed against what is left of the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESISTANCE_UNITS = frozenset(("Ohm", "kOhm", "MOhm"))
_MAD_TO_SIGMA = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class ChainSettings:
    """Time constants and thresholds of the signal chain."""

    baseline_s: float = 90.0  # time constant of the baseline in clean air [s]
    settle_s: float = 20.0  # before this the baseline is a plain mean and nothing is reported [s]
    noise_floor: float = 0.002  # least standard deviation taken for a channel [1]
    slack_sigma: float = 1.5  # change that the cumulative sum forgives at every sample [1]
    onset_sigma: float = 14.0  # cumulative sum that is an onset [1]
    offset_sigma: float = 6.0  # an exposure ends when every channel is back within this of the baseline [1] …
    fallen: float = 0.85  # … or the response has fallen to this part of its peak, and falls [1] …
    offset_s: float = 5.0  # … for this long [s]
    longest_s: float = 600.0  # then the smell is taken for the new background [s]
    humidity_reference: float = 0.45  # relative humidity that signals are referred to [1]
    gap_s: float = 10.0  # a longer pause between samples starts over [s]


@dataclass(frozen=True)
class ChainState:
    """All state of one board's chain; C channels. ``None`` in :attr:`time_s`: nothing seen yet."""

    clean: Floats
    local: Floats
    noise: Floats
    rise: Floats  # cumulative sums, in standard deviations
    fall: Floats
    previous: Floats
    started_s: float
    time_s: float
    onset_s: float | None = None
    quiet_since_s: float | None = None
    recovering_since_s: float | None = None
    peak: float = 0.0  # largest norm of the response in this exposure
    last_norm: float = 0.0


@dataclass(frozen=True)
class ChainOutput:
    """What one sample gave.

    ``response`` (C,) log of signal over baseline; ``intensity`` strongest response over noise [1]; ``settled`` whether
    the baseline is usable; ``exposed`` whether a smell is here; ``began`` and ``ended`` mark the samples at which that
    changes.
    """

    response: Floats
    intensity: float
    settled: bool
    exposed: bool
    began: bool
    ended: bool


def to_signal(values: Floats, units: Sequence[str]) -> Floats:
    """Logarithm of raw values (C,) with the sign that gas raises: resistances fall in reducing gas, ticks rise.

    Values below a thousandth, which a log would blow up, count as a thousandth.
    """
    sign = np.array([-1.0 if unit in RESISTANCE_UNITS else 1.0 for unit in units])
    result: Floats = sign * np.log(np.maximum(values, 1e-3))
    return result


def compensate_humidity(signal: Floats, relative_humidity: float, exponents: Floats, reference: float) -> Floats:
    """Refer signals (C,) to the reference humidity: R ∝ (RH/reference)^−exponent, hence signal − exponent·log(RH/ref).

    Without a humidity reading (NaN) the signals are returned as they are.
    """
    if not np.isfinite(relative_humidity):
        return signal
    ratio = np.log(max(relative_humidity, 0.01) / reference)
    result: Floats = signal - exponents * ratio
    return result


def start(signal: Floats, time_s: float) -> ChainState:
    """State after the first sample (C,) at ``time_s`` [s]."""
    zeros = np.zeros(len(signal))
    return ChainState(signal.copy(), signal.copy(), zeros, zeros, zeros, signal.copy(), time_s, time_s)


def step(
    state: ChainState, signal: Floats, time_s: float, settings: ChainSettings | None = None, doubt: float = 0.0
) -> tuple[ChainState, ChainOutput]:
    """Take one compensated sample; a gap, time going back or other channels start over.

    Args:
        state: from :func:`start` or the last step.
        signal: (C,).
        time_s: of the sample [s].
        settings: defaults when None.
        doubt: standard deviation of what the compensation may have got wrong, beside the noise [1].
    """
    chosen = settings or ChainSettings()
    elapsed = time_s - state.time_s
    if elapsed == 0.0 and len(signal) == len(state.clean):
        # Two samples at one instant of a coarse clock: the second one tells nothing about change.
        response = signal - state.clean
        exposed = state.onset_s is not None
        settled = time_s - state.started_s >= chosen.settle_s
        sigma = _sigma(state, doubt, chosen)
        intensity = float((response / sigma).max()) if settled else 0.0
        return state, ChainOutput(
            response if settled else np.zeros(len(signal)), intensity, settled, exposed, False, False
        )
    if not 0.0 < elapsed <= chosen.gap_s or len(signal) != len(state.clean):
        was_exposed = state.onset_s is not None and len(signal) == len(state.clean)
        fresh = start(signal, time_s)
        return fresh, ChainOutput(np.zeros(len(signal)), 0.0, False, False, False, was_exposed)
    if time_s - state.started_s < chosen.settle_s:
        return _settle(state, signal, time_s, elapsed, chosen)
    sigma = _sigma(state, doubt, chosen)
    response = signal - state.clean
    intensity = float((response / sigma).max())
    if state.onset_s is None:
        return _watch(state, signal, time_s, elapsed, sigma, chosen)
    # A metal-oxide sensor takes minutes to come back: that the smell has gone is told by its falling, not by the end
    # of the fall. What is left becomes the baseline, which then follows the sensor down.
    norm = float(np.linalg.norm(response))
    peak = max(state.peak, norm)
    gone = norm < chosen.fallen * peak and norm <= state.last_norm + float(np.linalg.norm(sigma))
    quiet = intensity < chosen.offset_sigma or gone
    quiet_since = (state.quiet_since_s if state.quiet_since_s is not None else time_s) if quiet else None
    over = quiet_since is not None and time_s - quiet_since >= chosen.offset_s
    if over or time_s - state.onset_s >= chosen.longest_s:
        zeros = np.zeros(len(signal))
        ended = replace(
            state, local=signal.copy(), clean=state.clean if over else signal.copy(), rise=zeros, fall=zeros,
            previous=signal, time_s=time_s, onset_s=None, quiet_since_s=None, peak=0.0, last_norm=0.0,
            recovering_since_s=time_s if over else None,
        )  # fmt: skip
        return ended, ChainOutput(response, intensity, True, False, False, True)
    here = replace(
        state, previous=signal, time_s=time_s, quiet_since_s=quiet_since, peak=peak, last_norm=norm
    )  # fmt: skip
    return here, ChainOutput(response, intensity, True, True, False, False)


def _watch(
    state: ChainState, signal: Floats, time_s: float, elapsed: float, sigma: Floats, settings: ChainSettings
) -> tuple[ChainState, ChainOutput]:
    """Look for an onset in clean air, or while the sensors come back from the last smell."""
    response, change = signal - state.clean, (signal - state.local) / sigma
    intensity = float((response / sigma).max())
    rise = np.maximum(state.rise + change - settings.slack_sigma, 0.0)
    fall = np.maximum(state.fall - change - settings.slack_sigma, 0.0)
    if rise.max() >= settings.onset_sigma:
        begun = replace(state, rise=rise, previous=signal, time_s=time_s, onset_s=time_s, quiet_since_s=None)
        return begun, ChainOutput(response, intensity, True, True, True, False)
    recovering_since = state.recovering_since_s
    # Falling below the local baseline is clean air coming back: follow it fast, or the next smell would be missed.
    pace = settings.baseline_s / 30.0 if fall.max() >= settings.onset_sigma else settings.baseline_s
    local = state.local + (1.0 - np.exp(-elapsed / pace)) * (signal - state.local)
    if recovering_since is not None:
        back = intensity < settings.offset_sigma
        too_long = time_s - recovering_since >= settings.longest_s
        recovering_since = None if back or too_long else recovering_since
    tracked = replace(
        state,
        clean=state.clean if recovering_since is not None else local,
        local=local,
        noise=_track_noise(state, signal, elapsed, settings),
        rise=rise,
        fall=np.minimum(fall, 2.0 * settings.onset_sigma),
        previous=signal,
        time_s=time_s,
        recovering_since_s=recovering_since,
    )
    return tracked, ChainOutput(response, intensity, True, False, False, False)


def _settle(
    state: ChainState, signal: Floats, time_s: float, elapsed: float, settings: ChainSettings
) -> tuple[ChainState, ChainOutput]:
    """Baseline as a plain mean while there is little to average."""
    share = elapsed / max(time_s - state.started_s + elapsed, 1e-9)
    baseline = state.local + share * (signal - state.local)
    settled = replace(
        state,
        clean=baseline,
        local=baseline,
        noise=_track_noise(state, signal, max(elapsed, settings.settle_s / 10.0), settings),
        previous=signal,
        time_s=time_s,
    )
    return settled, ChainOutput(np.zeros(len(signal)), 0.0, False, False, False, False)


def _sigma(state: ChainState, doubt: float, settings: ChainSettings) -> Floats:
    """Standard deviation (C,) that changes are measured by."""
    result: Floats = np.hypot(np.maximum(state.noise, settings.noise_floor), doubt)
    return result


def _track_noise(state: ChainState, signal: Floats, elapsed: float, settings: ChainSettings) -> Floats:
    """Follow the standard deviation of a channel by the absolute difference of successive samples.

    The median absolute deviation of a difference of two normal values is sqrt(2)/1.4826 of their standard deviation.
    """
    difference = np.abs(signal - state.previous) * _MAD_TO_SIGMA / np.sqrt(2.0)
    limit = 3.0 * np.maximum(state.noise, settings.noise_floor)
    gain = 1.0 - np.exp(-elapsed / settings.settle_s)
    result: Floats = state.noise + gain * (np.minimum(difference, limit) - state.noise)
    return result
