"""Sensirion SHDLC, as spoken by the SVM40 and SVM41 boards (VOC and NOx index, humidity, temperature) at 115200 Bd.

Request ``7E address command length data checksum 7E``; the reply has a state byte after the command. The checksum is
the inverted low byte of the sum of everything between the 7E; 7D and XOR 20 stuff the bytes 7D, 7E, 11 and 13.
Source: Sensirion, "SHDLC interface description" and SVM41 data sheet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from inspection_robot.odor.drivers.board import AskedBoard, BoardError, BoardReading, SerialLine, wait_for

BAUD_RATE = 115200
FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20
STUFFED = frozenset((0x7E, 0x7D, 0x11, 0x13))
START, STOP, READ, DEVICE_INFORMATION, RESET = 0x00, 0x01, 0x03, 0xD0, 0xD3
RAW_VALUES = 0x0D
SERIAL_NUMBER = 0x03
WARM_UP_READINGS = 10  # the NOx signal is fixed during the sensor's first ten seconds

_LONGEST_FRAME = 2 * 262 + 2


@dataclass(frozen=True)
class Reply:
    """One checked reply frame: device address, command, state (bit 7: device error, bits 0–6: error code), data."""

    address: int
    command: int
    state: int
    data: bytes


def checksum(content: bytes) -> int:
    """Inverted low byte of the sum of address, command, (state,) length and data."""
    return ~sum(content) & 0xFF


def stuff(content: bytes) -> bytes:
    """Escape the bytes that may not stand inside a frame."""
    return b"".join(bytes((ESCAPE, byte ^ FLIP)) if byte in STUFFED else bytes((byte,)) for byte in content)


def unstuff(content: bytes) -> bytes | None:
    """Undo :func:`stuff`; None for an escape that ends the frame or escapes what needs none."""
    result = bytearray()
    bytes_left = iter(content)
    for byte in bytes_left:
        if byte == ESCAPE:
            following = next(bytes_left, None)
            if following is None or following ^ FLIP not in STUFFED:
                return None
            byte = following ^ FLIP
        result.append(byte)
    return bytes(result)


def request(command: int, data: bytes = b"", address: int = 0) -> bytes:
    """The bytes of a request frame."""
    content = bytes((address, command, len(data))) + data
    return bytes((FLAG,)) + stuff(content + bytes((checksum(content),))) + bytes((FLAG,))


def reply(command: int, data: bytes = b"", state: int = 0, address: int = 0) -> bytes:
    """The bytes of a reply frame."""
    content = bytes((address, command, state, len(data))) + data
    return bytes((FLAG,)) + stuff(content + bytes((checksum(content),))) + bytes((FLAG,))


class ReplyDecoder:
    """Finds reply frames in a byte stream; whatever does not check is dropped."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Reply]:
        """Return the frames that ``data`` completes."""
        *pieces, self._buffer = (self._buffer + data).split(bytes((FLAG,)))
        if len(self._buffer) > _LONGEST_FRAME:
            self._buffer = b""
        return [frame for piece in pieces if (frame := _parse_reply(piece)) is not None]


def _parse_reply(piece: bytes) -> Reply | None:
    content = unstuff(piece)
    if content is None or len(content) < 5 or content[3] != len(content) - 5:
        return None
    if checksum(content[:-1]) != content[-1]:
        return None
    return Reply(content[0], content[1], content[2], content[4:-1])


class ShdlcBoard(AskedBoard):
    """An SVM4x board: raw VOC and NOx ticks at 1 Hz, because its indices adapt away what we look for."""

    def __init__(self, port: str) -> None:
        """Open the port, read the serial number and start measuring.

        Raises:
            BoardError: no port, or no board that answers on it.
        """
        super().__init__(SerialLine(port, BAUD_RATE))
        try:
            self._line.clear()
            answer = self._ask(DEVICE_INFORMATION, bytes((SERIAL_NUMBER,)))
            self._name = "SVM4x " + answer.rstrip(b"\0").decode("ascii", "replace")
            self._ask(STOP)
            self._ask(START, b"\0")
        except BoardError:
            self.close()
            raise
        self._readings = 0

    def ask(self) -> BoardReading:
        """Ask for the raw values."""
        data = self._ask(READ, bytes((RAW_VALUES,)))
        if len(data) != 8:
            raise BoardError(self._line.port, f"{len(data)} bytes of raw values, expected 8")
        humidity, temperature, voc, nox = struct.unpack(">hhHH", data)
        self._readings += 1
        return BoardReading(
            board=self._name,
            channels=("voc", "nox"),
            values=np.array([voc, nox], dtype=np.float64),
            units=("{ticks}", "{ticks}"),
            temperature_c=temperature / 200.0,
            relative_humidity=humidity / 100.0 / 100.0,
            warming_up=self._readings <= WARM_UP_READINGS,
        )

    def _ask(self, command: int, data: bytes = b"", timeout_s: float = 1.0) -> bytes:
        decoder = ReplyDecoder()

        def feed(arrived: bytes) -> Reply | None:
            return next((frame for frame in decoder.feed(arrived) if frame.command == command), None)

        self._line.write(request(command, data))
        answer = wait_for(self._line, timeout_s, feed)
        code = answer.state & 0x7F
        if code and not (command == STOP and code == 0x43):  # 0x43: not allowed now, it was not measuring
            raise BoardError(self._line.port, f"command {command:02X} refused with code {code:02X}")
        return answer.data
