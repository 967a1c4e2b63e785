"""One board over time: readings in, health and exposures out. All state of a board lives in :class:`BoardTrack`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.odor import board_health, signal_chain
from inspection_robot.odor.board_health import BoardStatus, Health, HealthSettings, HealthState
from inspection_robot.odor.drivers.board import BoardReading
from inspection_robot.odor.features import FEWEST_SAMPLES, exposure_features
from inspection_robot.odor.signal_chain import ChainOutput, ChainSettings, ChainState

Floats = NDArray[np.float64]

TRACE_S = 120.0  # kept before now, for pictures [s]
LEAD_S = 2.0  # of the trace before the onset that belongs to an exposure [s]


@dataclass(frozen=True)
class TrackSettings:
    """Settings of the parts, and the time constants of decisions."""

    chain: ChainSettings = field(default_factory=ChainSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    humidity_exponent: float = 0.25  # of resistive channels: R ∝ (RH)^−exponent [1]
    humidity_exponent_sigma: float = 0.15  # how far a channel's own exponent may be from that [1]
    window_s: float = 12.0  # longest part of an exposure that is described [s]


def settings_for(period_s: float, health: HealthSettings, humidity_exponent: float) -> TrackSettings:
    """Settings for a board whose readings come every ``period_s`` [s]: slow boards need longer windows."""
    usual = ChainSettings()
    chain = replace(
        usual,
        settle_s=max(usual.settle_s, 10.0 * period_s),
        baseline_s=max(usual.baseline_s, 30.0 * period_s),
        offset_s=max(usual.offset_s, 1.5 * period_s),
        gap_s=max(usual.gap_s, 3.5 * period_s),
    )
    return TrackSettings(chain, health, humidity_exponent, window_s=max(12.0, 8.0 * period_s))


@dataclass(frozen=True)
class Exposure:
    """Smell while it is here: ``time_s`` (T,) since the onset [s], ``response`` (T, C) log of signal over baseline."""

    onset_s: float
    time_s: Floats
    response: Floats
    intensity: float

    @property
    def duration_s(self) -> float:
        """Since the onset [s]."""
        return float(self.time_s[-1]) if len(self.time_s) else 0.0

    @property
    def describable(self) -> bool:
        """Whether there are enough samples for features."""
        return len(self.response) >= FEWEST_SAMPLES


@dataclass(frozen=True)
class TrackUpdate:
    """What one reading gave. ``change`` names what is different about the board, empty when nothing is."""

    health: Health
    output: ChainOutput
    exposure: Exposure | None
    change: str = ""


class BoardTrack:
    """Follows one board. A swapped board, other channels or units start it over and are named once."""

    def __init__(self, settings: TrackSettings | None = None) -> None:
        self.settings = settings or TrackSettings()
        self._health: HealthState | None = None
        self._chain: ChainState | None = None
        self._trace: deque[tuple[float, Floats]] = deque()
        self._intensity = 0.0
        self._humidity: tuple[float, float] | None = None  # when [s], and the log the baseline belongs to

    @property
    def board(self) -> str:
        """Type and serial number of the board; empty before the first reading."""
        return self._health.board if self._health is not None else ""

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the board; empty before the first reading."""
        return self._health.channels if self._health is not None else ()

    def update(self, reading: BoardReading, time_s: float) -> TrackUpdate:
        """Take a reading at ``time_s`` [s] of the node's clock.

        Raises:
            InputError: values that are not finite.
        """
        if not np.isfinite(reading.values).all():
            raise InputError(reading.board, "a value is not finite")
        change = ""
        if self._health is not None:
            change = board_health.swapped(self._health, reading.board, reading.channels, reading.units)
            change = change or board_health.rescaled(self._health, reading.values)
        if self._health is None or change or time_s < self._health.time_s:
            self._health = board_health.begin(reading.board, reading.channels, reading.units, reading.values, time_s)
            self._chain = None
            self._trace.clear()
        self._health, health = board_health.update(
            self._health, reading.values, time_s, reading.warming_up, self.settings.health
        )
        output = self._follow(reading, time_s)
        if health.status is not BoardStatus.OK:
            # A board that is not to be believed reports no smell; its baseline follows it until it is well again.
            return TrackUpdate(health, output, None, change)
        return TrackUpdate(health, output, self.exposure(), change)

    def trace(self) -> tuple[Floats, Floats]:
        """Times (T,) [s] and responses (T, C) of the last two minutes."""
        if not self._trace:
            return np.empty(0), np.empty((0, len(self.channels)))
        return np.array([time for time, _ in self._trace]), np.stack([response for _, response in self._trace])

    def judge_references(self, expected: Floats, found: Floats) -> None:
        """Compare responses to a reference odor with those of the last calibration; see ``board_health``."""
        if self._health is not None:
            self._health = board_health.judge_references(self._health, expected, found, self.settings.health)

    def _follow(self, reading: BoardReading, time_s: float) -> ChainOutput:
        signal = signal_chain.to_signal(reading.values, reading.units)
        resistive = np.array([unit in signal_chain.RESISTANCE_UNITS for unit in reading.units])
        exponents = np.where(resistive, self.settings.humidity_exponent, 0.0)
        reference = self.settings.chain.humidity_reference
        signal = signal_chain.compensate_humidity(signal, reading.relative_humidity, exponents, reference)
        if self._chain is None:
            self._chain = signal_chain.start(signal, time_s)
            zeros = np.zeros(len(signal))
            return ChainOutput(zeros, 0.0, False, False, False, False)
        doubt = self._humidity_doubt(reading.relative_humidity, time_s)
        self._chain, output = signal_chain.step(self._chain, signal, time_s, self.settings.chain, doubt)
        self._trace.append((time_s, output.response))
        while self._trace and time_s - self._trace[0][0] > TRACE_S:
            self._trace.popleft()
        self._intensity = max(self._intensity, output.intensity) if output.exposed else 0.0
        return output

    def _humidity_doubt(self, relative_humidity: float, time_s: float) -> float:
        """What a change of humidity since the baseline was learnt may do beyond its compensation [1]."""
        if not np.isfinite(relative_humidity):
            return 0.0
        now = float(np.log(max(relative_humidity, 0.01)))
        then_s, then = self._humidity or (time_s, now)
        share = 1.0 - np.exp(-max(time_s - then_s, 0.0) / self.settings.chain.baseline_s)
        self._humidity = time_s, float(then + share * (now - then))
        return self.settings.humidity_exponent_sigma * abs(now - self._humidity[1])

    def exposure(self) -> Exposure | None:
        """The exposure that is going on; None when nothing smells."""
        if self._chain is None or self._chain.onset_s is None:
            return None
        onset = self._chain.onset_s
        first = onset - LEAD_S
        times, responses = self.trace()
        part = (times >= first) & (times <= first + self.settings.window_s)
        return Exposure(onset, times[part] - onset, responses[part], self._intensity)


def describe(exposure: Exposure) -> Floats:
    """Features (F,) of an exposure; see :func:`inspection_robot.odor.features.exposure_features`."""
    return exposure_features(exposure.response, exposure.time_s)
