"""Where a document is, from its size in a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTHS_M = {
    "TD1": (0.076, 0.05), "TD2": (0.091, 0.05), "TD3": (0.112, 0.05), "MRVA": (0.112, 0.05), "MRVB": (0.091, 0.05),
    "PDF417": (0.065, 0.35), "Aztec": (0.03, 0.4), "QR Code": (0.03, 0.5), "ITF": (0.06, 0.35), "Code 128": (0.06, 0.4),
    "EAN-13": (0.035, 0.25),
}  # fmt: skip
"""Printed width [m] and its relative standard deviation. Zones: characters at 2.54 mm (Doc 9303-3); the rest as usual
on boarding passes, bag tags and goods."""
UNKNOWN = (0.04, 0.6)


@dataclass(frozen=True)
class Camera:
    """Pinhole camera: focal lengths and principal point [px]."""

    fx: float
    fy: float
    cx: float
    cy: float


def place_of(
    code_format: str,
    corners: NDArray[np.float32],
    camera: Camera,
    to_map: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> tuple[tuple[float, float], NDArray[np.float64]]:
    """Position (x, y) in `map` [m] of a document and its covariance (2, 2) [m²].

    Args:
        code_format: of the code or zone.
        corners: (4, 2), clockwise from the upper left [px].
        camera: that took the picture.
        to_map: takes points (n, 3) of the optical frame (z forward) to `map`.
    """
    width, spread = WIDTHS_M.get(code_format, UNKNOWN)
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    pixels = max(float(sides.max()), 1.0)
    distance = camera.fx * width / pixels
    centre = corners.mean(axis=0)
    ray = np.array([(centre[0] - camera.cx) / camera.fx, (centre[1] - camera.cy) / camera.fy, 1.0])
    points = to_map(np.stack([np.zeros(3), ray * distance]))
    sight = points[1, :2] - points[0, :2]
    length = max(float(np.linalg.norm(sight)), 1e-3)
    along = sight / length
    across = np.array([-along[1], along[0]])
    # The hand that holds it is up to half a metre before the body.
    covariance = np.outer(along, along) * ((spread * length) ** 2 + 0.3**2)
    covariance += np.outer(across, across) * 0.3**2
    return (float(points[1, 0]), float(points[1, 1])), covariance
