"""Render heads for the thermal face model: an ellipsoid with a temperature texture, under any pose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Values = NDArray[np.float64]

# Semi-axes of a head relative to half its height: width, height, depth (ISO/TR 7250-2, means of adults).
HEAD_AXES = np.array([0.70, 1.0, 0.84])


@dataclass(frozen=True)
class Head:
    """A rendered head before it is put on a body, on a patch 1.5 heads wide.

    Attributes:
        celsius: Temperatures [°C].
        coverage: 1 where the head is.
        face_box: Left, upper, width, height of the face [px].
        points: Right and left inner canthus and mouth, shape (3, 2) [px].
        visible: The face is seen at all.
        frontal: It looks at the camera.
        glasses: It wears glasses.
        covered: Mouth and nose are behind a mask.
    """

    celsius: Picture
    coverage: Picture
    face_box: tuple[float, float, float, float]
    points: Values
    visible: bool
    frontal: bool
    glasses: bool
    covered: bool


def _smooth(edge: float, width: float, value: Values) -> Values:
    """Soft step: 0 below ``edge``, 1 above, over ``width``."""
    return 1.0 / (1.0 + np.exp(-np.clip((value - edge) / width, -30, 30)))


def _spot(u: Values, v: Values, at: tuple[float, float], size: tuple[float, float]) -> Values:
    """Gaussian spot on the face's surface coordinates."""
    return np.exp(-(((u - at[0]) / size[0]) ** 2 + ((v - at[1]) / size[1]) ** 2))


