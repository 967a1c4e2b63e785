"""Find lines of print that may be a machine readable zone, and cut them out straightened."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.documents.images import Gray

LINE_HEIGHT = 32
CAPITAL_HEIGHT = 18.0
"""Height of a cut line and of the capitals in it, pixels; the classifier was trained on these."""
WORKING_WIDTHS = (480, 900, 1500)


@dataclass(frozen=True)
class TextLine:
    """A line of print in the picture.

    Attributes:
        start: middle of its left end, (x, y) pixels.
        end: middle of its right end.
        height: height of its capitals, pixels.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    height: float

    @property
    def length(self) -> float:
        """Distance of the ends, pixels."""
        return float(np.linalg.norm(self.end - self.start))

    @property
    def direction(self) -> NDArray[np.float64]:
        """Unit vector along the line."""
        return (self.end - self.start) / max(self.length, 1e-9)

    @property
    def middle(self) -> NDArray[np.float64]:
        """Point half-way along."""
        return (self.start + self.end) / 2


def find_lines(picture: Gray) -> list[TextLine]:
    """Find long, thin, busy, dark-on-light stripes within 25° of horizontal, at several working sizes.

    Args:
        picture: (rows, columns) uint8.

    Returns:
        Candidates, those with a zone's proportions first, the lowest first; one line may come from several sizes.
    """
    lines: list[TextLine] = []
    for width in WORKING_WIDTHS:
        scale = width / picture.shape[1]
        if scale > 3.2 or picture.shape[0] * scale < 40:
            continue
        lines += _lines_at(picture, scale)
    return sorted(_distinct(lines), key=lambda line: (not _proportioned(line), -float(line.middle[1])))


def _proportioned(line: TextLine) -> bool:
    """Whether the line may hold 30 to 44 characters: one is 1.06 capitals' heights wide (OCR-B size I)."""
    return 24 <= line.length / line.height <= 62


def _lines_at(picture: Gray, scale: float) -> list[TextLine]:
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    work = cv2.resize(picture, size, interpolation=method)
    work = cv2.GaussianBlur(work, (3, 3), 0)
    dark = cv2.morphologyEx(work, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_RECT, (11, 11)))
    strokes = cv2.boxFilter(np.abs(cv2.Scharr(dark, cv2.CV_32F, 1, 0)), -1, (17, 5))
    # Busy compared with the surroundings, so that a dim corner of a photo has lines too; and busy compared with the
    # whole picture, because a zone that fills its surroundings does not stand out of them.
    surroundings = cv2.boxFilter(strokes, -1, (151, 151))
    found: list[TextLine] = []
    for threshold in (np.maximum(1.15 * surroundings, 60.0), max(0.4 * float(np.quantile(strokes, 0.97)), 60.0)):
        mask = (strokes > threshold).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, 25), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 15), np.uint8))
        # The edge of a card or picture runs down beside the zone and would tie its lines into one piece.
        upright = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((max(45, size[0] // 14), 1), np.uint8))
        mask = cv2.morphologyEx(mask & ~upright, cv2.MORPH_OPEN, np.ones((5, 15), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        pieces = [piece for contour in contours if (piece := _piece(contour)) is not None]
        for piece in _merged(pieces):
            if piece.length < 0.22 * size[0] or piece.length < 11 * piece.height or piece.height < 5:
                continue
            start, end = ((point + 0.5) / scale - 0.5 for point in (piece.start, piece.end))
            found.append(TextLine(start, end, piece.height / scale))
    return found


def _piece(contour: NDArray[np.int32]) -> TextLine | None:
    (x, y), (width, height), angle = cv2.minAreaRect(contour)
    if width < height:
        width, height, angle = height, width, angle + 90.0
    angle = (angle + 90.0) % 180.0 - 90.0
    if width < 2.0 * height or abs(angle) > 25.0 or height > 60.0:
        return None
    along = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]) * width / 2
    centre = np.array([x, y])
    # Filtering made the stripe two pixels higher than the capitals on either side.
    return TextLine(centre - along, centre + along, max(height - 4.0, 4.0))


def _merged(pieces: list[TextLine]) -> list[TextLine]:
    """Join pieces that continue each other: a glare or a worn place cuts a line in two."""
    pieces = sorted(pieces, key=lambda piece: piece.start[0])
    merged: list[TextLine] = []
    for piece in pieces:
        for index, other in enumerate(merged):
            gap = piece.start - other.end
            direction = other.direction if other.length > piece.length else piece.direction
            across = abs(float(gap @ np.array([-direction[1], direction[0]])))
            height = max(piece.height, other.height)
            if across < 0.5 * height and -height < float(gap @ direction) < 5.0 * height:
                weight = np.array([piece.length, other.length])
                merged[index] = TextLine(
                    other.start, piece.end, float(np.average([piece.height, other.height], weights=weight))
                )
                break
        else:
            merged.append(piece)
    return merged


def _distinct(lines: list[TextLine]) -> list[TextLine]:
    kept: list[TextLine] = []
    for line in lines:
        same = any(
            np.linalg.norm(line.start - other.start) < 0.6 * other.height
            and np.linalg.norm(line.end - other.end) < 0.6 * other.height
            and abs(line.height / other.height - 1.0) < 0.15
            for other in kept
        )
        if not same:
            kept.append(line)
    return kept


def cut_line(
    picture: Gray, line: TextLine, stretch: float = 1.0, margin: float = 1.5
) -> tuple[Gray, NDArray[np.float64]]:
    """Cut a line out of the picture, level, with its capitals 18 pixels high.

    Args:
        picture: (rows, columns) uint8.
        line: where.
        stretch: factor on the capitals' height that the line says.
        margin: extra length on either side, in capitals' heights.

    Returns:
        (32, w) uint8 and the 2×3 affine map from the cut to the picture.
    """
    zoom = CAPITAL_HEIGHT / (line.height * stretch)
    length = line.length + 2 * margin * line.height
    width = max(8, int(np.ceil(length * zoom / 4)) * 4)
    direction = line.direction
    normal = np.array([-direction[1], direction[0]])
    origin = line.start - direction * margin * line.height - normal * (LINE_HEIGHT / 2) / zoom
    back = np.array(
        [[direction[0] / zoom, normal[0] / zoom, origin[0]], [direction[1] / zoom, normal[1] / zoom, origin[1]]]
    )
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_CUBIC if zoom > 0.7 else cv2.INTER_AREA)
    source = picture
    if zoom < 0.5:
        # Average before taking every n-th pixel, so that fine print does not alias.
        source = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 / zoom), np.uint8)
    cut = cv2.warpAffine(source, back, (width, LINE_HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8), back
