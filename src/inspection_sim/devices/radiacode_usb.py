"""RadiaCode spectrometer on USB: the bytes of its two bulk endpoints, for the library `radiacode`.

Requests: length, command, zero, sequence number (0x80 + 0…31), arguments; answers: length, the same four bytes, result.
"""

from __future__ import annotations

import array
import struct

import numpy as np
import usb.core
from numpy.typing import NDArray

_SET_EXCHANGE, _GET_VERSION, _SET_TIME = 0x0007, 0x000A, 0x0A04
_WR_VIRT_SFR, _RD_VIRT_STRING = 0x0825, 0x0826
_CONFIGURATION, _SERIAL_NUMBER, _SPECTRUM = 2, 8, 0x200
_CONFIGURATION_TEXT = "[General]\r\nSpecFormatVersion=0\r\n".encode("cp1251")


class RadiaCodeUsbDevice:
    """Stands in for the ``usb.core.Device`` the library opens; :attr:`present` False is a pulled cable.

    Args:
        counts: cumulative counts per channel, shape (channels,); change :attr:`counts` while it runs.
        coefficients_kev: energy calibration.
        serial_number: e.g. ``RC-102-001234``.
    """

    def __init__(
        self,
        counts: NDArray[np.int64],
        coefficients_kev: tuple[float, float, float] = (-6.0, 2.44, 0.0004),
        serial_number: str = "RC-102-001234",
    ) -> None:
        self.counts = counts
        self.coefficients_kev = coefficients_kev
        self.serial_number = serial_number
        self.duration_s = 0
        self.present = True
        self.empty_reads = 0
        self.wrong_sequence = False
        self._answer = b""

    def write(self, _endpoint: int, data: bytes) -> int:
        """Take one request."""
        self._require_present()
        _, command, _, sequence = struct.unpack_from("<IHBB", data)
        header = data[4:8]
        if self.wrong_sequence:
            header = header[:3] + bytes([sequence ^ 1])
        body = header + self._result(command, data[8:])
        self._answer = struct.pack("<I", len(body)) + body
        return len(data)

    def read(self, _endpoint: int, size: int, timeout: int | None = None) -> array.array[int]:
        """Return the next bytes of the answer; a time-out when there are none."""
        self._require_present()
        if self.empty_reads > 0 and self._answer:
            self.empty_reads -= 1
            return array.array("B")
        if not self._answer:
            raise usb.core.USBTimeoutError(f"nothing to read within {timeout} ms")
        data, self._answer = self._answer[:size], self._answer[size:]
        return array.array("B", data)

    def _require_present(self) -> None:
        if not self.present:
            raise usb.core.USBError("No such device (it may have been disconnected)", errno=19)

    def _result(self, command: int, arguments: bytes) -> bytes:
        if command == _GET_VERSION:
            text = b"\x0bJan  1 2024"
            return struct.pack("<HH", 0, 4) + text + struct.pack("<HH", 12, 4) + text
        if command == _WR_VIRT_SFR:
            return struct.pack("<I", 1)
        if command == _RD_VIRT_STRING:
            (name,) = struct.unpack_from("<I", arguments)
            value = self._string(name)
            return struct.pack("<II", 1 if value is not None else 0, len(value or b"")) + (value or b"")
        return b"" if command in (_SET_EXCHANGE, _SET_TIME) else struct.pack("<I", 0)

    def _string(self, name: int) -> bytes | None:
        if name == _CONFIGURATION:
            return _CONFIGURATION_TEXT
        if name == _SERIAL_NUMBER:
            return self.serial_number.encode("ascii")
        if name == _SPECTRUM:
            head = struct.pack("<Ifff", self.duration_s, *self.coefficients_kev)
            return head + self.counts.astype("<u4").tobytes()
        return None
