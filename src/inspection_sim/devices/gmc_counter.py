"""GQ GMC counter: version, counts on request and the heartbeat, at one baud rate only."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from inspection_sim.devices.pty_device import PtyDevice

_COMMAND = re.compile(rb"<([A-Z]+)(\d?)>>")


class GmcDevice(PtyDevice):
    """A GMC counter.

    Args:
        port: where the link to its pseudo-terminal is put.
        rate_cps: expected count rate [1/s] now.
        version: what it answers to GETVER; a GMC-500 or 600 sends counts in four bytes, others in two.
        own_baud_rate: at any other speed it understands nothing and its bytes arrive as noise.
        period_s: interval of the heartbeat, or with a clock of looking at it [s].
        seed: of the counting statistics.
        clock: time [s] of a simulator, in whose seconds it counts; None: every period is one of its seconds.
    """

    def __init__(
        self,
        port: str | Path,
        rate_cps: Callable[[], float],
        version: str = "GMC-300Re 4.20",
        own_baud_rate: int = 57600,
        period_s: float = 1.0,
        seed: int = 0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(port, period_s)
        self._clock = clock
        self._counted_until_s = clock() if clock is not None else 0.0
        self.stuck = False
        self._rate_cps = rate_cps
        self._version = version
        self._own_baud_rate = own_baud_rate
        self._random = np.random.default_rng(seed)
        self._length = 4 if version.startswith(("GMC-5", "GMC-6")) else 2
        self._buffer = b""
        self._heartbeat = False
        self._minute: list[int] = []

    def receive(self, data: bytes) -> bytes:
        """Answer the commands found in the bytes so far; everything else is ignored, as the device does."""
        if self.baud_rate != self._own_baud_rate:
            return bytes((byte * 7 + 131) % 256 for byte in data[:4])
        self._buffer = (self._buffer + data)[-256:]
        answer, end = b"", 0
        for match in _COMMAND.finditer(self._buffer):
            end = match.end()
            answer += self._reply(match.group(1), match.group(2))
        self._buffer = self._buffer[end:]
        return answer

    def tick(self) -> bytes:
        """Count the seconds that are over; send those counts when the heartbeat is on."""
        seconds = 1 if self._clock is None else int(self._clock() - self._counted_until_s)
        data = b""
        for _ in range(seconds):
            self._counted_until_s += 1.0
            counts = 0 if self.stuck else int(self._random.poisson(self._rate_cps()))
            self._minute = [*self._minute, counts][-60:]
            if self._heartbeat:
                data += counts.to_bytes(self._length, "big")
        return data if self.baud_rate == self._own_baud_rate else bytes(byte ^ 0x5A for byte in data)

    def _reply(self, name: bytes, argument: bytes) -> bytes:
        if name == b"HEARTBEAT":
            self._heartbeat = argument == b"1"
            return b""
        if name == b"GETVER":
            return self._version.encode("ascii")
        if name == b"GETCPM":
            return sum(self._minute).to_bytes(self._length, "big")
        if name == b"GETCPS":
            return (self._minute[-1] if self._minute else 0).to_bytes(self._length, "big")
        return b""
