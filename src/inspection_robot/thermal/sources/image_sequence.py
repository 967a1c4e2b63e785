"""16-bit TIFF and PNG pictures and NPY arrays: 0.01 K as uint16, or °C or K as floating point."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.thermal.frames import (
    CELSIUS_ZERO_KELVIN,
    ThermalFrame,
    celsius_fault,
    celsius_from_centikelvin,
    centikelvin_fault,
    size_fault,
)
from inspection_robot.thermal.sources.recording import ThermalRecording

FRAME_RATE_HZ = 9.0
"""Assumed where the format carries no times: the export-free rate of thermal cameras."""


def open_tiff(path: Path) -> ThermalRecording:
    """Open a TIFF of one or more 16-bit or floating-point pages of one size."""
    try:
        with tifffile.TiffFile(path) as tiff:
            shapes = {page.shape for page in tiff.pages}
            count = len(tiff.pages)
    except (tifffile.TiffFileError, ValueError, struct.error, OSError, IndexError, KeyError, TypeError) as error:
        raise InputError(path, f"damaged TIFF ({error})") from error
    if len(shapes) != 1:
        raise InputError(path, f"a sequence of pictures of different sizes: {', '.join(map(str, sorted(shapes)))}")
    height, width = _picture_shape(path, shapes.pop())

    def frames() -> Iterator[ThermalFrame]:
        try:
            with tifffile.TiffFile(path) as tiff:
                for number, page in enumerate(tiff.pages):
                    yield _frame(path, page.asarray(), number)
        except (tifffile.TiffFileError, ValueError, struct.error, OSError, RuntimeError, TypeError) as error:
            raise InputError(path, f"damaged TIFF ({error})") from error

    return ThermalRecording(path, "TIFF", "", width, height, count, frames)


def open_png(path: Path) -> ThermalRecording:
    """Open a 16-bit grey PNG."""
    data = path.read_bytes()
    if len(data) < 33:
        raise InputError(path, "truncated PNG")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    _picture_shape(path, (height, width))
    if colour != 0 or depth != 16:
        raise InputError(path, "not radiometric: a PNG must be 16-bit grey")

    def frames() -> Iterator[ThermalFrame]:
        # OpenCV fills the rows that a truncated file lacks and says nothing: look for the end first.
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if b"IEND" in data[-16:] else None
        if picture is None:
            raise InputError(path, "truncated or damaged PNG")
        yield _frame(path, picture, 0)

    return ThermalRecording(path, "PNG", "", width, height, 1, frames)


def open_npy(path: Path) -> ThermalRecording:
    """Open an NPY array of shape (height, width) or (frames, height, width)."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError, MemoryError) as error:
        raise InputError(path, f"damaged NPY ({error})") from error
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(path, f"an array of shape {array.shape}; (height, width) or (frames, height, width) is needed")
    height, width = _picture_shape(path, array.shape[-2:])
    sequence = array.reshape(-1, height, width)

    def frames() -> Iterator[ThermalFrame]:
        for number in range(len(sequence)):
            yield _frame(path, np.asarray(sequence[number]), number)

    return ThermalRecording(path, "NPY", "", width, height, len(sequence), frames)


def _picture_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        raise InputError(path, f"not radiometric: pictures of shape {shape}, one channel is needed")
    fault = size_fault(int(shape[1]), int(shape[0]))
    if fault is not None:
        raise InputError(path, fault)
    return int(shape[0]), int(shape[1])


def _frame(path: Path, picture: NDArray[Any], number: int) -> ThermalFrame:
    if picture.dtype == np.uint8:
        raise InputError(path, "an 8-bit picture, not radiometric")
    if picture.dtype.kind == "u" and picture.dtype.itemsize == 2:
        raw = picture.astype(np.uint16)
        fault = centikelvin_fault(raw)
        celsius = celsius_from_centikelvin(raw)
    elif picture.dtype.kind == "f":
        celsius = picture.astype(np.float32)
        # No place that people work in has a median of 200 K or of 200 °C: the scale tells itself.
        if np.nanmedian(celsius) > 200.0:
            celsius = celsius - np.float32(CELSIUS_ZERO_KELVIN)
        fault = celsius_fault(celsius)
    else:
        raise InputError(path, f"pixels of type {picture.dtype}; uint16 in 0.01 K or floating point in °C is needed")
    if fault is not None:
        raise InputError(path, f"frame {number}: {fault}")
    return ThermalFrame(celsius=celsius, time_s=number / FRAME_RATE_HZ)
