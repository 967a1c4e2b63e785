"""Pictures from files and messages, checked before anything works on them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from inspection_contract.errors import InputError

Gray = NDArray[np.uint8]
"""Grey picture, (rows, columns) uint8, 0 black."""

MAXIMUM_BYTES = 64 * 2**20
MAXIMUM_PIXELS = 64_000_000


def read_gray(path: str | Path) -> Gray:
    """Read a picture file as grey values.

    Raises:
        InputError: the file is missing, empty, too large, cut off or no picture.
    """
    try:
        data = Path(path).read_bytes() if Path(path).stat().st_size <= MAXIMUM_BYTES else None
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    if data is None:
        raise InputError(path, f"larger than {MAXIMUM_BYTES // 2**20} MiB")
    if not data:
        raise InputError(path, "empty file")
    return decode_gray(data, str(path))


def decode_gray(data: bytes, name: str) -> Gray:
    """Decode the bytes of a picture file (PNG, JPEG, WebP, TIFF …) to (rows, columns) uint8.

    Raises:
        InputError: not a picture, cut off, or more than 64 million pixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > MAXIMUM_PIXELS:
                raise InputError(name, f"more than {MAXIMUM_PIXELS} pixels")
            upright = ImageOps.exif_transpose(opened)
            if upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
                # Print on a transparent ground is meant to stand on white.
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            return np.asarray(upright.convert("L"), np.uint8)
    except UnidentifiedImageError as error:
        raise InputError(name, "no picture that can be decoded") from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise InputError(name, f"picture cannot be decoded: {error}") from error
