"""What every gas sensor board gives, whatever it speaks."""

from __future__ import annotations

import termios
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
import serial
from numpy.typing import NDArray

from inspection_contract.errors import InputError

Floats = NDArray[np.float64]

NOT_MEASURED = float("nan")
_LONGEST_LINE = 512
_LOST = (OSError, termios.error)  # what pyserial lets through when a port goes away; SerialException is an OSError

T = TypeVar("T")


class BoardError(InputError):
    """A board that is absent, silent or talks nonsense: port and fault in one line. Close it and open it again."""


@dataclass(frozen=True)
class BoardReading:
    """One reading.

    Attributes:
        board: type and serial number of the board.
        channels: names of the gas channels.
        values: (C,) raw value of each channel, in its unit.
        units: UCUM unit of each channel: Ohm, 1, {ticks}, [ppb] …
        temperature_c: at the board [°C]; NaN when not measured.
        relative_humidity: at the board, 0..1; NaN when not measured.
        pressure_pa: at the board [Pa]; NaN when not measured.
        warming_up: the board itself says that its heater is not stable yet.
    """

    board: str
    channels: tuple[str, ...]
    values: Floats
    units: tuple[str, ...]
    temperature_c: float = NOT_MEASURED
    relative_humidity: float = NOT_MEASURED
    pressure_pa: float = NOT_MEASURED
    warming_up: bool = False


class Board(ABC):
    """An open board. Use it as a context manager or :meth:`close` it."""

    period_s: float  # nominal time between readings [s]

    @abstractmethod
    def poll(self) -> BoardReading | None:
        """Wait at most about a second for the next good reading; noise on the line is skipped.

        Raises:
            BoardError: the board vanished, refused, or nothing good has come for several periods.
        """

    def read(self) -> BoardReading:
        """Wait for the next good reading, as long as :meth:`poll` has patience."""
        while (reading := self.poll()) is None:
            pass
        return reading

    @abstractmethod
    def close(self) -> None:
        """Release the port; harmless when already closed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SerialLine:
    """A serial port whose every error is a :class:`BoardError`."""

    def __init__(self, port: str, baud_rate: int) -> None:
        self.port = port
        try:
            self._serial = serial.Serial(port, baud_rate, timeout=0.1, write_timeout=1.0, exclusive=True)
        except (*_LOST, ValueError) as error:
            raise BoardError(port, f"cannot be opened: {error}") from error

    def read(self) -> bytes:
        """What has arrived, after at most 0.1 s; maybe nothing."""
        try:
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))
        except (*_LOST, TypeError) as error:  # pyserial raises TypeError when the port is closed under a read
            raise BoardError(self.port, f"lost: {error}") from error

    def write(self, data: bytes) -> None:
        """Send bytes."""
        try:
            self._serial.write(data)
            self._serial.flush()
        except _LOST as error:
            raise BoardError(self.port, f"lost: {error}") from error

    def clear(self) -> None:
        """Forget what has arrived unread."""
        try:
            self._serial.reset_input_buffer()
        except _LOST as error:
            raise BoardError(self.port, f"lost: {error}") from error

    def close(self) -> None:
        """Release the port."""
        self._serial.close()


def wait_for(line: SerialLine, timeout_s: float, feed: Callable[[bytes], T | None]) -> T:
    """Feed arriving bytes to ``feed`` until it returns something.

    Raises:
        BoardError: it did not within ``timeout_s`` [s].
    """
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = feed(line.read())
        if found is not None:
            return found
    raise BoardError(line.port, f"nothing readable for {timeout_s:g} s")


class StreamingBoard(Board):
    """A board that sends by itself; subclasses turn bytes into readings."""

    def __init__(self, line: SerialLine, patience_s: float) -> None:
        """Read from ``line``; nothing readable for ``patience_s`` [s] is an error."""
        self._line = line
        self._patience_s = patience_s
        self._heard_s = time.monotonic()
        self._waiting: deque[BoardReading] = deque()

    @abstractmethod
    def feed(self, data: bytes) -> list[BoardReading]:
        """Return the readings that ``data`` completes."""

    def poll(self) -> BoardReading | None:
        """See :meth:`Board.poll`."""
        if not self._waiting:
            self._waiting.extend(self.feed(self._line.read()))
        if self._waiting:
            self._heard_s = time.monotonic()
            return self._waiting.popleft()
        if time.monotonic() - self._heard_s > self._patience_s:
            raise BoardError(self._line.port, f"nothing readable for {self._patience_s:g} s")
        return None

    def close(self) -> None:
        """Release the port."""
        self._line.close()


class AskedBoard(Board):
    """A board that answers questions; asked once in every period."""

    period_s = 1.0

    def __init__(self, line: SerialLine) -> None:
        self._line = line
        self._next_s = 0.0

    @abstractmethod
    def ask(self) -> BoardReading:
        """Ask for a reading and wait at most a second for it."""

    def poll(self) -> BoardReading | None:
        """See :meth:`Board.poll`."""
        wait_s = self._next_s - time.monotonic()
        if wait_s > 0.0:
            time.sleep(min(wait_s, 0.5))
            return None
        self._next_s = max(self._next_s, time.monotonic() - self.period_s) + self.period_s
        return self.ask()

    def close(self) -> None:
        """Release the port."""
        self._line.close()


class LineSplitter:
    """Cuts a byte stream into lines of text; over-long ones and bytes that are not ASCII are dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that ``data`` completes, without line ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""
        return [
            line.decode("ascii").strip() for line in lines if line.isascii() and 0 < len(line.strip()) <= _LONGEST_LINE
        ]
