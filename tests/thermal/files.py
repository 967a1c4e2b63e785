"""Recordings made for tests: bytes as the devices write them."""

from __future__ import annotations

import gzip
import io
import struct
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
from cptv import CPTVWriter, Frame
from numpy.typing import NDArray

from inspection_robot.thermal.frames import centikelvin_from_celsius


def room(width: int = 160, height: int = 120, celsius: float = 22.0, seed: int = 0) -> NDArray[np.float32]:
    """A room with noise [°C]."""
    return (celsius + np.random.default_rng(seed).normal(0, 0.05, (height, width))).astype(np.float32)


def with_disc(picture: NDArray[np.float32], x: float, y: float, radius: float, celsius: float) -> NDArray[np.float32]:
    """The picture with a heated reference."""
    ys, xs = np.mgrid[: picture.shape[0], : picture.shape[1]]
    blend = np.clip(radius + 0.5 - np.hypot(xs - x, ys - y), 0, 1).astype(np.float32)
    return picture * (1 - blend) + np.float32(celsius) * blend


def write_cptv(path: Path, frames: list[NDArray[np.uint16]]) -> None:
    """A CPTV recording of 160 × 120 frames, 9 a second, last correction at power-on."""
    with path.open("wb") as file:
        writer = CPTVWriter(file)
        writer.device_name = b"test"
        for number, pixels in enumerate(frames):
            on = timedelta(milliseconds=60_000 + number * 111)
            writer.write_frame(Frame(pixels, on, timedelta(seconds=1), 20.0, 20.0))
        writer.close()


def cptv_bytes_with_size(width: int, height: int) -> bytes:
    """A CPTV header that claims a size."""
    fields = struct.pack("<BcB", 1, b"C", 1) + struct.pack("<BcQ", 8, b"T", 1)
    fields += struct.pack("<BcI", 4, b"X", width) + struct.pack("<BcI", 4, b"Y", height)
    return gzip.compress(b"CPTV\x02H" + bytes([4]) + fields)


def flir_jpeg(counts: NDArray[np.uint16], *, as_png: bool = True, segments: int = 1) -> bytes:
    """A radiometric JPEG with the Planck constants of a FLIR E-series camera."""
    height, width = counts.shape
    info = bytearray(0x400)
    struct.pack_into("<H", info, 0, 2)
    for offset, value in {
        0x20: 0.95, 0x24: 1.0, 0x28: 293.15, 0x2C: 293.15, 0x30: 293.15, 0x34: 1.0, 0x3C: 0.5, 0x58: 14906.2,
        0x5C: 1396.5, 0x60: 1.0, 0x70: 0.006569, 0x74: 0.01262, 0x78: -0.002276, 0x7C: -0.00667, 0x80: 1.9,
        0x30C: 0.0106,
    }.items():  # fmt: skip
        struct.pack_into("<f", info, offset, value)
    struct.pack_into("<i", info, 0x308, -6303)
    info[0xD4:0xDC] = b"TEST E60"
    raw = struct.pack("<HHH", 2, width, height) + bytes(26)
    if as_png:
        done, png = cv2.imencode(".png", counts.byteswap())
        assert done
        raw += png.tobytes()
    else:
        raw += counts.astype("<u2").tobytes()
    records = [(1, raw), (0x20, bytes(info))]
    offset = 64 + 32 * len(records)
    index, data = b"", b""
    for kind, record in records:
        index += struct.pack(">HHIIII", kind, 0, 100, 1, offset + len(data), len(record)) + bytes(12)
        data += record
    fff = b"FFF\x00" + bytes(16) + struct.pack(">III", 100, 64, len(records)) + bytes(32) + index + data
    size = -(-len(fff) // segments)
    out = io.BytesIO(b"\xff\xd8")
    out.seek(2)
    for number in range(segments):
        body = b"FLIR\x00\x01" + bytes([number, segments - 1]) + fff[number * size : (number + 1) * size]
        out.write(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
    out.write(b"\xff\xda\x00\x02\xff\xd9")
    return out.getvalue()


def centikelvin(celsius: NDArray[np.float32]) -> NDArray[np.uint16]:
    return centikelvin_from_celsius(celsius)
