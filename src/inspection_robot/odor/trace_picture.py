"""Pictures for officers: the traces around a finding, and the report of a recalibration."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.odor.recalibration import Drift

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

_WIDTH, _HEIGHT, _MARGIN = 800, 400, 50
_COLOURS = (
    (180, 119, 31), (14, 127, 255), (44, 160, 44), (40, 39, 214), (189, 103, 148), (75, 86, 140), (194, 119, 227),
    (127, 127, 127), (34, 189, 188), (207, 190, 23),
)  # fmt: skip  # BGR, one for each channel
_INK = (60, 60, 60)


def draw_traces(
    time_s: Floats, response: Floats, channels: Sequence[str], onset_s: float, title: str
) -> Picture:  # fmt: skip
    """Draw responses over time (BGR picture, 400 × 800).

    Args:
        time_s: (T,) [s].
        response: (T, C) log of signal over baseline.
        channels: names, in the order of the columns.
        onset_s: where to draw the mark, in the time of ``time_s`` [s].
        title: one line of ASCII, because the picture's font has no other letters.
    """
    picture = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    _text(picture, title, (_MARGIN, 24), 0.55)
    if len(time_s) < 2:
        return picture
    low, high = float(min(response.min(), 0.0)), float(max(response.max(), 0.1))
    x = np.interp(time_s, (time_s[0], time_s[-1]), (_MARGIN, _WIDTH - 130))
    y = np.interp(response, (low, high), (_HEIGHT - _MARGIN, _MARGIN))
    zero = int(np.interp(0.0, (low, high), (_HEIGHT - _MARGIN, _MARGIN)))
    cv2.line(picture, (_MARGIN, zero), (_WIDTH - 130, zero), (200, 200, 200), 1)
    if time_s[0] <= onset_s <= time_s[-1]:
        mark = int(np.interp(onset_s, (time_s[0], time_s[-1]), (_MARGIN, _WIDTH - 130)))
        cv2.line(picture, (mark, _MARGIN), (mark, _HEIGHT - _MARGIN), (0, 0, 200), 1)
    for column, name in enumerate(channels):
        colour = _COLOURS[column % len(_COLOURS)]
        points = np.stack([x, y[:, column]], axis=1).round().astype(np.int32)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        _text(picture, name, (_WIDTH - 120, _MARGIN + 18 * (column + 1)), 0.45, colour)
    seconds = time_s[-1] - time_s[0]
    _text(picture, f"{seconds:.0f} s, log(signal/baseline) {low:.2f} .. {high:.2f}", (_MARGIN, _HEIGHT - 15), 0.45)
    return picture


def draw_drift(drift: Drift, title: str) -> Picture:
    """Draw the shift of each reference odor in standard deviations, and the accuracy (BGR picture)."""
    rows = len(drift.references)
    picture = np.full((90 + 28 * rows, _WIDTH, 3), 255, np.uint8)
    _text(picture, title, (20, 28), 0.55)
    _text(picture, f"drift {drift.total:.2f} sd   accuracy {drift.accuracy * 100:.0f} %", (20, 54), 0.5)
    largest = max(float(np.max(drift.shifts, initial=0.0)), 1.0)
    for row, (name, shift) in enumerate(zip(drift.references, drift.shifts, strict=True)):
        top = 72 + 28 * row
        _text(picture, name, (20, top + 15), 0.45)
        if np.isfinite(shift):
            length = int(480 * shift / largest)
            cv2.rectangle(picture, (180, top), (180 + length, top + 18), _COLOURS[0], -1)
            _text(picture, f"{shift:.2f}", (190 + length, top + 15), 0.45)
        else:
            _text(picture, "first calibration", (180, top + 15), 0.45)
    return picture


def to_png(picture: Picture) -> bytes:
    """Encode a picture."""
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise ValueError("the picture cannot be encoded")
    return data.tobytes()


def _text(
    picture: Picture, text: str, place: tuple[int, int], size: float, colour: tuple[int, int, int] = _INK
) -> None:
    plain = text.encode("ascii", "replace").decode("ascii")
    cv2.putText(picture, plain, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
