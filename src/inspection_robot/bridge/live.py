"""Live pictures on request only: which camera is asked for, until when, how often, and the picture as JPEG."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_contract.commands import LiveViewRequest

_LONGEST_SIDE_PX = 640
_QUALITY = 70


@dataclass(frozen=True)
class _Wish:
    until_s: float
    period_s: float
    next_s: float


class LiveRequests:
    """What officers want to see. Thread-safe; times are of one monotonic clock."""

    def __init__(self) -> None:
        self._wishes: dict[str, _Wish] = {}
        self._lock = threading.Lock()

    def ask(self, request: LiveViewRequest, now_s: float) -> None:
        """Take a request; it ends by itself."""
        with self._lock:
            if request.enable:
                self._wishes[request.camera] = _Wish(now_s + request.duration_s, 1.0 / request.rate_hz, now_s)
            else:
                self._wishes.pop(request.camera, None)

    def wanted(self, now_s: float) -> set[str]:
        """Cameras that are asked for now."""
        with self._lock:
            self._wishes = {camera: wish for camera, wish in self._wishes.items() if wish.until_s > now_s}
            return set(self._wishes)

    def due(self, camera: str, now_s: float) -> bool:
        """Whether the camera's next picture may go out; if so, it counts as gone."""
        with self._lock:
            wish = self._wishes.get(camera)
            if wish is None or now_s >= wish.until_s or now_s < wish.next_s:
                return False
            self._wishes[camera] = _Wish(wish.until_s, wish.period_s, max(wish.next_s + wish.period_s, now_s))
            return True


def to_jpeg(picture: NDArray[Any]) -> bytes:
    """A BGR picture (height, width, 3) uint8 as JPEG, its longest side at most 640 px."""
    height, width = picture.shape[:2]
    scale = _LONGEST_SIDE_PX / max(height, width)
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    encoded: NDArray[np.uint8] = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return encoded.tobytes()
