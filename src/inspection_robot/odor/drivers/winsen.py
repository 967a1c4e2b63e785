"""Winsen modules and DFRobot's multi-gas sensors over a serial line: 9600 Bd, frames of nine bytes.

Read ``FF 01 86 00 00 00 00 00 79``; ``FF 01 78 41 …`` selects question-and-answer mode. The reply is ``FF 86``, the
concentration in bytes 2–3, for DFRobot's boards the gas type in byte 4, decimals in byte 5 and the temperature ADC in
bytes 6–7. The checksum is the two's complement of the sum of bytes 1–7. Source: Winsen ZE-series data sheets and
DFRobot SEN0465…SEN0476 wiki.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from inspection_robot.odor.drivers.board import (
    NOT_MEASURED,
    AskedBoard,
    BoardError,
    BoardReading,
    SerialLine,
    wait_for,
)

BAUD_RATE = 9600
FRAME_BYTES = 9
HEADER = 0xFF
READ, MODE = 0x86, 0x78
QUESTION_AND_ANSWER = 0x41
GASES = {
    0x02: "nh3", 0x03: "h2s", 0x04: "co", 0x05: "o2", 0x06: "h2", 0x2A: "o3", 0x2B: "so2", 0x2C: "no2",
    0x2E: "hcl", 0x31: "cl2", 0x33: "hf", 0x45: "ph3",
}  # fmt: skip
PER_CENT_BY_VOLUME = frozenset(("o2",))


def checksum(frame: bytes) -> int:
    """Two's complement of the sum of bytes 1–7 of a frame."""
    return -sum(frame[1:8]) & 0xFF


def command(code: int, argument: int = 0, address: int = 1) -> bytes:
    """The bytes of a command frame."""
    body = bytes((HEADER, address, code, argument, 0, 0, 0, 0))
    return body + bytes((checksum(body),))


@dataclass(frozen=True)
class GasReply:
    """Answer to a read: gas name (empty when the module does not say), value in ppm or %, temperature [°C] or NaN."""

    gas: str
    concentration: float
    temperature_c: float


def parse_reply(frame: bytes) -> GasReply | None:
    """Parse a nine-byte reply to a read; None when it is none or does not check."""
    if len(frame) != FRAME_BYTES or frame[0] != HEADER or frame[1] != READ or frame[8] != checksum(frame):
        return None
    decimals = frame[5] if frame[5] <= 3 else 0
    concentration = (frame[2] << 8 | frame[3]) / 10**decimals
    return GasReply(GASES.get(frame[4], ""), concentration, _temperature_c(frame[6] << 8 | frame[7]))


def _temperature_c(adc: int) -> float:
    """Temperature from the board's thermistor divider (10-bit ADC at 3 V; DFRobot); NaN when it has none."""
    if not 0 < adc < 1023:
        return NOT_MEASURED
    voltage = 3.0 * adc / 1024.0
    resistance = voltage * 10_000.0 / (3.0 - voltage)
    return 1.0 / (1.0 / 298.15 + math.log(resistance / 10_000.0) / 3380.13) - 273.15


class FrameFinder:
    """Finds checked nine-byte frames in a byte stream, byte by byte after noise."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[GasReply]:
        """Return the replies that ``data`` completes."""
        self._buffer += data
        found = []
        while (start := self._buffer.find(HEADER)) >= 0 and len(self._buffer) >= start + FRAME_BYTES:
            answer = parse_reply(self._buffer[start : start + FRAME_BYTES])
            if answer is not None:
                found.append(answer)
            self._buffer = self._buffer[start + (FRAME_BYTES if answer is not None else 1) :]
        self._buffer = self._buffer[max(start, 0) :] if start >= 0 else b""
        return found


class WinsenBoard(AskedBoard):
    """One gas module in question-and-answer mode, asked once a second."""

    def __init__(self, port: str, serial_number: str = "") -> None:
        """Open the port and select question-and-answer mode.

        Raises:
            BoardError: no port, or no module that answers on it.
        """
        super().__init__(SerialLine(port, BAUD_RATE))
        self._serial_number = serial_number
        self._finder = FrameFinder()
        try:
            self._line.clear()
            self._line.write(command(MODE, QUESTION_AND_ANSWER))
        except BoardError:
            self.close()
            raise

    def ask(self) -> BoardReading:
        """Ask for the concentration."""
        self._line.write(command(READ))
        answer = wait_for(self._line, 1.5, self._newest)
        gas = answer.gas or "gas"
        return BoardReading(
            board=f"Winsen {gas} {self._serial_number}".strip(),
            channels=(gas,),
            values=np.array([answer.concentration]),
            units=("%" if gas in PER_CENT_BY_VOLUME else "[ppm]",),
            temperature_c=answer.temperature_c,
        )

    def _newest(self, data: bytes) -> GasReply | None:
        found = self._finder.feed(data)
        return found[-1] if found else None
