"""RadiaCode spectrometers over USB, through the library `radiacode`.

Only the cumulative spectrum is used: its sum is a running total that loses nothing when messages are lost.
"""

from __future__ import annotations

import math
import struct
import time

import numpy as np
import radiacode
import usb.core
from radiacode.transports import usb as radiacode_usb

from inspection_robot.radiation.drivers.detector import (
    CumulativeSpectrum,
    DetectorError,
    Identity,
    RadiationDetector,
    TotalReading,
)

PERIOD_S = 1.0
USB_VENDOR, USB_PRODUCT = 0x0483, 0xF123
LARGEST_COUNT = 2**40
CPS_PER_USV_H = {"RadiaCode-101": 30.0, "RadiaCode-102": 30.0, "RadiaCode-103": 30.0, "RadiaCode-110": 77.0}  # maker


class RadiaCodeDevice(RadiationDetector):
    """A RadiaCode on USB; without a serial number the first one found."""

    def __init__(self, serial_number: str = "", period_s: float = PERIOD_S) -> None:
        self._serial_number = serial_number or None
        self._period_s = period_s
        self._device: radiacode.RadiaCode | None = None
        self._next_s = 0.0

    def open(self) -> Identity:
        """Connect; the library sets the device's clock."""
        try:
            self._device = radiacode.RadiaCode(serial_number=self._serial_number)
            serial_number = self._device.serial_number()
        except radiacode_usb.DeviceNotFound as error:
            raise DetectorError("disconnected", "no RadiaCode on USB") from error
        except _LIBRARY_ERRORS as error:
            raise DetectorError("disconnected", f"RadiaCode: {error}") from error
        self._next_s = time.monotonic()
        model = model_of(serial_number)
        return Identity(model, serial_number, CPS_PER_USV_H.get(model, math.nan))

    def read(self) -> TotalReading:
        """Read the cumulative spectrum once in every period."""
        if self._device is None:
            raise DetectorError("disconnected", "RadiaCode: not open")
        time.sleep(max(0.0, self._next_s - time.monotonic()))
        self._next_s = max(self._next_s + self._period_s, time.monotonic())
        try:
            spectrum = self._device.spectrum()
        except _LIBRARY_ERRORS as error:
            raise DetectorError("disconnected", f"RadiaCode: {error or type(error).__name__}") from error
        now_s = time.monotonic()
        counts = np.array(spectrum.counts, dtype=np.int64)
        if counts.ndim != 1 or len(counts) < 16 or counts.min() < 0 or counts.max() > LARGEST_COUNT:
            raise DetectorError("garbage", f"RadiaCode: a spectrum of {len(counts)} channels that makes no sense")
        coefficients = (float(spectrum.a0), float(spectrum.a1), float(spectrum.a2))
        cumulative = CumulativeSpectrum(counts, coefficients, spectrum.duration.total_seconds())
        return TotalReading(now_s, int(counts.sum()), cumulative)

    def close(self) -> None:
        """Release the USB device."""
        if self._device is not None:
            device, self._device = self._device, None
            device.close()


def model_of(serial_number: str) -> str:
    """Model from a serial number such as ``RC-102-001234``."""
    parts = serial_number.split("-")
    return f"RadiaCode-{parts[1]}" if len(parts) == 3 and parts[0] == "RC" and parts[1].isdigit() else "RadiaCode"


# What the library lets through: USB failures, answers out of sequence (assert), answers cut short.
_LIBRARY_ERRORS = (
    usb.core.USBError,
    usb.core.NoBackendError,
    radiacode_usb.MultipleUSBReadFailure,
    radiacode_usb.ConnectionClosed,
    AssertionError,
    ValueError,
    struct.error,
    UnicodeDecodeError,
)
