"""Read machine readable zones in pictures: find lines, classify their columns, fit the fixed pitch, apply the rules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.documents.images import Gray
from inspection_robot.documents.mrz_formats import FORMATS, MRVA, MRVB, MrzFormat
from inspection_robot.documents.mrz_grammar import ZoneReading, read_zone
from inspection_robot.documents.mrz_lines import TextLine, cut_line, find_lines

STRIDE = 4
BLANK = 37
MAXIMUM_LINES = 14
STRETCHES = (1.0, 0.82, 1.2)


@dataclass(frozen=True)
class ReadLine:
    """A line with the characters seen in it.

    Attributes:
        line: where it is.
        scores: (columns, 38) log-probabilities, blank last.
        centres: columns of the characters seen.
        pitch: distance of neighbouring characters, columns.
        quality: mean probability of the characters seen.
        back: 2×3 affine map from the cut (pixels) to the picture.
    """

    line: TextLine
    scores: NDArray[np.float64]
    centres: NDArray[np.float64]
    pitch: float
    quality: float
    back: NDArray[np.float64]

    def place(self, column: float) -> NDArray[np.float64]:
        """Picture coordinates of a column, at the middle of the line's height."""
        cut = np.array([column * STRIDE + (STRIDE - 1) / 2, 16.0, 1.0])
        return np.asarray(self.back @ cut)


@dataclass(frozen=True)
class ZoneInPicture:
    """A zone and where it is: corners (4, 2), clockwise from its upper left, pixels."""

    reading: ZoneReading
    corners: NDArray[np.float32]


class MrzReader:
    """Reads zones with the classifier of `models/mrz_reader.onnx`.

    Raises:
        InputError: the model is missing or is not this reader's.
    """

    def __init__(self, model: Path | None = None, threads: int = 1) -> None:
        path = model or share() / "models" / "mrz_reader.onnx"
        if not path.is_file():
            raise InputError(path, "the reader's model is missing")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base class
            raise InputError(path, f"no usable model: {error}") from error

    def read(self, picture: Gray) -> ZoneInPicture | None:
        """Read the zone of a picture that is at most 25° from upright, or upside down.

        Returns:
            The likeliest zone; nothing when no lines look like one.
        """
        upright = self._read_upright(picture)
        if upright is not None and upright.reading.certain:
            return upright
        found = [] if upright is None else [upright]
        if upright is None or upright.reading.likelihood < -1.0:
            turned = self._read_upright(np.ascontiguousarray(picture[::-1, ::-1]))
            if turned is not None:
                height, width = picture.shape
                corners = np.array([width - 1, height - 1], np.float32) - turned.corners
                found.append(ZoneInPicture(turned.reading, corners))
        return max(found, key=_rank, default=None)

    def read_line(self, picture: Gray, line: TextLine) -> ReadLine | None:
        """Classify one line; nothing when it holds fewer than 20 characters in even steps."""
        best: ReadLine | None = None
        for stretch in STRETCHES:
            cut, back = cut_line(picture, line, stretch)
            found = _characters(line, self._classify(cut), back)
            if found is not None and (best is None or _strength(found) > _strength(best)):
                best = found
            if best is not None and best.quality > 0.93:
                break
        return best

    def _classify(self, cut: Gray) -> NDArray[np.float64]:
        values = cut.astype(np.float32)
        values = (values - values.mean()) / (values.std() + 8.0)
        (scores,) = self._session.run(None, {"pictures": values[None, None]})
        return np.asarray(scores[0], np.float64)

    def _read_upright(self, picture: Gray) -> ZoneInPicture | None:
        read = [
            found
            for line in find_lines(picture)[:MAXIMUM_LINES]
            if (found := self.read_line(picture, line)) is not None
        ]
        zones = [
            zone for layout, lines in _groups(_without_doubles(read)) if (zone := _zone(layout, lines)) is not None
        ]
        return max(zones, key=_rank, default=None)


@cache
def default_reader() -> MrzReader:
    """The reader with the shipped model, made once a process."""
    return MrzReader()


