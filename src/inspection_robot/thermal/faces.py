"""Find faces in a thermal picture with our own model, whichever way up they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

MODEL_NAME = "thermal_face.onnx"
_STRIDE = 4
_MULTIPLE = 32
_SMALLEST_SPAN_C = 6.0
_HOTTEST_SCALE_C = 45.0
"""A lamp must not squeeze people into the dark end of the scale [°C]."""


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes:
        x: Left edge of the box, forehead to chin and temple to temple [px].
        y: Upper edge [px].
        width: Of the box [px].
        height: Of the box [px].
        score: Probability that it is a face, 0..1.
        points: Right inner canthus, left inner canthus, mouth, shape (3, 2), x and y [px].
        roll: From the picture's up to the head's up, counter-clockwise [rad].
        frontal: Probability that it looks at the camera, 0..1.
        glasses: Probability of glasses, 0..1.
        covered: Probability that mouth and nose are covered, 0..1.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    points: NDArray[np.float32]
    roll: float
    frontal: float
    glasses: float
    covered: float

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box, x and y [px]."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def across(self) -> float:
        """Extent of the face across its own axis, ear to ear [px]."""
        return self.width if abs(math.cos(self.roll)) >= math.sqrt(0.5) else self.height

    @property
    def along(self) -> float:
        """Extent of the face along its own axis, forehead to chin [px]."""
        return self.height if abs(math.cos(self.roll)) >= math.sqrt(0.5) else self.width


def grey_from_celsius(celsius: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a radiometric picture to 0..1 by its own coldest and warmest parts, float32 of the same shape."""
    step = max(celsius.shape[1] // 80, 1)
    sample = celsius[::step, ::step]
    low, high = np.percentile(sample, (1.0, 99.7))
    high = max(min(float(high), _HOTTEST_SCALE_C), float(low) + _SMALLEST_SPAN_C)
    return np.asarray(np.clip((celsius - np.float32(low)) * np.float32(1.0 / (high - float(low))), 0.0, 1.0))


def grey_from_picture(picture: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale any picture to 0..1: 8- or 16-bit grey, or a palette by its brightness (BGR); float32 (height, width)."""
    if picture.ndim == 3:
        picture = picture[..., 0] if picture.shape[2] == 1 else cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2GRAY)
    grey = picture.astype(np.float32)
    low, high = np.percentile(grey, (0.5, 99.8))
    return np.asarray(np.clip((grey - np.float32(low)) / np.float32(max(float(high - low), 1e-3)), 0.0, 1.0))


class FaceDetector:
    """Runs the face model on one core.

    Args:
        model: The ONNX file.
        threshold: Faces below this score are not returned.
        longest_side: Larger pictures are reduced to this and, for near faces, to half of it [px].

    Raises:
        onnxruntime's error when the file is not a model.
    """

    def __init__(self, model: Path, threshold: float = 0.25, longest_side: int = 320) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._threshold = threshold
        self._longest_side = longest_side

    def detect(self, grey: NDArray[np.float32]) -> list[Face]:
        """Find faces in a grey picture of 0..1, warm bright; best first."""
        longest = max(grey.shape)
        scales = [min(1.0, self._longest_side / longest)]
        if longest * scales[0] > 200:
            # A near face is larger than those the model was trained on: look at half the size as well.
            scales.append(scales[0] / 2)
        return suppress([face for scale in scales for face in self._detect_at(grey, scale)])

    def detect_fine(self, grey: NDArray[np.float32]) -> list[Face]:
        """As :meth:`detect`, and once more at twice the size for small faces: for still pictures."""
        return suppress([*self.detect(grey), *(f for f in self._detect_at(grey, 2.0) if f.height < 28)])

    def _detect_at(self, grey: NDArray[np.float32], scale: float) -> list[Face]:
        if scale != 1.0:
            flag = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
            scaled = np.clip(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=flag), 0.0, 1.0)
        else:
            scaled = grey
        height, width = scaled.shape
        padded = np.zeros((-(-height // _MULTIPLE) * _MULTIPLE, -(-width // _MULTIPLE) * _MULTIPLE), np.float32)
        padded[:height, :width] = scaled
        (maps,) = self._session.run(None, {"picture": padded[None, None]})
        return self._decode(maps[0], 1.0 / scale, grey.shape)

    def _decode(self, maps: NDArray[np.float32], factor: float, shape: tuple[int, ...]) -> list[Face]:
        rows, columns = np.nonzero(maps[0] > self._threshold)
        found = []
        cell = _STRIDE * factor
        for row, column in zip(rows, columns, strict=True):
            score, dx, dy, log_width, log_height, *rest = (float(value) for value in maps[:, row, column])
            width, height = math.exp(min(log_width, 6.0)) * cell, math.exp(min(log_height, 6.0)) * cell
            x, y = (column + dx + 0.5) * cell, (row + dy + 0.5) * cell
            size = math.sqrt(width * height)
            place = np.array([(column + 0.5) * cell, (row + 0.5) * cell], np.float32)
            left, upper = max(x - width / 2, 0.0), max(y - height / 2, 0.0)
            right, lower = min(x + width / 2, float(shape[1])), min(y + height / 2, float(shape[0]))
            if right - left < 1 or lower - upper < 1:
                continue
            points = place + np.array(rest[:6], np.float32).reshape(3, 2) * np.float32(size)
            roll, attributes = math.atan2(rest[7], rest[6]), rest[8:11]
            found.append(Face(left, upper, right - left, lower - upper, score, points, roll, *attributes))
        return found


def _shared(a: Face, b: Face) -> float:
    """Area that two boxes have in common [px²]."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(width, 0.0) * max(height, 0.0)


def overlap(a: Face, b: Face) -> float:
    """Intersection over union of two boxes."""
    shared = _shared(a, b)
    return shared / (a.width * a.height + b.width * b.height - shared)


def suppress(faces: list[Face], limit: float = 0.3) -> list[Face]:
    """Keep the best of faces that overlap, or of which one lies in the other; best first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: -f.score):
        if all(overlap(face, other) < limit and _inside(face, other) < _INSIDE_LIMIT for other in kept):
            kept.append(face)
    return kept


_INSIDE_LIMIT = 0.5


def _inside(a: Face, b: Face) -> float:
    """Share of the smaller box that lies in the other: part of a face found as a face of its own."""
    shared, smaller = _shared(a, b), min(a.width * a.height, b.width * b.height)
    return shared / smaller
