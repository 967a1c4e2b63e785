"""A Sensirion SVM41 board on SHDLC: start, stop, indices, raw values, serial number, reset."""

from __future__ import annotations

import struct
from pathlib import Path

from inspection_sim.devices.pty_device import PtyDevice

_FLAG = 0x7E
_ESCAPE = 0x7D
_STUFFED = (0x7E, 0x7D, 0x11, 0x13)
_UNKNOWN_COMMAND = 0x02
_NOT_ALLOWED = 0x43
_WRONG_PARAMETER = 0x04


class ShdlcDevice(PtyDevice):
    """The board; set :attr:`voc_ticks`, :attr:`nox_ticks`, :attr:`temperature_c` and :attr:`humidity_percent`."""

    def __init__(self, port: str | Path, serial: str = "E1D2C3B4A5968778") -> None:
        super().__init__(port)
        self.serial = serial
        self.voc_ticks, self.nox_ticks = 30_000, 15_000
        self.temperature_c, self.humidity_percent = 24.5, 45.0
        self.measuring = False
        self._buffer = bytearray()

    def receive(self, data: bytes) -> bytes:
        """Answer every request frame that checks; others get no answer, as on the real board."""
        answers = b""
        with self.lock:
            for byte in data:
                if byte != _FLAG:
                    self._buffer.append(byte)
                    continue
                content = _unstuff(bytes(self._buffer))
                self._buffer.clear()
                if len(content) >= 4 and content[2] == len(content) - 4 and sum(content) & 0xFF == 0xFF:
                    answers += self._reply(content[0], content[1], content[3:-1])
        return answers

    def _reply(self, address: int, command: int, data: bytes) -> bytes:
        state, values = self._execute(command, data)
        content = bytes((address, command, state, len(values))) + values
        content += bytes((0xFF - (sum(content) & 0xFF),))
        escaped = bytearray()
        for byte in content:
            escaped += bytes((_ESCAPE, byte ^ 0x20)) if byte in _STUFFED else bytes((byte,))
        return bytes((_FLAG,)) + bytes(escaped) + bytes((_FLAG,))

    def _execute(self, command: int, data: bytes) -> tuple[int, bytes]:
        """State byte and data of the reply to a command."""
        humidity, temperature = round(self.humidity_percent * 100), round(self.temperature_c * 200)
        if command == 0x00 and data == b"\x00":
            state = _NOT_ALLOWED if self.measuring else 0
            self.measuring = True
            return state, b""
        if command == 0x01:
            state = 0 if self.measuring else _NOT_ALLOWED
            self.measuring = False
            return state, b""
        if command == 0x03 and not self.measuring:
            return _NOT_ALLOWED, b""
        if command == 0x03 and data == b"\x10":
            return 0, struct.pack(">hhhh", humidity, temperature, 1000, 10)
        if command == 0x03 and data == b"\x0d":
            return 0, struct.pack(">hhHH", humidity, temperature, self.voc_ticks, self.nox_ticks)
        if command == 0xD0 and data == b"\x03":
            return 0, self.serial.encode("ascii") + b"\0"
        if command == 0xD3:
            self.measuring = False
            return 0, b""
        return (_WRONG_PARAMETER if command in (0x00, 0x03, 0xD0) else _UNKNOWN_COMMAND), b""


def _unstuff(content: bytes) -> bytes:
    result = bytearray()
    escaped = False
    for byte in content:
        if byte == _ESCAPE:
            escaped = True
            continue
        result.append(byte ^ 0x20 if escaped else byte)
        escaped = False
    return bytes(result)
