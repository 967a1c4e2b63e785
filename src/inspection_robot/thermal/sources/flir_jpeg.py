"""Radiometric JPEG: the FLIR file format (FFF) carried in APP1 segments.

FLIR's own cameras write it, and so do those built on FLIR cores (FLIR ONE, DJI Zenmuse XT and XT2, Extech, Cat phones):
raw 16-bit counts as little-endian words or as PNG or TIFF, with the Planck constants and the conditions the user had
set. Layout as documented by ExifTool's FLIR tag tables.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.thermal.frames import CELSIUS_ZERO_KELVIN, ThermalFrame, celsius_fault, size_fault
from inspection_robot.thermal.radiometry import AtmosphereConstants, PlanckConstants, Surroundings, object_celsius
from inspection_robot.thermal.sources.recording import ThermalRecording

_SEGMENT_ID = b"FLIR\x00"
_RECORD_RAW_DATA = 1
_RECORD_CAMERA_INFO = 0x20
_LARGEST_FILE = 256 << 20


@dataclass(frozen=True)
class RadiometricPicture:
    """What a radiometric JPEG holds.

    Attributes:
        raw: Counts, shape (height, width), uint16.
        camera: Maker and model.
        planck: The camera's Planck constants.
        atmosphere: The camera's constants of the transmission model.
        surroundings: Conditions set in the camera when the picture was taken.
    """

    raw: NDArray[np.uint16]
    camera: str
    planck: PlanckConstants
    atmosphere: AtmosphereConstants
    surroundings: Surroundings


def open_flir_jpeg(path: Path) -> ThermalRecording:
    """Open a radiometric JPEG; InputError when it holds no thermal data or damaged data."""
    if path.stat().st_size > _LARGEST_FILE:
        raise InputError(path, "larger than any radiometric JPEG")
    picture = read_radiometric(path.read_bytes(), path)
    celsius = object_celsius(picture.raw, picture.planck, picture.surroundings, picture.atmosphere).astype(np.float32)
    fault = celsius_fault(celsius)
    if fault is not None:
        raise InputError(path, f"thermal data cannot be right: {fault}")

    def frames() -> Iterator[ThermalFrame]:
        yield ThermalFrame(celsius=celsius, time_s=0.0)

    height, width = celsius.shape
    return ThermalRecording(path, "radiometric JPEG", picture.camera, width, height, 1, frames)


def read_radiometric(jpeg: bytes, name: str | Path) -> RadiometricPicture:
    """Take the thermal data out of a JPEG's bytes.

    Raises:
        InputError: No FLIR segments, segments missing, or records that contradict themselves.
    """
    container = _join_segments(jpeg, name)
    try:
        records = _records(container)
        if _RECORD_RAW_DATA not in records or _RECORD_CAMERA_INFO not in records:
            raise InputError(name, "its FLIR segments hold no raw thermal data")
        raw = _raw_counts(records[_RECORD_RAW_DATA])
        return _with_camera_info(raw, records[_RECORD_CAMERA_INFO])
    except (struct.error, ValueError, IndexError, OverflowError, ZeroDivisionError, KeyError, cv2.error) as error:
        raise InputError(name, f"damaged thermal data ({error})") from error
    except (tifffile.TiffFileError, TypeError, MemoryError) as error:
        raise InputError(name, f"damaged thermal data ({error})") from error


def _join_segments(jpeg: bytes, name: str | Path) -> bytes:
    """Join the FLIR APP1 segments in their numbered order."""
    parts: dict[int, bytes] = {}
    expected = 0
    position = 2
    while position + 4 <= len(jpeg) and jpeg[position] == 0xFF:
        marker = jpeg[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xDA:  # start of scan: no more application segments
            break
        (length,) = struct.unpack_from(">H", jpeg, position + 2)
        body = jpeg[position + 4 : position + 2 + length]
        if marker == 0xE1 and body.startswith(_SEGMENT_ID) and len(body) > 8:
            if len(body) < length - 2:
                raise InputError(name, "truncated within its thermal data")
            parts[body[6]] = body[8:]
            expected = body[7] + 1
        position += 2 + max(length, 2)
    if not parts:
        raise InputError(name, "a JPEG without thermal data (no FLIR segments)")
    if sorted(parts) != list(range(expected)):
        raise InputError(name, f"only {len(parts)} of {expected} thermal segments are there")
    return b"".join(parts[number] for number in range(expected))


def _records(container: bytes) -> dict[int, bytes]:
    """Records of an FFF container by their type; the first of each type."""
    if container[:4] not in (b"FFF\x00", b"AFF\x00"):
        raise ValueError("no FFF header")
    order = next((o for o in "><" if 100 <= struct.unpack_from(f"{o}I", container, 0x14)[0] < 200), None)
    if order is None:
        raise ValueError("unknown FFF version")
    index, count = struct.unpack_from(f"{order}II", container, 0x18)
    if count > 256:
        raise ValueError(f"{count} records")
    records: dict[int, bytes] = {}
    for number in range(count):
        kind, _, _, _, offset, length = struct.unpack_from(f"{order}HHIIII", container, index + 32 * number)
        if kind and length:
            if offset + length > len(container):
                raise ValueError(f"record {kind} reaches past the end")
            records.setdefault(kind, container[offset : offset + length])
    return records


def _byte_order(record: bytes) -> str:
    """Byte order of a record, which starts with a 16-bit value below 256."""
    return "<" if struct.unpack_from("<H", record)[0] < 256 else ">"


def _raw_counts(record: bytes) -> NDArray[np.uint16]:
    order = _byte_order(record)
    width, height = struct.unpack_from(f"{order}HH", record, 2)
    fault = size_fault(width, height)
    if fault is not None:
        raise ValueError(fault)
    data = record[32:]
    if data.startswith(b"\x89PNG"):
        png_width, png_height = struct.unpack_from(">II", data, 16)
        if (png_width, png_height) != (width, height):
            raise ValueError(f"picture of {png_width} × {png_height} in a record of {width} × {height}")
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if decoded is None or decoded.dtype != np.uint16:
            raise ValueError("raw picture cannot be decoded")
        # PNG words are big-endian by definition; the cameras store them little-endian all the same.
        counts: NDArray[Any] = decoded.byteswap()
    elif data[:4] in (b"II*\x00", b"MM\x00*"):
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            counts = tiff.pages[0].asarray()
    else:
        if len(data) < 2 * width * height:
            raise ValueError(f"{len(data)} bytes for {width} × {height} words")
        counts = np.frombuffer(data, f"{order}u2", width * height).reshape(height, width)
    if counts.shape != (height, width) or counts.dtype.kind != "u" or counts.dtype.itemsize != 2:
        raise ValueError(f"raw picture of shape {counts.shape}, {counts.dtype}")
    return counts.astype(np.uint16)


def _with_camera_info(raw: NDArray[np.uint16], info: bytes) -> RadiometricPicture:
    order = _byte_order(info)

    def real(offset: int) -> float:
        value = float(struct.unpack_from(f"{order}f", info, offset)[0])
        if not math.isfinite(value):
            raise ValueError(f"camera constant at {offset:#x} is not a number")
        return value

    def text(offset: int) -> str:
        return info[offset : offset + 32].split(b"\x00")[0].decode("latin-1").strip()

    planck = PlanckConstants(
        r1=real(0x58),
        b=real(0x5C),
        f=real(0x60),
        r2=real(0x30C),
        o=float(struct.unpack_from(f"{order}i", info, 0x308)[0]),
    )
    surroundings = Surroundings(
        emissivity=real(0x20),
        distance_m=real(0x24),
        reflected_celsius=real(0x28) - CELSIUS_ZERO_KELVIN,
        atmosphere_celsius=real(0x2C) - CELSIUS_ZERO_KELVIN,
        window_celsius=real(0x30) - CELSIUS_ZERO_KELVIN,
        window_transmission=real(0x34),
        relative_humidity=real(0x3C),
    )
    if surroundings.relative_humidity > 2.0:  # some firmware writes per cent
        surroundings = Surroundings(
            **{**surroundings.__dict__, "relative_humidity": surroundings.relative_humidity / 100.0}
        )
    if not (0.0 < surroundings.emissivity <= 1.0 and 0.0 < surroundings.window_transmission <= 1.0):
        raise ValueError(f"emissivity {surroundings.emissivity}, window {surroundings.window_transmission}")
    if min(planck.r1, planck.r2, planck.b) <= 0.0:
        raise ValueError("Planck constants are not positive")
    atmosphere = AtmosphereConstants(
        x=real(0x80), alpha1=real(0x70), alpha2=real(0x74), beta1=real(0x78), beta2=real(0x7C)
    )
    return RadiometricPicture(raw, f"FLIR {text(0xD4)}".strip(), planck, atmosphere, surroundings)
