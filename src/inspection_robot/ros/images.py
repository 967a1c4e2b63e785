"""Pictures between numpy and sensor_msgs/Image, without a copy in and with one copy out."""

from __future__ import annotations

import array
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from inspection_contract.errors import InputError

Picture = NDArray[Any]

_ENCODINGS: dict[str, tuple[str, int]] = {  # element type, channels
    "mono8": ("u1", 1),
    "8UC1": ("u1", 1),
    "mono16": ("u2", 1),
    "16UC1": ("u2", 1),
    "32FC1": ("f4", 1),
    "bgr8": ("u1", 3),
    "rgb8": ("u1", 3),
    "8UC3": ("u1", 3),
    "bgra8": ("u1", 4),
    "rgba8": ("u1", 4),
}


def to_array(message: Any) -> Picture:
    """View the pixels of an Image: (height, width) or (height, width, channels), in native byte order.

    The array shares the message's memory; padded rows and foreign byte order are handled (the latter by a copy).

    Raises:
        InputError: when the encoding is not known or the data does not fit the stated size.
    """
    if message.encoding not in _ENCODINGS:
        raise InputError("image", f"encoding {message.encoding!r} is not one of {', '.join(_ENCODINGS)}")
    kind, channels = _ENCODINGS[message.encoding]
    dtype = np.dtype((">" if message.is_bigendian else "<") + kind)
    height, width, step = message.height, message.width, message.step
    row_bytes = width * channels * dtype.itemsize
    if step < row_bytes or len(message.data) < max(height - 1, 0) * step + (row_bytes if height else 0):
        size = f"{width}×{height} {message.encoding} with step {step}"
        raise InputError("image", f"{size} does not fit {len(message.data)} bytes of data")
    shape = (height, width) if channels == 1 else (height, width, channels)
    strides = (step, dtype.itemsize) if channels == 1 else (step, channels * dtype.itemsize, dtype.itemsize)
    pixels: Picture = np.ndarray(shape, dtype, memoryview(message.data), 0, strides)
    return pixels if dtype.isnative else pixels.astype(dtype.newbyteorder("="))


def to_bgr(message: Any) -> Picture:
    """Pixels as (height, width, 3) uint8 in OpenCV's order; grey pictures are repeated, alpha is dropped.

    Raises:
        InputError: as :func:`to_array`, and for 16-bit or float pictures, whose scale is not known here.
    """
    pixels = to_array(message)
    if pixels.dtype != np.uint8:
        raise InputError("image", f"{message.encoding} is no colour picture")
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    colours = pixels[:, :, :3]
    return np.ascontiguousarray(colours[:, :, ::-1] if message.encoding.startswith("rgb") else colours)


def to_message(pixels: Picture, encoding: str, stamp: Any, frame_id: str) -> Any:
    """Make an Image.

    Args:
        pixels: (height, width) or (height, width, channels), of the encoding's type.
        encoding: a key of REP-118's list: mono8, mono16, bgr8, rgb8, 32FC1, …
        stamp: builtin_interfaces/Time of acquisition.
        frame_id: optical frame of the camera.

    Raises:
        InputError: when the array does not fit the encoding.
    """
    if encoding not in _ENCODINGS:
        raise InputError("image", f"encoding {encoding!r} is not one of {', '.join(_ENCODINGS)}")
    kind, channels = _ENCODINGS[encoding]
    wanted_ndim = 2 if channels == 1 else 3
    if pixels.dtype != np.dtype(kind) or pixels.ndim != wanted_ndim or (channels > 1 and pixels.shape[2] != channels):
        raise InputError("image", f"array {pixels.shape} {pixels.dtype} is not {encoding}")
    contiguous = np.ascontiguousarray(pixels)
    data = array.array("B")  # the one type that rclpy takes without looking at every byte
    data.frombytes(contiguous.data.cast("B"))
    message = Image(
        height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"), step=pixels.shape[1] * channels * pixels.dtype.itemsize,
    )  # fmt: skip
    message.data = data
    message.header.stamp, message.header.frame_id = stamp, frame_id
    return message
