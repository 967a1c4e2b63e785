"""How far the robot can go along an arc, and how fast it may go to stop within that. Pure numpy.

The robot is a disc: turning on the spot cannot hit anything, and an arc is checked by its centre's distance to points.
Frame: base_link, x forward, metres.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

STEP_M = 0.05
"""Distance between the checked places on an arc; the margin around the robot covers what lies between."""
APPROACH_M = 1e-3
"""A point inside the margin blocks only motion that comes nearer to it by more than this; leaving stays possible."""
STRAIGHT = 1e-6


def arc(curvature: float, lengths: Points) -> Points:
    """Places (S, 2) of the robot's centre after driving (S,) metres, negative backwards, at a curvature [1/m]."""
    if abs(curvature) < STRAIGHT:
        return np.column_stack([lengths, np.zeros_like(lengths)])
    angles = curvature * lengths
    return np.column_stack([np.sin(angles), 1.0 - np.cos(angles)]) / curvature


def free_distance(points: Points, radius: float, direction: int, curvature: float, horizon: float) -> float:
    """Length of arc that can be driven before a point comes within ``radius`` of the robot's centre.

    Args:
        points: (N, 2) obstacles [m]; none is fine.
        radius: robot and margin [m].
        direction: 1 forwards, -1 backwards.
        curvature: of the arc, angular over linear velocity [1/m].
        horizon: how far to look [m]; also the result when nothing is in the way.

    Returns:
        Free length [m], rounded down to the last checked place; 0 when already blocked.
    """
    distances = np.hypot(points[:, 0], points[:, 1])
    near = distances < horizon + radius
    if not near.any():
        return horizon
    points, now = points[near], distances[near]
    lengths = np.arange(1, math.ceil(horizon / STEP_M) + 1, dtype=np.float64) * STEP_M
    places = arc(curvature, direction * lengths)
    gaps = np.hypot(places[:, None, 0] - points[None, :, 0], places[:, None, 1] - points[None, :, 1])
    hits = np.flatnonzero(((gaps < radius) & (gaps < now - APPROACH_M)).any(axis=1))
    return float(hits[0] * STEP_M) if len(hits) else horizon


def stopping_speed(distance: float, deceleration: float, reaction_s: float) -> float:
    """Fastest speed from which the robot stops within a distance.

    Solves v·t + v²/(2a) = d for v: the robot drives on for the reaction time, then brakes evenly.
    """
    if distance <= 0.0:
        return 0.0
    lag = deceleration * reaction_s
    return math.sqrt(lag * lag + 2.0 * deceleration * distance) - lag
