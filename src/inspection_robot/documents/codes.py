"""Read bar codes and matrix codes from one picture: zxing-cpp behind a ladder of pre-processings.

A picture that does not read as it is may read sharpened, denoised, larger, smaller or turned. The rungs are tried in
the order of what they gain for their time until one reads or the time budget is used. Symbologies whose check is weak
(one digit, or none) are believed only when two different rungs agree, because a blurred retail code can be misread
with a valid check digit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from inspection_robot.documents.images import Gray
from inspection_robot.documents.retail_profile import RetailReading, confirms, read_retail

MAXIMUM_TEXT = 8192
"""No symbology we read holds more characters; longer payloads are cut."""

NO_CHECK = frozenset({"ITF", "Codabar", "Code 39", "Code 39 Standard", "Code 39 Extended", "DX Film Edge"})
ONE_DIGIT = frozenset({"EAN-13", "EAN-8", "UPC-A", "UPC-E", "Code 93", "DataBar Limited", "Telepen", "Telepen Numeric"})
PROFILED = frozenset({"EAN-13", "UPC-A", "UPC-E"})
ADD_ON_LENGTHS = (2, 5)


@dataclass(frozen=True)
class Code:
    """One code read from a picture.

    Attributes:
        format: name of the symbology as zxing-cpp writes it; `+2` or `+5` follows when `text` includes an add-on
            (ISO/IEC 15420, symbology identifiers ]E0 and ]E3 are both given).
        text: payload as Unicode; bytes without a declared character set are decoded by zxing-cpp's guess.
        raw: payload bytes.
        checks: what protects the reading: `error_correction`, `checksum`, `check_digit`, or `agreement`.
        corners: (4, 2) float32, clockwise from the upper left of the symbol, pixels of the given picture.
        rung: pre-processing that read it first.
        agreeing: how many rungs read the same.
    """

    format: str
    text: str
    raw: bytes
    checks: str
    corners: NDArray[np.float32]
    rung: str
    agreeing: int = 1


@dataclass(frozen=True)
class Rung:
    """One pre-processing: `prepare` returns the picture to decode and the 2×3 affine map from it back to the input."""

    name: str
    prepare: Callable[[Gray], tuple[Gray, NDArray[np.float64]]]
    binarizer: zxingcpp.Binarizer = zxingcpp.Binarizer.LocalAverage
    maximum_pixels: int = 20_000_000


IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def _as_is(picture: Gray) -> tuple[Gray, NDArray[np.float64]]:
    return picture, IDENTITY


def _equalised(picture: Gray) -> tuple[Gray, NDArray[np.float64]]:
    return np.asarray(cv2.createCLAHE(3.0, (8, 8)).apply(picture), np.uint8), IDENTITY


def _sharpened(deviation: float, amount: float, factor: float) -> Callable[[Gray], tuple[Gray, NDArray[np.float64]]]:
    def prepare(picture: Gray) -> tuple[Gray, NDArray[np.float64]]:
        smooth = cv2.GaussianBlur(picture, (0, 0), deviation)
        sharp = np.asarray(cv2.addWeighted(picture, 1.0 + amount, smooth, -amount, 0.0), np.uint8)
        return _resize(sharp, factor)

    return prepare


def _smoothed(deviation: float) -> Callable[[Gray], tuple[Gray, NDArray[np.float64]]]:
    return lambda picture: (np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation), np.uint8), IDENTITY)


def _scaled(factor: float) -> Callable[[Gray], tuple[Gray, NDArray[np.float64]]]:
    return lambda picture: _resize(picture, factor)


def _turned(degrees: float) -> Callable[[Gray], tuple[Gray, NDArray[np.float64]]]:
    def prepare(picture: Gray) -> tuple[Gray, NDArray[np.float64]]:
        height, width = picture.shape
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
        new_width, new_height = int(height * sine + width * cosine), int(height * cosine + width * sine)
        turn[:, 2] += ((new_width - width) / 2, (new_height - height) / 2)
        turned = cv2.warpAffine(picture, turn, (new_width, new_height), borderValue=255)
        return np.asarray(turned, np.uint8), np.asarray(cv2.invertAffineTransform(turn), np.float64)

    return prepare


def _resize(picture: Gray, factor: float) -> tuple[Gray, NDArray[np.float64]]:
    height, width = picture.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    method = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    back = np.array([[width / size[0], 0.0, 0.0], [0.0, height / size[1], 0.0]])
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8), back


GLOBAL, FIXED = zxingcpp.Binarizer.GlobalHistogram, zxingcpp.Binarizer.FixedThreshold
LADDER: tuple[Rung, ...] = (
    Rung("as_is", _as_is),
    Rung("equalised", _equalised),
    Rung("sharpened_double", _sharpened(2.0, 2.0, 2.0), maximum_pixels=1_500_000),
    Rung("larger", _scaled(1.5), maximum_pixels=2_500_000),
    Rung("sharpened", _sharpened(4.0, 3.0, 1.0)),
    Rung("smoothed", _smoothed(1.0)),
    Rung("fixed_threshold", _as_is, FIXED),
    Rung("half_global", _scaled(0.5), GLOBAL),
    Rung("turned_20", _turned(20.0), maximum_pixels=4_000_000),
    Rung("turned_-20", _turned(-20.0), maximum_pixels=4_000_000),
    Rung("double_global", _scaled(2.0), GLOBAL, maximum_pixels=1_500_000),
    Rung("turned_45", _turned(45.0), maximum_pixels=4_000_000),
)
ADD_ON_RUNGS = (Rung("add_on", _as_is), Rung("add_on_larger", _scaled(1.5)), Rung("add_on_double", _scaled(2.0)))


def read_codes(picture: Gray, budget_s: float = 0.15, clock: Callable[[], float] = time.perf_counter) -> list[Code]:
    """Read every code in a picture.

    Args:
        picture: (rows, columns) uint8.
        budget_s: no further rung is begun once this time has passed [s]; the first always runs.
        clock: monotonic seconds.

    Returns:
        The believed codes: of strongly checked symbologies all, of weakly checked ones those that two rungs agree on.
    """
    started = clock()
    votes = _Votes()
    for rung in LADDER:
        if rung is not LADDER[0] and clock() - started > budget_s:
            break
        if picture.size > rung.maximum_pixels:
            continue
        votes.add(_decode(picture, rung), rung.name)
        if votes.settled():
            break
    for code in votes.lonely():
        if code.format in PROFILED and confirms(picture, code.corners, code.text):
            votes.add([code], "profile")
    codes = votes.believed()
    if not codes and clock() - started <= budget_s:
        codes = [_from_profile(reading) for reading in read_retail(picture)]
    return _with_add_ons(picture, codes)


def _from_profile(reading: RetailReading) -> Code:
    return Code(
        reading.format, reading.text, reading.text.encode(), "check_digit", reading.region.corners(), "profile"
    )  # fmt: skip


class _Votes:
    """Readings of the rungs so far, by format and payload."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, bytes, int], Code] = {}

    def add(self, codes: Sequence[Code], rung: str) -> None:
        """Count one rung's readings; identical symbols within one picture are kept apart by their order."""
        seen: dict[tuple[str, bytes], int] = {}
        for code in codes:
            payload = (code.format, code.raw)
            copy = seen[payload] = seen.get(payload, -1) + 1
            known = self._codes.get((*payload, copy))
            if known is None:
                self._codes[(*payload, copy)] = code
            elif known.rung != rung:
                self._codes[(*payload, copy)] = _agreed(known)

    def settled(self) -> bool:
        """Whether something is read and every weak reading has its second witness or is outvoted."""
        believed = self.believed()
        pending = [code for code in self._codes.values() if _is_weak(code) and code.agreeing < 2]
        return bool(believed) and all(any(_same_place(code, other) for other in believed) for code in pending)

    def lonely(self) -> list[Code]:
        """Weak readings that one rung alone made, with nothing believed at their place."""
        believed = self.believed()
        return [
            code
            for code in self._codes.values()
            if _is_weak(code) and code.agreeing < 2 and not any(_same_place(code, other) for other in believed)
        ]

    def believed(self) -> list[Code]:
        """Strong readings, and weak ones with two witnesses and more than any rival at the same place."""
        codes = list(self._codes.values())
        return [
            code
            for code in codes
            if not _is_weak(code)
            or (
                code.agreeing >= 2
                and all(rival is code or not _same_place(code, rival) or _outweighs(code, rival) for rival in codes)
            )
        ]


