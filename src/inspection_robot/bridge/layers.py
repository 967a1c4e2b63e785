"""Occupancy grids as pictures for the center's floor plan, sent only when they changed and not too often."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError

LARGEST_SIDE: Final = 8192
"""What the center takes [cells]."""
_UNKNOWN: Final = 255
_UPRIGHT: Final = 1e-3


@dataclass(frozen=True)
class Layer:
    """A layer of the floor plan.

    Attributes:
        name: `map` or `radiation`.
        png: grey, north up, 0 … 100 as in the grid, 255 not known.
        resolution_m: size of a cell [m].
        west_m: left edge in `map` [m].
        south_m: lower edge in `map` [m].
    """

    name: str
    png: bytes
    resolution_m: float
    west_m: float
    south_m: float


def to_layer(
    name: str, cells: NDArray[np.int8], resolution_m: float, origin_m: tuple[float, float], turn_z: float
) -> Layer:
    """Draw a grid.

    Args:
        name: of the layer.
        cells: (rows, columns) occupancy, row 0 lowest in y; -1 not known.
        resolution_m: size of a cell [m].
        origin_m: x, y of the lower left corner [m].
        turn_z: z of the origin's quaternion; a turned grid cannot be drawn.

    Raises:
        InputError: an empty, too large or turned grid.
    """
    if cells.size == 0 or max(cells.shape) > LARGEST_SIDE or not resolution_m > 0.0:
        raise InputError(f"layer {name}", f"{cells.shape[1]} × {cells.shape[0]} cells cannot be drawn")
    if abs(turn_z) > _UPRIGHT:
        raise InputError(f"layer {name}", "a turned grid cannot be drawn")
    grey = np.where((cells < 0) | (cells > 100), _UNKNOWN, cells).astype(np.uint8)[::-1]
    encoded: NDArray[np.uint8] = cv2.imencode(".png", grey)[1]
    return Layer(name, encoded.tobytes(), resolution_m, *origin_m)


class LayerSchedule:
    """Which layers are worth sending: those that changed, each at most once in a period.

    Args:
        period_s: shortest time between two looks at one layer [s].
        again_s: after this time an unchanged layer is sent again, for a center that was set up anew [s].
    """

    def __init__(self, period_s: float, again_s: float) -> None:
        self._period_s = period_s
        self._again_s = again_s
        self._looked_s: dict[str, float] = {}
        self._sent: dict[str, tuple[float, bytes]] = {}

    def due(self, name: str, now_s: float) -> bool:
        """Whether it is time to look at a layer; asked before it is drawn, which costs time."""
        return name not in self._looked_s or now_s - self._looked_s[name] >= self._period_s

    def news(self, layer: Layer, now_s: float) -> bool:
        """Whether the center should be sent this layer; it counts as looked at."""
        self._looked_s[layer.name] = now_s
        last = self._sent.get(layer.name)
        return last is None or last[1] != _digest(layer) or now_s - last[0] >= self._again_s

    def sent(self, layer: Layer, now_s: float) -> None:
        """The center has it."""
        self._sent[layer.name] = (now_s, _digest(layer))


def _digest(layer: Layer) -> bytes:
    place = f"{layer.resolution_m} {layer.west_m} {layer.south_m}".encode()
    return hashlib.sha256(place + layer.png).digest()
