"""Read machine readable zones in pictures: find lines, classify their columns, fit the fixed pitch, apply the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
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
MAXIMUM_LINES = 24
FEWEST_SEEN = 8
LEAST_SUPPORT = 0.93
WIDEST = 2400
"""Larger pictures are reduced first: a zone across a third of such a picture still has 18 pixels a character."""
CLEAR = -0.15
"""Mean log-probability of the characters above which the picture is taken to be the right way up."""
STRETCHES = (1.0, 0.82, 1.2)
SPACINGS = (1.7, 2.0, 2.4, 1.45, 2.8)
"""Distances of the lines of a zone, in pitches, that occur on documents; the likeliest first."""


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

    def read(self, picture: Gray, any_way_up: bool = True) -> ZoneInPicture | None:
        """Read the zone of a picture, at most 25° from a quarter turn.

        Args:
            picture: (rows, columns) uint8.
            any_way_up: turn the picture by quarters too when nothing clear is found upright.

        Returns:
            The likeliest zone; nothing when no lines look like one.
        """
        factor = max(1.0, picture.shape[1] / WIDEST, picture.shape[0] / WIDEST)
        work = picture
        if factor > 1.0:
            size = (round(picture.shape[1] / factor), round(picture.shape[0] / factor))
            work = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        best: ZoneInPicture | None = None
        for quarters in (0, 2, 1, 3) if any_way_up else (0,):
            if best is not None and (best.reading.certain or best.reading.likelihood > CLEAR):
                break
            turned = self._read_upright(np.ascontiguousarray(np.rot90(work, quarters)))
            if turned is None:
                continue
            corners = _turned_back(turned.corners, quarters, work.shape) * np.float32(factor)
            zone = ZoneInPicture(turned.reading, corners)
            if best is None or _rank(zone) > _rank(best):
                best = zone
        return best

    def read_line(self, picture: Gray, line: TextLine) -> ReadLine | None:
        """Classify one line; nothing when it holds fewer than 20 characters in even steps."""
        best: ReadLine | None = None
        for stretch in STRETCHES:
            cut, back = cut_line(picture, line, stretch)
            scores = self._classify(cut)
            if stretch == STRETCHES[0] and len(_peaks(scores)[0]) < FEWEST_SEEN:
                return None  # other print, or none: the other heights will not make a zone of it
            found = _characters(line, scores, back)
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
        best: ZoneInPicture | None = None
        tried: list[ReadLine] = []
        candidates = find_lines(picture)[:MAXIMUM_LINES]
        for line in candidates:
            if any(_covers(other, line) for other in tried):
                continue
            seed = self.read_line(picture, line)
            if seed is None:
                continue
            lines = self._with_neighbours(picture, seed, candidates)
            tried += lines
            for layout, chosen in _groups(lines):
                zone = _zone(layout, chosen)
                if zone is not None and (best is None or _rank(zone) > _rank(best)):
                    best = zone
            if best is not None and best.reading.certain:
                return best
        return best

    def _with_neighbours(self, picture: Gray, seed: ReadLine, candidates: list[TextLine]) -> list[ReadLine]:
        """The lines above and below a line that was read: parallel and of its pitch, up to two either way."""
        lines = [seed]
        for side in (-1.0, 1.0):
            last = seed
            for _ in range(2):
                found = self._neighbour(picture, last, side, candidates)
                if found is None:
                    break
                lines.append(found)
                last = found
        return sorted(lines, key=lambda line: float(line.line.middle @ _normal(seed)))

    def _neighbour(self, picture: Gray, line: ReadLine, side: float, candidates: list[TextLine]) -> ReadLine | None:
        """The next line on one side: a located one that fits, else a look at the distances that zones have."""
        best: ReadLine | None = None
        for candidate in candidates:
            step = side * float((candidate.middle - line.line.middle) @ _normal(line)) / _pitch_px(line)
            if 1.1 < step < 3.4 and candidate.length > 0.6 * line.line.length:
                found = self.read_line(picture, candidate)
                if found is not None and _fits(line, found) and (best is None or _strength(found) > _strength(best)):
                    best = found
                if best is not None and best.quality > 0.95:
                    return best
        start, end = line.place(float(line.centres[0])), line.place(float(line.centres[-1]))
        for spacing in SPACINGS:
            if best is not None:
                break
            offset = side * spacing * _pitch_px(line) * _normal(line)
            moved = TextLine(start + offset, end + offset, line.line.height)
            found = self._look_at(picture, moved)
            if found is not None and _fits(line, found):
                # The middle of a look is off by up to half a step: settle on the best height.
                looks = [found]
                for shift in (-0.3, -0.15, 0.15, 0.3):
                    nudge = shift * _pitch_px(line) * _normal(line)
                    other = self._look_at(picture, TextLine(moved.start + nudge, moved.end + nudge, moved.height))
                    if other is not None and _fits(line, other):
                        looks.append(other)
                best = max(looks, key=_strength)
        return best

    def _look_at(self, picture: Gray, line: TextLine) -> ReadLine | None:
        cut, back = cut_line(picture, line, margin=3.0)
        return _characters(line, self._classify(cut), back)


@cache
def default_reader() -> MrzReader:
    """The reader with the shipped model, made once a process."""
    return MrzReader()


def _turned_back(corners: NDArray[np.float32], quarters: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Points of a picture turned by `np.rot90(picture, quarters)` as points of the picture of this shape."""
    height, width = shape[0], shape[1]
    x, y = corners[:, 0], corners[:, 1]
    back = {0: (x, y), 1: (width - 1 - y, x), 2: (width - 1 - x, height - 1 - y), 3: (y, height - 1 - x)}[quarters]
    return np.stack(back, axis=1).astype(np.float32)