def _outweighs(code: Code, rival: Code) -> bool:
    return code.raw == rival.raw or (_is_weak(rival) and code.agreeing > rival.agreeing)


def _agreed(code: Code) -> Code:
    return Code(code.format, code.text, code.raw, code.checks, code.corners, code.rung, code.agreeing + 1)


def _is_weak(code: Code) -> bool:
    return code.format in NO_CHECK or code.format in ONE_DIGIT


def _same_place(one: Code, other: Code) -> bool:
    centre = other.corners.mean(axis=0)
    low, high = one.corners.min(axis=0) - 2, one.corners.max(axis=0) + 2
    return bool(np.all((centre >= low) & (centre <= high)))


def _decode(picture: Gray, rung: Rung) -> list[Code]:
    prepared, back = rung.prepare(picture)
    found = zxingcpp.read_barcodes(
        np.ascontiguousarray(prepared), text_mode=zxingcpp.TextMode.Plain, binarizer=rung.binarizer
    )
    return [_code(barcode, rung.name, back) for barcode in found if barcode.valid]


def _code(barcode: zxingcpp.Barcode, rung: str, back: NDArray[np.float64]) -> Code:
    place = barcode.position
    corners = np.array([(p.x, p.y) for p in (place.top_left, place.top_right, place.bottom_right, place.bottom_left)])
    mapped = corners @ back[:, :2].T + back[:, 2]
    name = str(barcode.format)
    checks = "agreement" if name in NO_CHECK else "check_digit" if name in ONE_DIGIT else _strong_check(name)
    return Code(name, barcode.text[:MAXIMUM_TEXT], bytes(barcode.bytes), checks, mapped.astype(np.float32), rung)


