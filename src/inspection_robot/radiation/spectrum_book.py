"""Differences of a detector's cumulative spectrum: one sum for the background, one for the alarm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.drivers.detector import CumulativeSpectrum
from inspection_robot.radiation.spectrum import Spectrum

LONGEST_BACKGROUND_S = 3600.0


class SpectrumBook:
    """Adds up what a spectrometer counted in quiet times and, apart from it, during an alarm.

    Args:
        instrument: model as files name it.
        serial: serial number.
    """

    def __init__(self, instrument: str, serial: str) -> None:
        self.instrument = instrument
        self.serial = serial
        self._last: CumulativeSpectrum | None = None
        self._background: NDArray[np.int64] | None = None
        self._background_s = 0.0
        self._alarm: NDArray[np.int64] | None = None
        self._alarm_s = 0.0
        self._coefficients: tuple[float, ...] = ()

    def update(self, spectrum: CumulativeSpectrum, duration_s: float, alarm: bool, learn: bool) -> None:
        """Take the next cumulative spectrum.

        Args:
            spectrum: since the device's own reset; a smaller one than the last begins a new epoch.
            duration_s: time since the last one [s].
            alarm: add the difference to the alarm's spectrum; the first one of an alarm begins it anew.
            learn: add the difference to the background.
        """
        last, self._last = self._last, spectrum
        if last is None or len(last.counts) != len(spectrum.counts) or duration_s <= 0.0:
            return
        step = spectrum.counts - last.counts
        if step.min() < 0:
            return  # the device was reset in between: what it counted before is not known
        if spectrum.coefficients_kev != self._coefficients:
            self._coefficients = spectrum.coefficients_kev
            self._background, self._background_s, self._alarm, self._alarm_s = None, 0.0, None, 0.0
        if alarm:
            self._alarm = step if self._alarm is None else self._alarm + step
            self._alarm_s += duration_s
        elif learn:
            self._background = step if self._background is None else self._background + step
            self._background_s += duration_s
            if self._background_s > LONGEST_BACKGROUND_S:
                # Halving forgets slowly, so that the background follows the place without losing its statistics.
                self._background, self._background_s = self._background // 2, self._background_s / 2.0

    def begin_alarm(self) -> None:
        """Forget the last alarm's spectrum."""
        self._alarm, self._alarm_s = None, 0.0

    def alarm_spectrum(self, least_s: float = 1.0) -> Spectrum | None:
        """The alarm's spectrum with the background beside it; None before there is one."""
        if self._alarm is None or self._alarm_s < least_s:
            return None
        background = None
        if self._background is not None and self._background_s >= 30.0:
            background = self._spectrum(self._background, self._background_s)
        return self._spectrum(self._alarm, self._alarm_s, background)

    def _spectrum(self, counts: NDArray[np.int64], live_s: float, background: Spectrum | None = None) -> Spectrum:
        return Spectrum(
            counts, self._coefficients, live_s, live_s, self.instrument, self.serial, background=background
        )  # fmt: skip