class HeadRenderer:
    """Makes heads from a random generator."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random

    def render(self, pixels: int, skin: float, ambient: float) -> Head:
        """Ray-trace an ellipsoid head (orthographic) with a temperature texture; the patch is 1.5 heads wide."""
        random = self._random
        away = random.random()
        if away < 0.5:
            yaw = float(random.normal(0, 18))
        elif away < 0.76:
            yaw = float(random.uniform(-95, 95))
        else:  # the back of a head: warm, round, and no face
            yaw = float(random.uniform(115, 245))
        pitch = float(np.clip(random.normal(0, 13), -40, 40))
        rotation = _rotation(math.radians(yaw), math.radians(pitch))
        axes = HEAD_AXES * np.array([random.uniform(0.9, 1.1), 1.0, random.uniform(0.9, 1.1)])
        size = int(pixels * 1.5)
        grid = (np.arange(size) + 0.5 - size / 2) / (pixels / 2)
        x, y = np.meshgrid(grid, -grid)
        origin = np.stack([x, y, np.zeros_like(x)], -1) @ rotation
        ray = np.array([0, 0, 1.0]) @ rotation
        a = ((ray / axes) ** 2).sum()
        b = (origin * ray / axes**2).sum(-1)
        c = ((origin / axes) ** 2).sum(-1) - 1.0
        discriminant = b * b - a * c
        hit = discriminant > 0
        depth = (-b + np.sqrt(np.maximum(discriminant, 0))) / a
        surface = (origin + depth[..., None] * ray) / axes
        # The jaw is narrower than the temples.
        jaw = 1.0 - 0.28 * _smooth(0.25, 0.15, -surface[..., 1])
        hit &= (np.abs(x) < 1.2 * jaw * axes[0] + 0.5 * (1 - jaw)) | (surface[..., 1] > -0.2)
        u = np.degrees(np.arctan2(surface[..., 0], surface[..., 2]))
        v = np.degrees(np.arcsin(np.clip(surface[..., 1], -1, 1)))
        celsius, glasses, covered = self._texture(u, v, skin, ambient)
        # Grazing angles emit less (Lambert's law breaks down beyond 60°).
        grazing = np.clip(1 - np.sqrt(np.maximum(discriminant, 0)) * 1.4, 0, 1)
        celsius -= grazing * (skin - ambient) * random.uniform(0.0, 0.18)
        coverage = cv2.GaussianBlur(hit.astype(np.float32), (0, 0), 0.8)
        points3 = np.array([_on_head(-11, 12, axes), _on_head(11, 12, axes), _on_head(0, -34, axes)])
        points = (points3 @ rotation.T)[:, :2] * [1, -1] * (pixels / 2) + size / 2
        face_box, visible = _face_extent(rotation, axes, pixels, size)
        return Head(
            celsius=celsius.astype(np.float32), coverage=coverage, face_box=face_box, points=points,
            visible=visible and abs((yaw + 180) % 360 - 180) < 95, frontal=abs(yaw) < 35 and abs(pitch) < 25,
            glasses=glasses, covered=covered,
        )  # fmt: skip

    def _texture(self, u: Values, v: Values, skin: float, ambient: float) -> tuple[Values, bool, bool]:
        """Temperatures over azimuth ``u`` and elevation ``v`` [deg], and whether there are glasses and a mask."""
        random = self._random
        contrast = float(np.clip((skin - ambient) / 12, 0.25, 1.6) * random.uniform(0.7, 1.7))
        t = np.full(u.shape, skin)
        t += contrast * random.uniform(0.0, 0.8) * _spot(u, v, (0, 38), (45, 22))
        for side in (-1, 1):
            t += contrast * random.uniform(0.5, 1.6) * _spot(u, v, (side * 11, 12), (7, 7))
            t += contrast * random.uniform(0.0, 0.8) * _spot(u, v, (side * 21, 11), (12, 7))
            t -= contrast * random.uniform(0.0, 0.6) * _spot(u, v, (side * 21, 11), (6, 4))
            t -= contrast * random.uniform(0.0, 1.2) * _spot(u, v, (side * 22, 23), (13, 4))
            t -= contrast * random.uniform(0.2, 1.8) * _spot(u, v, (side * 33, -12), (17, 16))
            t += contrast * random.uniform(-0.5, 1.0) * _spot(u, v, (side * 82, 0), (9, 16))
        t -= contrast * random.uniform(0.2, 4.5) * _spot(u, v, (0, -8), (10, 12))
        mouth = random.uniform(-0.8, 1.4)
        t += contrast * mouth * _spot(u, v, (0, -34), (15, 5 if random.random() < 0.8 else 10))
        t += cv2.resize(random.normal(0, 0.25, (8, 8)), (u.shape[1], u.shape[0]), interpolation=cv2.INTER_CUBIC)
        self._beard(t, u, v, skin, ambient)
        self._hair(t, u, v, skin, ambient)
        glasses, covered = random.random() < 0.25, random.random() < 0.2
        if glasses:
            self._glasses(t, u, v, skin, ambient)
        if covered:
            mask = _smooth(random.uniform(-2, 4), 2, -v) * _smooth(-62, 5, -np.abs(u))
            fabric = ambient + (skin - ambient) * random.uniform(0.3, 0.95)
            t += mask * (fabric - t + random.normal(0, 0.5) * _spot(u, v, (0, -20), (20, 12)))
        if random.random() < 0.12:
            hat = _smooth(random.uniform(28, 48), 3, v)
            t += hat * (ambient + (skin - ambient) * random.uniform(0.0, 0.6) - t)
        return t, glasses, covered

    def _beard(self, t: Values, u: Values, v: Values, skin: float, ambient: float) -> None:
        random = self._random
        if random.random() < 0.18:
            beard = _smooth(24, 4, -v) * _smooth(-75, 8, -np.abs(u)) * (1 - 0.8 * _spot(u, v, (0, -34), (14, 6)))
            t -= beard * (skin - ambient) * random.uniform(0.1, 0.5)

    def _hair(
        self,
        t: Values,
        u: Values,
        v: Values,
        skin: float,
        ambient: float,
    ) -> None:
        random = self._random
        kind = random.choice(["bald", "short", "medium", "long"], p=[0.12, 0.4, 0.25, 0.23])
        line = {
            "bald": 95.0,
            "short": random.uniform(45, 62),
            "medium": random.uniform(38, 55),
            "long": random.uniform(35, 55),
        }[kind]
        sides = {"bald": 150.0, "short": 95.0, "medium": 80.0, "long": 66.0}[kind]
        bottom = {"bald": 0.0, "short": -5.0, "medium": -25.0, "long": -89.0}[kind]
        ragged = cv2.resize(
            random.normal(0, random.uniform(2, 6), (6, 24)), (u.shape[1], u.shape[0]), interpolation=cv2.INTER_CUBIC
        )
        hair = np.maximum(
            _smooth(line, 3, v + ragged),
            _smooth(sides, 4, np.abs(u) + ragged) * _smooth(bottom, 4, v),
        )
        cool = {"bald": random.uniform(0.0, 0.2), "short": random.uniform(0.05, 0.6)}.get(
            kind, random.uniform(0.15, 0.75)
        )
        if kind in ("medium", "long") and random.random() < 0.4:  # strands over the forehead
            fringe = _smooth(random.uniform(22, 40), 3, v + 3 * ragged) * _smooth(-60, 8, -np.abs(u))
            hair = np.maximum(hair, fringe * random.uniform(0.3, 1.0))
        strands = 1 + 0.25 * cv2.resize(
            random.normal(0, 1, (12, 24)), (u.shape[1], u.shape[0]), interpolation=cv2.INTER_LINEAR
        )
        t -= hair * (skin - ambient) * cool * strands
        if kind == "bald" and random.random() < 0.5:
            t -= _smooth(100, 4, np.abs(u)) * (skin - ambient) * 0.1

    def _glasses(self, t: Values, u: Values, v: Values, skin: float, ambient: float) -> None:
        random = self._random
        lens_width, lens_height = random.uniform(12, 17), random.uniform(8, 14)
        glass = ambient + (skin - ambient) * random.uniform(0.0, 0.45)
        for side in (-1, 1):
            inside = _smooth(-1, 0.1, -((np.abs(u - side * 22) / lens_width) ** 3 + (np.abs(v - 9) / lens_height) ** 3))
            t += inside * (glass - t)
        bridge = _smooth(-9, 2, -np.abs(u)) * _smooth(-3, 1, -np.abs(v - 14))
        temple = _smooth(36, 3, np.abs(u)) * _smooth(-3, 1, -np.abs(v - 13)) * _smooth(-95, 3, -np.abs(u))
        t += np.maximum(bridge, temple) * 0.7 * (glass - t)


def _rotation(yaw: float, pitch: float) -> Values:
    """Head to camera: yaw about the vertical, then pitch about the camera's horizontal."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return np.asarray(nod @ turn)


def _on_head(u: float, v: float, axes: Values) -> Values:
    """Point of the head's surface at azimuth ``u`` and elevation ``v`` [deg]."""
    azimuth, elevation = math.radians(u), math.radians(v)
    return axes * np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )


def _face_extent(
    rotation: Values, axes: Values, pixels: int, size: int
) -> tuple[tuple[float, float, float, float], bool]:
    """Extent of the visible facial surface (forehead to chin, temple to temple) in the patch."""
    u, v = np.meshgrid(np.radians(np.linspace(-75, 75, 21)), np.radians(np.linspace(-78, 46, 21)))
    surface = np.stack([np.sin(u) * np.cos(v), np.sin(v), np.cos(u) * np.cos(v)], -1) * axes
    seen = surface @ rotation.T
    normal = (surface / axes**2) @ rotation.T
    front = normal[..., 2] > 0.02 * np.linalg.norm(normal, axis=-1)
    if front.mean() < 0.2:
        return (0.0, 0.0, 1.0, 1.0), False
    points = seen[front][:, :2] * [1, -1] * (pixels / 2) + size / 2
    low, high = points.min(0), points.max(0)
    return (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])), True
