"""Whether a gas sensor board can be believed: warming up, stuck, saturated, poisoned, changed under our feet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOISY_UNITS = frozenset(("Ohm", "{ticks}"))  # raw values with noise; a concentration may well stay at zero


class BoardStatus(StrEnum):
    """Status of a board, worst last; the words of ``OdorSample.status``."""

    OK = "ok"
    WARMING_UP = "warming_up"
    POISONED = "poisoned"
    SATURATED = "saturated"
    STUCK = "stuck"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True)
class HealthSettings:
    """Limits; times in seconds."""

    warm_up_s: float = 60.0  # after power-on, at least
    warm_up_rate: float = 0.004  # and until no channel's log moves faster than this in clean air [1/s]
    longest_warm_up_s: float = 1800.0  # a channel that still moves then is drifting, not warming up
    stuck_s: float = 15.0  # exactly the same value for this long; noise never allows that
    lowest_ohm: float = 50.0  # a resistance at the end of the converter's range
    highest_ohm: float = 1e9
    poisoned_fraction: float = 0.35  # of the response to a reference odor at the last calibration
    rate_s: float = 20.0  # time constant of the rate of change [s]


@dataclass(frozen=True)
class HealthState:
    """What is remembered of a board between readings; C channels."""

    board: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    since_s: float
    time_s: float
    values: Floats
    unchanged_since_s: Floats
    rate: Floats  # smoothed change of the log [1/s]
    warm: bool = False
    poisoned: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Health:
    """Status of the board, the channels that cause it, and one line about it."""

    status: BoardStatus
    channels: tuple[str, ...]
    text: str


def begin(board: str, channels: Sequence[str], units: Sequence[str], values: Floats, time_s: float) -> HealthState:
    """State after the first reading of a board."""
    return HealthState(
        board, tuple(channels), tuple(units), time_s, time_s, values.copy(), np.full(len(values), time_s),
        np.zeros(len(values)),
    )  # fmt: skip


def swapped(state: HealthState, board: str, channels: Sequence[str], units: Sequence[str]) -> str:
    """What is different from the board known so far: unit, channels, order or units; empty when nothing is."""
    if board != state.board:
        return f"board {state.board} was exchanged for {board}"
    if tuple(channels) != state.channels:
        missing = [name for name in state.channels if name not in channels]
        if missing:
            return f"channels missing: {', '.join(missing)}"
        new = [name for name in channels if name not in state.channels]
        return f"new channels: {', '.join(new)}" if new else "the channels come in another order"
    if tuple(units) != state.units:
        return f"units changed from {', '.join(state.units)} to {', '.join(units)}"
    return ""


def rescaled(state: HealthState, values: Floats) -> str:
    """Say that all channels changed by one large factor at once, as no gas does but a change of units; else empty."""
    if len(values) != len(state.values) or len(values) < 2:
        return ""
    factors = np.log(np.maximum(values, 1e-3) / np.maximum(state.values, 1e-3))
    middle = float(np.median(factors))
    if abs(middle) < np.log(8.0) or float(np.abs(factors - middle).max()) > 0.1:
        return ""
    return f"all channels changed by a factor of {np.exp(middle):.3g} at once: other units?"


def update(
    state: HealthState, values: Floats, time_s: float, warming_up: bool = False, settings: HealthSettings | None = None
) -> tuple[HealthState, Health]:
    """Take a reading (C,) of the same board at ``time_s`` [s].

    Args:
        state: from :func:`begin` or the last update.
        values: raw values.
        time_s: not before the last one.
        warming_up: the board says so itself.
        settings: defaults when None.
    """
    chosen = settings or HealthSettings()
    elapsed = time_s - state.time_s
    if elapsed <= 0.0:
        return state, _judge(state, warming_up, chosen)
    unchanged = np.where(values == state.values, state.unchanged_since_s, time_s)
    change = np.log(np.maximum(values, 1e-3) / np.maximum(state.values, 1e-3)) / elapsed
    gain = 1.0 - np.exp(-elapsed / chosen.rate_s)
    rate = state.rate + gain * (change - state.rate)
    age = time_s - state.since_s
    calm = bool((np.abs(rate) < chosen.warm_up_rate).all()) or age >= chosen.longest_warm_up_s
    warm = state.warm or (age >= chosen.warm_up_s and calm and not warming_up)
    new = replace(state, time_s=time_s, values=values.copy(), unchanged_since_s=unchanged, rate=rate, warm=warm)
    return new, _judge(new, warming_up, chosen)


def judge_references(state: HealthState, expected: Floats, found: Floats, settings: HealthSettings) -> HealthState:
    """Compare what the channels felt of the reference odors (C,) with the last calibration; remember poisoned ones.

    Channels that are expected to feel less than a tenth of what the best one feels are not judged.
    """
    strong = np.abs(expected) >= 0.1 * np.abs(expected).max()
    weak = strong & (np.abs(found) < settings.poisoned_fraction * np.abs(expected))
    return replace(state, poisoned=tuple(np.array(state.channels)[weak].tolist()))


def _judge(state: HealthState, warming_up: bool, settings: HealthSettings) -> Health:
    names = np.array(state.channels)
    noisy = np.array([unit in NOISY_UNITS for unit in state.units])
    stuck = noisy & (state.time_s - state.unchanged_since_s >= settings.stuck_s)
    if stuck.any():
        return _health(BoardStatus.STUCK, names[stuck], "does not change: restart the board")
    resistive = np.array([unit == "Ohm" for unit in state.units])
    outside = resistive & ((state.values < settings.lowest_ohm) | (state.values > settings.highest_ohm))
    if outside.any():
        return _health(BoardStatus.SATURATED, names[outside], "at the end of the range")
    if state.poisoned:
        return _health(BoardStatus.POISONED, np.array(state.poisoned), "hardly answers the reference odors")
    if warming_up or not state.warm:
        return Health(BoardStatus.WARMING_UP, (), "the heaters are not stable yet")
    return Health(BoardStatus.OK, (), "measures")


def _health(status: BoardStatus, channels: NDArray[np.str_], text: str) -> Health:
    return Health(status, tuple(channels.tolist()), f"{', '.join(channels.tolist())}: {text}")
