"""Live pictures: the newest of each camera, in memory only, gone a while after the robot stops sending."""

from __future__ import annotations

import threading
import time
from typing import Literal

Camera = Literal["thermal", "rgb"]
MAXIMUM_BYTES = 2**20
_LIFE_S = 10.0
_JPEG_START = b"\xff\xd8\xff"


class LivePictures:
    """Pictures by robot and camera. Thread-safe; nothing is written to disk."""

    def __init__(self) -> None:
        self._pictures: dict[tuple[str, str], tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def put(self, robot: str, camera: Camera, picture: bytes) -> bool:
        """Keep a JPEG; False when it is none."""
        if not picture.startswith(_JPEG_START):
            return False
        with self._lock:
            self._pictures[robot, camera] = (time.monotonic(), picture)
        return True

    def get(self, robot: str, camera: Camera) -> bytes | None:
        """The newest picture; None when there is none or it is old."""
        with self._lock:
            taken, picture = self._pictures.get((robot, camera), (0.0, b""))
            if picture and time.monotonic() - taken > _LIFE_S:
                del self._pictures[robot, camera]
                return None
        return picture or None
