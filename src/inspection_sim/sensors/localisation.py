"""A stand-in for localisation: the true pose with a slowly wandering error, as AMCL leaves it on a good map.

On the robot this is Nav2's AMCL. The stand-in does not look at the scan; what it shares with the real thing is a
bounded, time-correlated error and the transform map → odom that absorbs the odometry's drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

POSITION_ERROR_M: Final = 0.03
HEADING_ERROR_RAD: Final = 0.008
CORRELATION_S: Final = 10.0


@dataclass(frozen=True)
class Localisation:
    """Present error of the estimate: x, y [m], yaw [rad]."""

    error: NDArray[np.float64]


def wander(state: Localisation, dt: float, generator: np.random.Generator) -> Localisation:
    """Let the error go on by ``dt`` (an Ornstein–Uhlenbeck process)."""
    keep = np.exp(-dt / CORRELATION_S)
    scale = np.array([POSITION_ERROR_M, POSITION_ERROR_M, HEADING_ERROR_RAD])
    return Localisation(keep * state.error + scale * np.sqrt(1 - keep**2) * generator.standard_normal(3))


def map_to_odom(
    truth: tuple[float, float, float], odometry: tuple[float, float, float], state: Localisation
) -> tuple[float, float, float]:
    """Return the transform map → odom (x, y [m], yaw [rad]) that puts the robot at its estimated pose in `map`."""
    x, y, yaw = (value + float(error) for value, error in zip(truth, state.error, strict=True))
    turn = yaw - odometry[2]
    cos, sin = np.cos(turn), np.sin(turn)
    return (
        float(x - cos * odometry[0] + sin * odometry[1]),
        float(y - sin * odometry[0] - cos * odometry[1]),
        float((turn + np.pi) % (2 * np.pi) - np.pi),
    )
