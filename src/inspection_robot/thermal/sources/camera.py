"""A thermal camera at a V4L2 device that delivers 16-bit pictures in 0.01 K: Lepton on PureThermal, and others."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# OpenCV waits ten seconds for a frame unless told otherwise before it is loaded; an unplugged camera shows sooner.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")

import cv2

from inspection_contract.errors import InputError
from inspection_robot.thermal.frames import ThermalFrame, celsius_from_centikelvin, centikelvin_fault

_Y16 = cv2.VideoWriter.fourcc("Y", "1", "6", " ")

_LEPTON_ROWS = {62: (60, 80), 122: (120, 160)}
"""Rows with telemetry → rows and columns of the picture (Lepton 2.x and 3.x)."""

_STATUS_FFC_SHIFT, _STATUS_FFC_MASK = 4, 0b11
_FFC_IMMINENT, _FFC_RUNNING = 1, 2


@dataclass(frozen=True)
class LeptonTelemetry:
    """What a Lepton says of itself in telemetry row A (Lepton software-based IDD, table 5).

    Attributes:
        time_on_s: Since power-on [s].
        seconds_since_ffc: Since the last flat-field correction [s].
        ffc_running: A correction is imminent or running.
    """

    time_on_s: float
    seconds_since_ffc: float
    ffc_running: bool


def parse_telemetry(row: NDArray[np.uint16]) -> LeptonTelemetry:
    """Read telemetry row A: 80 words, 32-bit values with the low word first.

    Args:
        row: The first row below (or above) the picture, at least 32 words.
    """
    words = row.astype(np.uint64)

    def long(index: int) -> int:
        return int(words[index] | (words[index + 1] << np.uint64(16)))

    time_on_ms, last_ffc_ms = long(1), long(30)
    state = (long(3) >> _STATUS_FFC_SHIFT) & _STATUS_FFC_MASK
    since = (time_on_ms - last_ffc_ms) / 1e3 if last_ffc_ms <= time_on_ms else math.nan
    return LeptonTelemetry(time_on_ms / 1e3, since, state in (_FFC_IMMINENT, _FFC_RUNNING))


def frame_from_raw(raw: NDArray[np.uint16], time_s: float) -> ThermalFrame:
    """Turn a camera's picture into a frame, telemetry rows taken off and read.

    Raises:
        InputError: The values cannot be 0.01 K: 8-bit pictures, swapped bytes, or no radiometry.
    """
    since, running = math.nan, False
    size = _LEPTON_ROWS.get(raw.shape[0])
    if size is not None and raw.shape[1] == size[1]:
        telemetry = parse_telemetry(raw[size[0]])
        since, running = telemetry.seconds_since_ffc, telemetry.ffc_running
        raw = raw[: size[0]]
    fault = centikelvin_fault(raw)
    if fault is not None:
        raise InputError("thermal camera", fault)
    return ThermalFrame(celsius_from_centikelvin(raw), time_s, since, running)


class Y16Camera:
    """An open camera. Open it again with a new object after it was lost.

    Args:
        device: Path such as ``/dev/video0``; ``/dev/v4l/by-id/…`` survives replugging.

    Raises:
        InputError: No such device, or it delivers no 16-bit pictures.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        if not os.path.exists(device):  # noqa: PTH110 - a device node, possibly a dangling by-id link
            raise InputError(device, "no such camera; is it plugged in?")
        self._capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise InputError(device, "cannot be opened as a V4L2 camera")
        self._capture.set(cv2.CAP_PROP_FOURCC, _Y16)
        self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        if int(self._capture.get(cv2.CAP_PROP_FOURCC)) != _Y16:
            self._capture.release()
            raise InputError(device, "delivers no 16-bit pictures (Y16)")

    def read(self) -> ThermalFrame:
        """Wait for the next picture, for a second at most.

        Raises:
            InputError: The camera was unplugged, stopped, or delivers something else.
        """
        done, raw = self._capture.read()
        now_s = time.monotonic()
        if not done or raw is None:
            raise InputError(self.device, "delivers no pictures; was it unplugged?")
        if raw.dtype == np.uint8 and raw.ndim == 2 and raw.shape[0] == 1:  # some drivers hand over plain bytes
            width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
            raw = raw.view(np.uint16).reshape(-1, width)
        if raw.dtype != np.uint16:
            raise InputError(self.device, "delivers 8-bit pictures, not radiometric ones")
        return frame_from_raw(raw.reshape(raw.shape[0], raw.shape[1]), now_s)

    def close(self) -> None:
        """Release the device."""
        self._capture.release()
