"""CPTV recordings (The Cacophony Project) of Lepton cameras: uint16 in 0.01 K with the time of the last FFC."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from cptv import reader as cptv_reader

from inspection_contract.errors import InputError
from inspection_robot.thermal.frames import ThermalFrame, celsius_from_centikelvin, centikelvin_fault, size_fault
from inspection_robot.thermal.sources.recording import ThermalRecording

# What the library lets through when the bytes are damaged.
_DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, struct.error,
    zlib.error,
)  # fmt: skip

# It warns of every unknown field of a damaged file on the root of its logger; the InputError says it once.
logging.getLogger("cptv").setLevel(logging.ERROR)


class _GuardedStream:
    """A decompressed stream that refuses absurd reads and remembers whether it ended within the compression."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.limit = 1 << 16
        self.truncated = False

    def read(self, size: int) -> bytes:
        if size > self.limit:
            raise ValueError(f"a field of {size} bytes")
        try:
            data = self._stream.read(size)
        except EOFError:
            self.truncated = True
            raise
        return data

    def seek(self, offset: int) -> int:
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()


def open_cptv(path: Path) -> ThermalRecording:
    """Open a CPTV recording; InputError when its header cannot be used."""
    with path.open("rb") as file:
        reader, _ = _reader(path, file)
        width, height = int(reader.x_resolution), int(reader.y_resolution)
        brand, model = (_text(value) for value in (reader.brand, reader.model))
        count = reader.num_frames or None
    return ThermalRecording(
        path=path,
        format="CPTV",
        camera=f"{brand} {model}".strip(),
        width=width,
        height=height,
        frame_count=count,
        frames=partial(_frames, path),
    )


def _reader(path: Path, file: IO[bytes]) -> tuple[Any, _GuardedStream]:
    try:
        reader = cptv_reader.CPTVReader(file)
    except _DAMAGE as error:
        raise InputError(path, f"not a CPTV recording, or its header is damaged ({_reason(error)})") from error
    fault = size_fault(int(reader.x_resolution), int(reader.y_resolution))
    if fault is not None:
        raise InputError(path, fault)
    guarded = _GuardedStream(reader.s)
    # A frame is at most 24 bits a pixel, packed, after a 4-byte start value.
    guarded.limit = 3 * int(reader.x_resolution) * int(reader.y_resolution) + 4
    reader.s = guarded
    return reader, guarded


def _frames(path: Path) -> Iterator[ThermalFrame]:
    count = 0
    with path.open("rb") as file:
        reader, guarded = _reader(path, file)
        frames = iter(reader)
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                break
            except _DAMAGE as error:
                kind = "truncated" if guarded.truncated else "damaged"
                raise InputError(path, f"{kind} after {count} frames ({_reason(error)})") from error
            if frame.background_frame:
                continue
            fault = centikelvin_fault(frame.pix)
            # The first frames after power-on may be all zero: the camera has nothing to show yet.
            if fault is not None and frame.pix.any():
                raise InputError(path, f"frame {count}: {fault}")
            count += 1
            if fault is None:
                yield _thermal_frame(frame.pix, frame.time_on, frame.last_ffc_time, count)
    if guarded.truncated:
        raise InputError(path, f"truncated after {count} frames")
    if count == 0:
        raise InputError(path, "holds no frames")


def _thermal_frame(
    pixels: np.ndarray[Any, np.dtype[np.uint16]], time_on: timedelta | None, last_ffc: timedelta | None, number: int
) -> ThermalFrame:
    since = float("nan")
    if time_on and last_ffc:
        since = max((time_on - last_ffc).total_seconds(), 0.0)
    # Version 1 carries no clock: Leptons deliver 9 frames a second (8.7 measured).
    time_s = time_on.total_seconds() if time_on else number / 8.7
    return ThermalFrame(celsius=celsius_from_centikelvin(pixels), time_s=time_s, seconds_since_ffc=since)


def _text(value: bytes | None) -> str:
    return value.decode("utf-8", "replace").strip("\x00 ") if value else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"field {error.args[0].decode('latin-1')} is missing"
    if isinstance(error, IndexError):
        return "it ends within a field"
    return str(error) or type(error).__name__
