"""Whether the camera can be believed at this moment: flat-field corrections and frozen streams."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from inspection_robot.thermal.frames import ThermalFrame

FFC_BLIND_S = 3.0
"""A flat-field correction moves the reading by +0.9 to +1.4 °C over 2 s (measured on Leptons); afterwards the
reference decides when it has settled."""

FROZEN_AFTER_S = 1.0
"""Leptons repeat each picture up to three times (27 Hz on the wire, 9 Hz of pictures): only a longer repetition is a
fault."""

STEP_C = 0.35
"""All of a picture moving together by this between two frames is a correction that the camera did not announce [K]."""


class CameraWatch:
    """Tells, frame by frame, why no reading may be taken: ``ffc``, ``frozen`` or nothing."""

    def __init__(self) -> None:
        self._previous: NDArray[np.float32] | None = None
        self._previous_s = -math.inf
        self._changed_s = -math.inf
        self._step_s = -math.inf

    def update(self, frame: ThermalFrame) -> str | None:
        """Take a frame; return the reason, or None when the camera is fine."""
        sample = frame.celsius[::3, ::3]
        if self._previous is None or self._previous.shape != sample.shape or frame.time_s < self._previous_s:
            self._changed_s = frame.time_s
            self._step_s = -math.inf
        else:
            difference = sample - self._previous
            if difference.any():
                self._changed_s = frame.time_s
                # People move parts of the picture; only the camera moves all of it.
                if abs(float(np.median(difference))) > STEP_C and frame.time_s - self._previous_s < 1.0:
                    self._step_s = frame.time_s
        self._previous, self._previous_s = sample.copy(), frame.time_s
        if frame.time_s - self._changed_s > FROZEN_AFTER_S:
            return "frozen"
        announced = frame.ffc_running or frame.seconds_since_ffc < FFC_BLIND_S
        return "ffc" if announced or frame.time_s - self._step_s < FFC_BLIND_S else None
