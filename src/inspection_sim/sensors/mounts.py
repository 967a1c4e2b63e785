"""Where the sensors sit on the robot: the numbers of ``sim/robot/inspection_robot.urdf.xacro``, checked by a test.

Frames: base_link on the floor below the middle of the wheel axis, x forward, y left, z up (REP-103, REP-105).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Mount:
    """A sensor's frame: position in base_link [m], pitch (nose up negative) [rad]; optical frames look along z."""

    frame: str
    x: float
    y: float
    z: float
    pitch: float = 0.0
    optical: bool = False


LIDAR: Final = Mount("lidar_link", 0.18, 0.0, 0.28)
IMU: Final = Mount("imu_link", 0.0, 0.0, 0.12)
THERMAL_CAMERA: Final = Mount("thermal_optical_frame", 0.14, 0.0, 1.36, -0.12, optical=True)
RGB_CAMERA: Final = Mount("camera_optical_frame", 0.16, 0.0, 0.95, 0.12, optical=True)
RADIATION_DETECTOR: Final = Mount("radiation_link", 0.10, 0.0, 0.90)
NOSE: Final = Mount("odor_link", 0.28, 0.0, 0.45)
MICROPHONE: Final = Mount("microphone_link", 0.12, 0.0, 1.15)
SPEAKER: Final = Mount("speaker_link", 0.12, 0.0, 1.00)
MOUNTS: Final = (LIDAR, IMU, THERMAL_CAMERA, RGB_CAMERA, RADIATION_DETECTOR, NOSE, MICROPHONE, SPEAKER)

_OPTICAL: Final = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""From an optical frame (x right, y down, z forward) to one with x forward, y left, z up (REP-103)."""


def rotation_in_base(mount: Mount) -> NDArray[np.float64]:
    """Return the rotation (3, 3) from the sensor's frame to base_link."""
    matrix: NDArray[np.float64] = Rotation.from_euler("y", mount.pitch).as_matrix()
    return matrix @ _OPTICAL if mount.optical else matrix


def mounted(mount: Mount, pose: tuple[float, float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return position (3,) [m] and rotation (3, 3) of a sensor's frame in the world, with the robot at x, y, yaw."""
    turn = Rotation.from_euler("z", pose[2]).as_matrix()
    position = np.array([pose[0], pose[1], 0.0]) + turn @ np.array([mount.x, mount.y, mount.z])
    return position, turn @ rotation_in_base(mount)
