"""Driving to a pose: grid planner, pure pursuit, obstacle stop. The computation behind the stand-in for Nav2.

Pure pursuit: Coulter, "Implementation of the pure pursuit path tracking algorithm", CMU-RI-TR-92-01 (1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.graph import route_through_array

from inspection_sim.world.grid import Grid

ROBOT_RADIUS_M: Final = 0.30
MARGIN_M: Final = 0.08
COMFORT_M: Final = 0.6
"""Cells closer to a solid than this cost more [m]."""
LOOKAHEAD_M: Final = 0.7
CRUISE_M_S: Final = 0.8
TURN_RAD_S: Final = 1.0
DECELERATION_M_S2: Final = 0.5
STOP_M: Final = 0.35
"""Nothing may come closer than this before the robot's edge, in its way [m]."""
ARRIVED_M: Final = 0.15
ARRIVED_RAD: Final = 0.15


class PlanError(Exception):
    """No way: `code` is that of nav2_msgs/ComputePathToPose (Jazzy)."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


GOAL_OUTSIDE_MAP: Final = 204
START_OUTSIDE_MAP: Final = 203
GOAL_OCCUPIED: Final = 206
NO_VALID_PATH: Final = 208
FAILED_TO_MAKE_PROGRESS: Final = 105


@dataclass(frozen=True)
class Command:
    """A velocity [m/s, rad/s]; `arrived`: position and heading are reached; `held`: something is in the way."""

    v: float
    w: float
    arrived: bool = False
    held: bool = False


def plan(
    grid: Grid, start: tuple[float, float], goal: tuple[float, float], obstacles: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return a path (n, 2) [m] from start to goal that keeps the robot's radius from solids, and more where it can.

    Args:
        grid: floor plan.
        start: x, y [m].
        goal: x, y [m].
        obstacles: (k, 2) further points to keep away from [m], e.g. of the scan.

    Raises:
        PlanError: start or goal lies outside of the map, the goal is occupied, or there is no way.
    """
    if not grid.contains(*goal):
        raise PlanError(GOAL_OUTSIDE_MAP, f"goal ({goal[0]:.2f}, {goal[1]:.2f}) lies outside of the map")
    if not grid.contains(*start):
        raise PlanError(START_OUTSIDE_MAP, f"start ({start[0]:.2f}, {start[1]:.2f}) lies outside of the map")
    limit = ROBOT_RADIUS_M + MARGIN_M
    room = grid.clearance
    if obstacles is not None and len(obstacles):
        room = np.minimum(room, _distance_to(grid, obstacles))
    rows, columns = grid.cell(np.array([start[0], goal[0]]), np.array([start[1], goal[1]]))
    if room[rows[1], columns[1]] < limit:
        raise PlanError(
            GOAL_OCCUPIED, f"goal ({goal[0]:.2f}, {goal[1]:.2f}) is occupied: {room[rows[1], columns[1]]:.2f} m of room"
        )
    cost = np.where(room >= limit, 1.0 + 4.0 * np.clip((COMFORT_M - room) / COMFORT_M, 0.0, 1.0) ** 2, -1.0)
    near = (
        np.hypot(*np.meshgrid(np.arange(room.shape[1]) - columns[0], np.arange(room.shape[0]) - rows[0]))
        * grid.resolution
    )
    cost = np.where((cost < 0) & (near < limit) & ~grid.occupied, 20.0, cost)  # the way out of a tight spot
    try:
        cells, _ = route_through_array(cost, (rows[0], columns[0]), (rows[1], columns[1]), geometric=True)
    except ValueError:
        cells = []
    if not cells:
        raise PlanError(
            NO_VALID_PATH, f"no way from ({start[0]:.2f}, {start[1]:.2f}) to ({goal[0]:.2f}, {goal[1]:.2f})"
        )
    path = np.array(grid.origin) + (np.array(cells)[:, ::-1] + 0.5) * grid.resolution
    path[-1] = goal
    return path


def pursue(
    path: NDArray[np.float64],
    goal_yaw: float,
    pose: tuple[float, float, float],
    points: NDArray[np.float64],
    cruise: float = CRUISE_M_S,
) -> Command:
    """Return the velocity that follows a path.

    Args:
        path: (n, 2) in the map [m].
        goal_yaw: heading wanted at the end [rad].
        pose: x, y [m], yaw [rad] in the map.
        points: (k, 2) obstacles in the robot's frame [m], from the scan.
        cruise: largest speed [m/s].
    """
    position = np.array(pose[:2])
    left = float(np.linalg.norm(path[-1] - position))
    if left < ARRIVED_M:
        turn = _wrap(goal_yaw - pose[2])
        return (
            Command(0.0, 0.0, arrived=True)
            if abs(turn) < ARRIVED_RAD
            else Command(0.0, float(np.clip(1.5 * turn, -TURN_RAD_S, TURN_RAD_S)))
        )
    nearest = int(np.argmin(np.linalg.norm(path - position, axis=1)))
    ahead = path[nearest:]
    target = ahead[min(int(np.searchsorted(_length(ahead), LOOKAHEAD_M)), len(ahead) - 1)]
    dx, dy = target - position
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    x, y = cos * dx + sin * dy, -sin * dx + cos * dy
    bearing = float(np.arctan2(y, x))
    if abs(bearing) > 0.9:
        return Command(0.0, float(np.clip(1.5 * bearing, -TURN_RAD_S, TURN_RAD_S)))
    curvature = 2.0 * y / max(x * x + y * y, 1e-6)
    room = free_ahead(points)
    fastest = min(
        cruise,
        float(np.sqrt(2 * DECELERATION_M_S2 * max(room - STOP_M, 0.0))),
        float(np.sqrt(2 * DECELERATION_M_S2 * left)) + 0.05,
    )
    v = fastest / (1.0 + 1.2 * abs(bearing))
    if room <= STOP_M:
        return Command(0.0, float(np.clip(bearing, -0.4, 0.4)), held=True)
    return Command(v, float(np.clip(v * curvature, -TURN_RAD_S, TURN_RAD_S)))


def free_ahead(points: NDArray[np.float64]) -> float:
    """Return how far the robot can go straight on before its edge meets a point (k, 2) of its own frame [m]."""
    if not len(points):
        return float("inf")
    lane = (points[:, 0] > 0.0) & (np.abs(points[:, 1]) < ROBOT_RADIUS_M + 0.05)
    if not lane.any():
        return float("inf")
    x, y = points[lane, 0], points[lane, 1]
    reach = x - np.sqrt(np.maximum(ROBOT_RADIUS_M**2 - y**2, 0.0))
    return float(max(reach.min(), 0.0))


def scan_points(ranges: NDArray[np.float32], angle_min: float, increment: float, mount_x: float) -> NDArray[np.float64]:
    """Return the points of a scan in the robot's frame, (k, 2) [m]; echoes of nothing are left out."""
    finite = np.flatnonzero(np.isfinite(ranges))
    angle = angle_min + increment * finite
    distance = ranges[finite].astype(np.float64)
    return np.stack([distance * np.cos(angle) + mount_x, distance * np.sin(angle)], axis=1)


def to_map(points: NDArray[np.float64], pose: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return points of the robot's frame (k, 2) in the map."""
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]) + np.array(pose[:2]))


def _distance_to(grid: Grid, obstacles: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = grid.cell(obstacles[:, 0], obstacles[:, 1])
    picture = np.ones(grid.occupied.shape, dtype=np.bool_)
    picture[rows, columns] = False
    distance: NDArray[np.float64] = distance_transform_edt(picture) * grid.resolution
    return distance


def _length(path: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])


def _wrap(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
