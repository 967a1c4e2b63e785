"""What every radiation detector offers: an identity, running totals, and one error that says why there are none."""

from __future__ import annotations

import math
import termios
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import serial
from numpy.typing import NDArray

_PORT_ERRORS = (OSError, termios.error)  # SerialException is an OSError, termios.error is not


class DetectorError(Exception):
    """A detector that cannot be used now: ``reason`` is a key (disconnected, garbage, silent), the text says more."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


@dataclass(frozen=True)
class Identity:
    """What a detector says about itself.

    Attributes:
        model: maker and model.
        serial_number: empty when it has none.
        cps_per_usv_h: sensitivity [1/s for 1 uSv/h]; NaN when not known.
        dead_time_s: dead time of the tube [s]; 0 when not known or already corrected.
        counter_wrap: value at which the running total starts again; None when it never does.
    """

    model: str
    serial_number: str = ""
    cps_per_usv_h: float = math.nan
    dead_time_s: float = 0.0
    counter_wrap: int | None = None

    @property
    def name(self) -> str:
        """Model and serial number in one text."""
        return f"{self.model} {self.serial_number}".strip()


@dataclass(frozen=True)
class CumulativeSpectrum:
    """A detector's spectrum since it was last reset: counts, calibration [keV], the device's own running time [s]."""

    counts: NDArray[np.int64]
    coefficients_kev: tuple[float, ...]
    duration_s: float


@dataclass(frozen=True)
class TotalReading:
    """Running total at a moment of the steady clock [s]; a spectrum when the detector measures one."""

    time_s: float
    total_counts: int
    spectrum: CumulativeSpectrum | None = None


class RadiationDetector(ABC):
    """One detector. ``open`` and ``read`` raise :class:`DetectorError`; after one of these, close and open again."""

    @abstractmethod
    def open(self) -> Identity:
        """Connect, check that it is the right device, and return what it is."""

    @abstractmethod
    def read(self) -> TotalReading:
        """Wait for the next reading, about a second, and return it."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect; harmless when not connected."""


class SerialLink:
    """A serial port whose failures are all :class:`DetectorError`."""

    def __init__(self, port: str, baud_rate: int, timeout_s: float) -> None:
        try:
            self._port = serial.Serial(port, baud_rate, timeout=timeout_s, write_timeout=timeout_s, exclusive=True)
        except (*_PORT_ERRORS, ValueError) as error:
            raise DetectorError("disconnected", f"{port}: {error}") from error
        self.name = port
        self._pending = b""

    def close(self) -> None:
        """Close the port."""
        try:
            self._port.close()
        except _PORT_ERRORS as error:
            raise DetectorError("disconnected", f"{self.name}: {error}") from error

    def write(self, data: bytes) -> None:
        """Send bytes."""
        try:
            self._port.write(data)
        except _PORT_ERRORS as error:
            raise DetectorError("disconnected", f"{self.name}: {error}") from error

    def flush_input(self) -> None:
        """Forget what has arrived so far."""
        self._pending = b""
        try:
            self._port.reset_input_buffer()
        except _PORT_ERRORS as error:
            raise DetectorError("disconnected", f"{self.name}: {error}") from error

    def read(self, size: int, timeout_s: float) -> bytes:
        """Return up to ``size`` bytes, fewer when they do not arrive in time."""
        data, self._pending = self._pending[:size], self._pending[size:]
        deadline = time.monotonic() + timeout_s
        while len(data) < size:
            data += self._receive(size - len(data), deadline - time.monotonic())
            if time.monotonic() >= deadline:
                break
        return data

    def read_line(self, timeout_s: float, longest: int = 512) -> str | None:
        """Return the next line without its end, as Latin-1 text; None when none is complete in time.

        A line longer than ``longest`` is garbage and is cut, so that noise without line ends cannot fill the memory.
        """
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            if len(self._pending) > longest:
                line, self._pending = self._pending[:longest], b""
                return line.decode("latin-1")
            left_s = deadline - time.monotonic()
            if left_s <= 0.0:
                return None
            self._pending += self._receive(longest, left_s)
        line, _, self._pending = self._pending.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def _receive(self, size: int, timeout_s: float) -> bytes:
        try:
            self._port.timeout = max(0.0, min(timeout_s, 0.2))
            waiting = self._port.in_waiting
            return bytes(self._port.read(max(1, min(size, waiting))))
        except (*_PORT_ERRORS, TypeError) as error:  # pyserial raises TypeError when the port is closed under it
            raise DetectorError("disconnected", f"{self.name}: {error}") from error
