"""Open a recording by what its bytes say it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inspection_contract.errors import InputError
from inspection_robot.thermal.frames import ThermalFrame


@dataclass(frozen=True)
class ThermalRecording:
    """A file of thermal pictures.

    Attributes:
        path: The file.
        format: Its format, for people.
        camera: Maker and model as the file gives them; may be empty.
        width: Of every frame [px].
        height: Of every frame [px].
        frame_count: Number of frames; None when only reading tells.
        frames: Makes a fresh iterator over the frames; raises InputError where the file is damaged.
    """

    path: Path
    format: str
    camera: str
    width: int
    height: int
    frame_count: int | None
    frames: Callable[[], Iterator[ThermalFrame]]


def open_recording(path: Path) -> ThermalRecording:
    """Open a CPTV recording, radiometric JPEG, 16-bit TIFF or PNG, or NPY array.

    Raises:
        InputError: The file is missing, a directory, empty, of another type, damaged or of an impossible size.
    """
    from inspection_robot.thermal.sources import cptv, flir_jpeg, image_sequence

    readers: tuple[tuple[bytes, Callable[[Path], ThermalRecording]], ...] = (
        (b"\x1f\x8b", cptv.open_cptv),
        (b"\xff\xd8\xff", flir_jpeg.open_flir_jpeg),
        (b"II*\x00", image_sequence.open_tiff),
        (b"MM\x00*", image_sequence.open_tiff),
        (b"II+\x00", image_sequence.open_tiff),
        (b"MM\x00+", image_sequence.open_tiff),
        (b"\x89PNG\r\n\x1a\n", image_sequence.open_png),
        (b"\x93NUMPY", image_sequence.open_npy),
    )
    head = _head(path)
    for magic, reader in readers:
        if head.startswith(magic):
            return reader(path)
    raise InputError(path, "not a thermal recording (CPTV, radiometric JPEG, 16-bit TIFF or PNG, NPY)")


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(path, "is a directory, not a recording")
        if path.exists() and not path.is_file():
            raise InputError(path, "is not a regular file")
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise InputError(path, "no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})") from error
    if not head:
        raise InputError(path, "is empty")
    return head