def _rank(zone: ZoneInPicture) -> tuple[bool, int, float]:
    checks = zone.reading.mrz.checks.values()
    return zone.reading.certain, -sum(not holds for holds in checks), zone.reading.likelihood


def _strength(line: ReadLine) -> float:
    return line.quality * min(len(line.centres), 44) / 44


def _characters(line: TextLine, scores: NDArray[np.float64], back: NDArray[np.float64]) -> ReadLine | None:
    ink = 1.0 - np.exp(scores[:, BLANK])
    smooth = np.convolve(ink, (0.25, 0.5, 0.25), "same")
    peaks = np.flatnonzero((smooth > 0.4) & (smooth >= np.roll(smooth, 1)) & (smooth > np.roll(smooth, -1)))
    if len(peaks) < 20:
        return None
    weights = np.stack([ink[np.clip(peaks + offset, 0, len(ink) - 1)] for offset in (-1, 0, 1)])
    centres = peaks + (weights[2] - weights[0]) / np.maximum(weights.sum(axis=0), 1e-6)
    steps = np.diff(centres)
    pitch = float(np.median(steps))
    if not 2.5 <= pitch <= 8.0:
        return None
    even = np.abs(steps / pitch - np.round(steps / pitch)) < 0.28
    if even.mean() < 0.6:
        return None
    quality = float(np.exp(scores[peaks, :BLANK].max(axis=1)).mean())
    return ReadLine(line, scores, centres, pitch, quality, back)


def _without_doubles(lines: list[ReadLine]) -> list[ReadLine]:
    """Keep the best reading of each place."""
    kept: list[ReadLine] = []
    for candidate in sorted(lines, key=lambda found: -_strength(found)):
        direction = candidate.line.direction
        normal = np.array([-direction[1], direction[0]])
        if all(
            abs(float((candidate.line.middle - other.line.middle) @ normal))
            > 0.7 * min(candidate.line.height, other.line.height)
            for other in kept
        ):
            kept.append(candidate)
    return kept


def _groups(lines: list[ReadLine]) -> list[tuple[MrzFormat, tuple[ReadLine, ...]]]:
    """Neighbouring parallel lines of one pitch, from above to below, with every layout they may be."""
    groups = []
    for count in (3, 2):
        for chosen in combinations(sorted(lines, key=lambda found: float(found.line.middle[1])), count):
            if all(_belong(upper, lower) for upper, lower in pairwise(chosen)):
                widest = max(_extent(line) for line in chosen)
                groups += [
                    (layout, chosen)
                    for layout in FORMATS
                    if layout.lines == count and layout.length - 9 <= widest <= layout.length + 3
                ]
    return groups


def _extent(line: ReadLine) -> float:
    return float((line.centres[-1] - line.centres[0]) / line.pitch + 1)


def _belong(upper: ReadLine, lower: ReadLine) -> bool:
    direction = upper.line.direction
    normal = np.array([-direction[1], direction[0]])
    spacing = float((lower.line.middle - upper.line.middle) @ normal)
    pitch = float(np.linalg.norm(upper.place(upper.pitch) - upper.place(0.0)))
    other = float(np.linalg.norm(lower.place(lower.pitch) - lower.place(0.0)))
    parallel = abs(float(np.cross(direction, lower.line.direction))) < 0.07
    return parallel and abs(pitch / other - 1.0) < 0.12 and 1.1 * pitch < spacing < 3.6 * pitch


def _zone(layout: MrzFormat, lines: tuple[ReadLine, ...]) -> ZoneInPicture | None:
    starts = _common_start(layout, lines)
    best: ZoneInPicture | None = None
    for start in starts:
        grids = [_grid(line, start, layout.length) for line in lines]
        if any(grid is None for grid in grids):
            continue
        placed = [grid for grid in grids if grid is not None]
        scores = np.stack([_sampled(line, grid) for line, grid in zip(lines, placed, strict=True)])
        visa = np.exp(scores[0, 0, 10:36]).argmax() == "ABCDEFGHIJKLMNOPQRSTUVWXYZ".index("V")
        if layout.lines == 2 and visa != (layout in (MRVA, MRVB)):
            continue
        reading = read_zone(layout, scores)
        zone = ZoneInPicture(reading, _corners(lines, placed))
        if best is None or _rank(zone) > _rank(best):
            best = zone
    return best


