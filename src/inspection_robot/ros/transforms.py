"""Rigid transforms as REP-103 has them: metres, radians, right-handed, quaternions as (x, y, z, w). Pure numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SMALLEST_NORM = 1e-9
"""Quaternions shorter than this (all zero, as an unset message has) say nothing."""


@dataclass(frozen=True, eq=False)
class Transform:
    """Pose of one frame in another: ``p_parent = R(rotation) · p_child + translation``.

    Attributes:
        translation: (3,) float64 [m].
        rotation: (4,) float64 unit quaternion (x, y, z, w).
    """

    translation: Array
    rotation: Array

    @staticmethod
    def make(translation: ArrayLike, rotation: ArrayLike) -> Transform:
        """Make a transform from any sequences; the quaternion is normalised.

        Raises:
            ValueError: when a value is not finite or the quaternion is zero.
        """
        position = np.array(translation, dtype=np.float64).reshape(3)
        quaternion = np.array(rotation, dtype=np.float64).reshape(4)
        norm = float(np.linalg.norm(quaternion))
        if not (np.isfinite(position).all() and math.isfinite(norm)):
            raise ValueError("transform with a value that is not finite")
        if norm < SMALLEST_NORM:
            raise ValueError("transform with a zero quaternion")
        return Transform(position, quaternion / norm)

    def compose(self, inner: Transform) -> Transform:
        """``self · inner``: with a→b and b→c, the transform a→c."""
        return Transform(
            self.translation + rotate(self.rotation, inner.translation), multiply(self.rotation, inner.rotation)
        )

    def inverse(self) -> Transform:
        """The transform the other way round."""
        conjugate = self.rotation * np.array([-1.0, -1.0, -1.0, 1.0])
        return Transform(-rotate(conjugate, self.translation), conjugate)

    def apply(self, points: Array) -> Array:
        """Take points (…, 3) [m] of the child frame into the parent frame."""
        return rotate(self.rotation, points) + self.translation

    @property
    def yaw(self) -> float:
        """Heading about z [rad], -π … π."""
        return yaw_of(self.rotation)

    def covariance(self, matrix: ArrayLike) -> Array:
        """Take a pose covariance (6, 6) (x, y, z, rotations about x, y, z; axes fixed) into the parent frame."""
        rotation = self.matrix()
        block = np.zeros((6, 6))
        block[:3, :3] = block[3:, 3:] = rotation
        return block @ np.asarray(matrix, dtype=np.float64).reshape(6, 6) @ block.T

    def matrix(self) -> Array:
        """Rotation matrix (3, 3)."""
        return rotate(self.rotation, np.eye(3)).T


IDENTITY = Transform(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))


def multiply(first: Array, second: Array) -> Array:
    """Hamilton product of two quaternions (4,)."""
    x1, y1, z1, w1 = first
    x2, y2, z2, w2 = second
    return np.array(
        [
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
        ]
    )


def rotate(rotation: Array, vectors: Array) -> Array:
    """Rotate vectors (…, 3) by a unit quaternion (4,): v + 2u×(u×v + wv)."""
    axis, w = rotation[:3], rotation[3]
    return vectors + 2.0 * np.cross(axis, np.cross(axis, vectors) + w * vectors)


def from_yaw(yaw: float) -> Array:
    """Quaternion (4,) of a rotation about z by ``yaw`` [rad]."""
    return np.array([0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)])


def yaw_of(rotation: ArrayLike) -> float:
    """Heading about z of a unit quaternion (x, y, z, w) [rad], -π … π."""
    x, y, z, w = np.asarray(rotation, dtype=np.float64)
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def planar(x: float, y: float, yaw: float) -> Transform:
    """A pose on the floor."""
    return Transform(np.array([x, y, 0.0]), from_yaw(yaw))


def interpolate(first: Transform, second: Transform, ratio: float) -> Transform:
    """Between two transforms, ``ratio`` 0 … 1: straight line and spherical linear interpolation (Shoemake 1985)."""
    translation = first.translation + ratio * (second.translation - first.translation)
    cosine = float(first.rotation @ second.rotation)
    target = second.rotation if cosine >= 0 else -second.rotation  # the short way round
    angle = math.acos(min(1.0, abs(cosine)))
    if angle < 1e-6:
        rotation = first.rotation + ratio * (target - first.rotation)
    else:
        rotation = (math.sin((1 - ratio) * angle) * first.rotation + math.sin(ratio * angle) * target) / math.sin(angle)
    return Transform(translation, rotation / np.linalg.norm(rotation))


def angle_between(first: float, second: float) -> float:
    """Signed difference ``second - first`` of two headings [rad], -π … π."""
    return math.remainder(second - first, 2 * math.pi)
