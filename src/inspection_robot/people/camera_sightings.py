"""People from boxes in camera pictures: bearing from the box, distance from its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.people.tracking import Kind, Sighting

FACE_HEIGHT_M, FACE_HEIGHT_SPREAD = 0.22, 0.10
"""Forehead to chin of an adult with the box's margin, and its relative spread (children are smaller)."""


@dataclass(frozen=True)
class Lens:
    """Pinhole camera without distortion: focal lengths and principal point [px]."""

    fx: float
    fy: float
    cx: float
    cy: float

    @staticmethod
    def from_field_of_view(width: int, height: int, horizontal_rad: float) -> Lens:
        """A camera known only by its picture size and horizontal field of view."""
        focal = 0.5 * width / np.tan(horizontal_rad / 2)
        return Lens(float(focal), float(focal), (width - 1) / 2, (height - 1) / 2)


def sighting_of_face(
    box: tuple[float, float, float, float],
    distance_m: float,
    lens: Lens,
    to_map: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    source: str,
) -> Sighting | None:
    """Where the person with this face stands.

    Args:
        box: left, upper, width, height of the face [px].
        distance_m: as the camera's own node estimates it, NaN when it does not [m].
        lens: of the camera.
        to_map: takes points (n, 3) of the optical frame (z forward, REP-103) to `map`.
        source: name of the camera.

    Returns:
        A sighting in `map` whose covariance is long along the line of sight; nothing when the box is empty.
    """
    left, upper, width, height = box
    if not all(map(np.isfinite, box)) or width <= 0 or height <= 0:
        return None
    known = np.isfinite(distance_m) and distance_m > 0
    distance = float(distance_m) if known else lens.fy * FACE_HEIGHT_M / height
    relative = 0.12 if known else float(np.hypot(FACE_HEIGHT_SPREAD, 1.0 / height))
    ray = np.array([(left + width / 2 - lens.cx) / lens.fx, (upper + height / 2 - lens.cy) / lens.fy, 1.0])
    ray /= np.linalg.norm(ray)
    points = to_map(np.stack([np.zeros(3), ray * distance]))
    camera, face = points[0], points[1]
    sight = face[:2] - camera[:2]
    length = float(np.linalg.norm(sight))
    if length < 1e-3:
        return None
    along = sight / length
    across = np.array([-along[1], along[0]])
    spread = np.outer(along, along) * (relative * length + 0.05) ** 2
    spread += np.outer(across, across) * (0.06 + 1.5 * length / lens.fx) ** 2
    # A face is half a head above the chin and the crown a hand above the face.
    return Sighting(face[:2], spread, Kind.PERSON, source, float(face[2] + 0.12))
