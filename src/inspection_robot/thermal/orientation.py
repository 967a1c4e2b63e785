"""Which way up the camera is mounted, from the heads it sees: pictures for people are shown upright."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from inspection_robot.thermal.faces import Face


class OrientationEstimator:
    """Quarter turns (clockwise) that make heads upright; holds the last majority.

    Args:
        fixed: The mounting when it is known; None finds it.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self._fixed = fixed
        self._votes: deque[int] = deque(maxlen=45)
        self._current = fixed or 0

    def update(self, faces: list[Face]) -> int:
        """Take the faces of a frame and return the quarter turns."""
        if self._fixed is not None:
            return self._fixed
        self._votes.extend(round(face.roll / (math.pi / 2)) % 4 for face in faces if face.frontal > 0.5)
        if len(self._votes) >= 3:
            counts = np.bincount(np.array(self._votes), minlength=4)
            best = int(counts.argmax())
            # A clear majority only: a person who lies down does not turn everybody's picture.
            if counts[best] > 0.6 * counts.sum():
                self._current = best
        return self._current