def _common_start(layout: MrzFormat, lines: tuple[ReadLine, ...]) -> list[NDArray[np.float64]]:
    """Picture points where the first character may stand: of the line that sees most, and one step to either side.

    Lines of a zone begin and end below each other, so the fullest line tells the others where to look.
    """
    fullest = max(lines, key=lambda line: len(line.centres))
    missing = round(layout.length - _extent(fullest))
    shifts = sorted({0, -1, 1, -missing, -missing // 2}, key=abs)
    return [fullest.place(fullest.centres[0] + shift * fullest.pitch) for shift in shifts]


def _grid(line: ReadLine, start: NDArray[np.float64], length: int) -> NDArray[np.float64] | None:
    """Columns of the characters of a line that begins below or above `start`: a parabola through the ones seen."""
    direction = line.line.direction
    zoom = float(np.linalg.norm(line.place(1.0) - line.place(0.0)))
    first = float((start - line.place(0.0)) @ direction) / zoom
    numbers = (line.centres - first) / line.pitch
    # The pitch may change along the line (perspective): count from each character to the next.
    steps = np.round(np.diff(line.centres) / line.pitch)
    counted = np.concatenate([[0.0], np.cumsum(steps)]) + round(float(numbers[0]))
    kept = (counted >= -1) & (counted <= length)
    if kept.sum() < 8:
        return None
    order = 2 if kept.sum() >= 15 else 1
    x, y = counted[kept], line.centres[kept]
    coefficients = np.polyfit(x, y, order)
    for _ in range(2):
        residual = np.abs(np.polyval(coefficients, x) - y)
        good = residual < 0.3 * line.pitch
        if good.sum() < 8:
            break
        coefficients = np.polyfit(x[good], y[good], order)
    grid = np.polyval(coefficients, np.arange(length))
    if np.any(np.diff(grid) < 0.6 * line.pitch) or np.any(np.diff(grid) > 1.5 * line.pitch):
        return None
    return np.asarray(grid)


def _sampled(line: ReadLine, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities of the 37 characters at each place of the grid: (length, 37), the mean of the nearest columns.

    A place outside the cut is unknown: all characters alike.
    """
    reach = np.arange(-1, 2)
    columns = np.round(grid).astype(np.int64)[:, None] + reach[None, :]
    inside = (columns >= 0) & (columns < len(line.scores))
    picked = line.scores[np.clip(columns, 0, len(line.scores) - 1), :BLANK]
    distance = (columns - grid[:, None]) / line.pitch
    weights = np.where(inside, np.exp(-0.5 * (distance / 0.18) ** 2), 0.0)
    ink = 1.0 - np.exp(line.scores[np.clip(columns, 0, len(line.scores) - 1), BLANK])
    weights = weights * np.maximum(ink, 0.02)
    normalised = picked - np.logaddexp.reduce(picked, axis=2, keepdims=True)
    total = weights.sum(axis=1, keepdims=True)
    mixed = (weights[:, :, None] * normalised).sum(axis=1) / np.maximum(total, 1e-9)
    return np.asarray(np.where(total > 1e-6, mixed, -np.log(BLANK)))


def _corners(lines: tuple[ReadLine, ...], grids: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    points = []
    for line, grid in zip(lines, grids, strict=True):
        direction = line.line.direction
        up = np.array([direction[1], -direction[0]]) * line.line.height * 0.7
        left, right = line.place(float(grid[0]) - 0.6 * line.pitch), line.place(float(grid[-1]) + 0.6 * line.pitch)
        points += [left + up, right + up, right - up, left - up]
    rectangle = cv2.boxPoints(cv2.minAreaRect(np.array(points, np.float32)))
    order = np.argsort(np.arctan2(*(rectangle - rectangle.mean(axis=0)).T[::-1]))
    return np.asarray(rectangle[order], np.float32)
