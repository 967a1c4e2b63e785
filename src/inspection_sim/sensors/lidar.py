"""A scanning laser range finder: rays against the whole scene, noise, drop-outs."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from inspection_sim.world.scene import SOLID_GROUP, Scene


@dataclass(frozen=True)
class LidarModel:
    """Constants of the scanner, of the class of an RPLIDAR S2: rays a turn, range and noise [m], share of lost rays."""

    rays: int = 360
    rate_hz: float = 10.0
    nearest_m: float = 0.1
    farthest_m: float = 25.0
    noise_m: float = 0.015
    lost_share: float = 0.005

    @property
    def angle_min(self) -> float:
        """Angle of the first ray [rad]."""
        return -np.pi

    @property
    def angle_increment(self) -> float:
        """Angle between rays [rad]."""
        return 2 * np.pi / self.rays


def scan(
    scene: Scene, model: LidarModel, position: NDArray[np.float64], yaw: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return the ranges of one turn, (rays,) [m]; infinite where nothing answers.

    Args:
        scene: the world with its bodies in place.
        model: constants.
        position: (3,) of the scanner in the world [m].
        yaw: heading of the scanner [rad].
        generator: random numbers.
    """
    angle = yaw + model.angle_min + model.angle_increment * np.arange(model.rays)
    rays = np.stack([np.cos(angle), np.sin(angle), np.zeros(model.rays)], axis=1)
    geoms, distance = np.empty(model.rays, dtype=np.int32), np.empty(model.rays)
    groups = np.zeros(6, dtype=np.uint8)
    groups[SOLID_GROUP] = 1
    mujoco.mj_multiRay(
        scene.model,
        scene.data,
        position,
        rays.ravel(),
        groups,
        1,
        -1,
        geoms,
        distance,
        None,
        model.rays,
        model.farthest_m,
    )
    measured = distance + generator.normal(0.0, model.noise_m, model.rays)
    lost = (geoms < 0) | (generator.random(model.rays) < model.lost_share) | (measured > model.farthest_m)
    measured = np.maximum(measured, model.nearest_m)
    return np.where(lost, np.inf, measured).astype(np.float32)
