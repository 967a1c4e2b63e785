"""A Winsen or DFRobot gas module: active mode once a second, question-and-answer mode on command."""

from __future__ import annotations

from pathlib import Path

from inspection_sim.devices.pty_device import PtyDevice

_FRAME = 9


class WinsenDevice(PtyDevice):
    """The module; set :attr:`concentration` in units of 10^−``decimals``."""

    def __init__(self, port: str | Path, gas_type: int = 0x02, decimals: int = 1) -> None:
        super().__init__(port, period_s=1.0)
        self.gas_type, self.decimals = gas_type, decimals
        self.concentration = 12.5
        self.temperature_adc = 512
        self.asking = False
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer each nine-byte command whose checksum fits."""
        answers = b""
        with self.lock:
            self._buffer += data
            while len(self._buffer) >= _FRAME:
                frame = self._buffer[:_FRAME]
                if frame[0] != 0xFF or (sum(frame[1:]) & 0xFF) != 0:
                    self._buffer = self._buffer[1:]
                    continue
                self._buffer = self._buffer[_FRAME:]
                if frame[2] == 0x86:
                    answers += self._reading()
                elif frame[2] == 0x78:
                    self.asking = frame[3] == 0x41
                    answers += _framed(bytes((0x78, 0x01, 0, 0, 0, 0, 0)))
        return answers

    def tick(self) -> bytes:
        """In active mode the module reports by itself."""
        with self.lock:
            return b"" if self.asking else self._reading()

    def _reading(self) -> bytes:
        value = round(self.concentration * 10**self.decimals)
        body = (0x86, value >> 8, value & 0xFF, self.gas_type, self.decimals)
        return _framed(bytes((*body, self.temperature_adc >> 8, self.temperature_adc & 0xFF)))


def _framed(body: bytes) -> bytes:
    return b"\xff" + body + bytes((-sum(body) & 0xFF,))