def _strong_check(name: str) -> str:
    return "checksum" if name.startswith(("Code 128", "DataBar")) else "error_correction"


def _with_add_ons(picture: Gray, codes: list[Code]) -> list[Code]:
    """Append the reading with add-on where two scales agree on one: a two-digit add-on alone is too weak."""
    if not any(code.format in PROFILED for code in codes) or picture.size > 1_500_000:
        return codes
    witnesses: list[dict[str, Code]] = []
    for rung in ADD_ON_RUNGS:
        prepared, back = rung.prepare(picture)
        found = zxingcpp.read_barcodes(
            np.ascontiguousarray(prepared),
            formats=zxingcpp.BarcodeFormat.EANUPC,
            text_mode=zxingcpp.TextMode.Plain,
            ean_add_on_symbol=zxingcpp.EanAddOnSymbol.Require,
        )
        witnesses.append({barcode.text: _code(barcode, rung.name, back) for barcode in found if barcode.valid})
        if len(witnesses) == 2 and not any(witnesses):
            return codes
    extended = list(codes)
    for code in codes:
        for text in sorted(set().union(*witnesses)):
            digits = len(text) - len(code.text)
            agreeing = [witness[text] for witness in witnesses if text in witness]
            if text.startswith(code.text) and digits in ADD_ON_LENGTHS and len(agreeing) >= 2:
                first = agreeing[0]
                name = f"{code.format}+{digits}"
                extended.append(Code(name, text, first.raw, "agreement", first.corners, first.rung, len(agreeing)))
    return extended