def _rank(zone: ZoneInPicture) -> tuple[bool, float]:
    checks = zone.reading.mrz.checks.values()
    return zone.reading.certain, zone.reading.likelihood - 0.05 * sum(not holds for holds in checks)


def _strength(line: ReadLine) -> float:
    return line.quality * min(len(line.centres), 44) / 44


def _peaks(scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Columns where a character stands, and the probability of ink in every column."""
    ink = 1.0 - np.exp(scores[:, BLANK])
    smooth = np.convolve(ink, (0.25, 0.5, 0.25), "same")
    peaks = np.flatnonzero((smooth > 0.4) & (smooth >= np.roll(smooth, 1)) & (smooth > np.roll(smooth, -1)))
    return peaks, ink


def _characters(line: TextLine, scores: NDArray[np.float64], back: NDArray[np.float64]) -> ReadLine | None:
    peaks, ink = _peaks(scores)
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


def _normal(line: ReadLine) -> NDArray[np.float64]:
    """Unit vector across a line, downwards."""
    direction = line.line.direction
    return np.array([-direction[1], direction[0]])


def _pitch_px(line: ReadLine) -> float:
    """Distance of neighbouring characters in the picture, pixels."""
    return float(np.linalg.norm(line.place(line.pitch) - line.place(0.0)))


def _fits(line: ReadLine, other: ReadLine) -> bool:
    """Whether two lines may be of one zone: alike in direction, pitch and clearness."""
    crossing = line.line.direction[0] * other.line.direction[1] - line.line.direction[1] * other.line.direction[0]
    return abs(float(crossing)) < 0.07 and abs(_pitch_px(other) / _pitch_px(line) - 1.0) < 0.12 and other.quality > 0.5


def _covers(read: ReadLine, line: TextLine) -> bool:
    """Whether a candidate lies on a line that was read already."""
    across = abs(float((line.middle - read.line.middle) @ _normal(read)))
    along = abs(float((line.middle - read.line.middle) @ read.line.direction))
    return across < 0.6 * read.line.height and along < 0.5 * read.line.length


def _groups(lines: list[ReadLine]) -> list[tuple[MrzFormat, tuple[ReadLine, ...]]]:
    """Consecutive lines, from above to below, with every layout they may be."""
    groups = []
    for count in (3, 2):
        for first in range(len(lines) - count + 1):
            chosen = tuple(lines[first : first + count])
            extent = float(np.median([_extent(line) for line in chosen]))
            groups += [
                (layout, chosen)
                for layout in FORMATS
                if layout.lines == count and layout.length - 9 <= extent <= layout.length + 6
            ]
    return groups


def _extent(line: ReadLine) -> float:
    return float((line.centres[-1] - line.centres[0]) / line.pitch + 1)


def _zone(layout: MrzFormat, lines: tuple[ReadLine, ...]) -> ZoneInPicture | None:
    starts = _common_start(layout, lines)
    best: ZoneInPicture | None = None
    for start in starts:
        placed = [_grid(line, start, layout.length) for line in lines]
        scores = np.stack([_sampled(line, grid) for line, grid in zip(lines, placed, strict=True)])
        visa = np.exp(scores[0, 0, 10:36]).argmax() == "ABCDEFGHIJKLMNOPQRSTUVWXYZ".index("V")
        if layout.lines == 2 and visa != (layout in (MRVA, MRVB)):
            continue
        reading = read_zone(layout, scores)
        support = min(_support(line, grid) for line, grid in zip(lines, placed, strict=True))
        if support < LEAST_SUPPORT:
            reading = replace(reading, certain=False)
        zone = ZoneInPicture(reading, _corners(lines, placed))
        if best is None or _rank(zone) > _rank(best):
            best = zone
    return best


def _common_start(layout: MrzFormat, lines: tuple[ReadLine, ...]) -> list[NDArray[np.float64]]:
    """Picture points where the first characters may stand: where each line by itself begins, and a step to either side.

    Lines of a zone begin below each other, so the clearest line tells the others where to look.
    """
    found = []
    for line in lines:
        first, last = line.centres[0], line.centres[-1] - (layout.length - 1) * line.pitch
        low, high = min(first, last) - 1.5 * line.pitch, max(first, last) + 1.5 * line.pitch
        start, pitch, score = _fitted(line, layout.length, np.arange(low, high, 0.5))
        found.append((score, line, start, pitch))
    found.sort(key=lambda item: -item[0])
    starts = [line.place(start) for _, line, start, _ in found]
    _, line, start, pitch = found[0]
    return [*starts, line.place(start - pitch), line.place(start + pitch)]


def _fitted(line: ReadLine, length: int, starts: NDArray[np.float64]) -> tuple[float, float, float]:
    """First column, pitch and score of the even grid that best has ink at its places, none between and none outside."""
    ink = 1.0 - np.exp(line.scores[:, BLANK])
    columns = np.arange(len(ink))
    pitches = line.pitch * np.arange(0.94, 1.0601, 0.005)
    places = np.arange(-1, length + 0.1, 0.5)  # every second one lies between characters
    grid = starts[:, None, None] + pitches[None, :, None] * places[None, None, :]
    seen = np.interp(grid.ravel(), columns, ink, left=0.0, right=0.0).reshape(grid.shape)
    inside, between = seen[:, :, 2:-2:2].mean(axis=2), seen[:, :, 1:-1:2].mean(axis=2)
    outside = (seen[:, :, 0] + seen[:, :, -1]) / length
    score = inside - 0.7 * between - 0.7 * outside
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    return float(starts[row]), float(pitches[column]), float(score[row, column])


def _grid(line: ReadLine, start: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Columns of the characters of a line that begins below or above `start`: a parabola through the ones seen."""
    zoom = float(np.linalg.norm(line.place(1.0) - line.place(0.0)))
    near = float((start - line.place(0.0)) @ line.line.direction) / zoom
    reach = 0.55 * line.pitch
    first, pitch, _ = _fitted(line, length, np.arange(near - reach, near + reach, 0.25))
    even: NDArray[np.float64] = first + pitch * np.arange(length, dtype=np.float64)
    # The pitch may change along the line (perspective): bend the grid through the characters that lie near it.
    grid = even
    for tolerance in (0.45, 0.3):
        nearest = np.abs(line.centres[:, None] - grid[None, :]).argmin(axis=1)
        kept = np.abs(line.centres - grid[nearest]) < tolerance * pitch
        if kept.sum() < 12:
            return even
        curve = np.polyfit(nearest[kept], line.centres[kept], 2)
        grid = np.asarray(np.polyval(curve, np.arange(length, dtype=np.float64)), np.float64)
    steps = np.diff(grid)
    return even if np.any(steps < 0.7 * pitch) or np.any(steps > 1.4 * pitch) else grid


def _support(line: ReadLine, grid: NDArray[np.float64]) -> float:
    """Share of the grid's places at which a character was seen by itself: less than all when the grid is misplaced."""
    nearest = np.abs(line.centres[:, None] - grid[None, :])
    hit = nearest.min(axis=1) < 0.3 * line.pitch
    return len(np.unique(nearest.argmin(axis=1)[hit])) / len(grid)


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
