"""Localisation of a lost source: 3.7 MBq of Cs-137 somewhere in a 30 x 30 m hall with walls, one pass of the robot."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.localise import LocaliseParameters, Measurements, kernels, localise
from inspection_robot.radiation.walls import Walls

HALL_M = 30.0
CELL_M = 0.1
ACTIVITY_MBQ = 3.7
BACKGROUND_CPS = 6.4  # RadiaCode-101 in an office (SURO)
INTERVAL_S = 1.0
SEED = 20261120


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=60, help="places of the source (%(default)s)")
    parser.add_argument("--speed", type=float, default=0.5, help="speed of the robot [m/s] (%(default)s)")
    parser.add_argument("--lane", type=float, default=2.5, help="distance between lanes [m] (%(default)s)")
    parser.add_argument("--activity", type=float, default=ACTIVITY_MBQ, help="activity [MBq] (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    random = np.random.default_rng(SEED)
    walls = hall()
    path = lanes(walls, arguments.speed * INTERVAL_S, arguments.lane)
    # The truth differs from what the search assumes: the source lies on the floor or on a shelf.
    errors, activities, seconds, missed = [], [], [], 0
    for _ in range(arguments.runs):
        place = free_place(walls, random)
        truth = LocaliseParameters(height_difference_m=float(random.uniform(0.0, 0.8)))
        exposure = Measurements(path, np.zeros(len(path)), np.full(len(path), INTERVAL_S))
        expected = arguments.activity * kernels(place[None, :], exposure, walls, truth)[0]
        counts = random.poisson(expected + BACKGROUND_CPS * INTERVAL_S).astype(float)
        started = time.perf_counter()
        found = localise(Measurements(path, counts, exposure.live_s), walls, (0.0, 0.0, HALL_M, HALL_M))
        seconds.append(time.perf_counter() - started)
        if not found:
            missed += 1
            continue
        errors.append(float(np.hypot(*(np.array(found[0].position_m) - place))))
        activities.append(found[0].activity_mbq / arguments.activity - 1.0)
    off = np.abs(activities)
    return {
        "runs": arguments.runs,
        "found": len(errors),
        "missed": missed,
        "median_error_m": round(float(np.median(errors)), 3),
        "p90_error_m": round(float(np.quantile(errors, 0.9)), 3),
        "median_activity_error_percent": round(100.0 * float(np.median(off)), 1),
        "activity_within_30_percent": round(float(np.mean(off <= 0.3)), 3),
        "activity_mbq": arguments.activity,
        "speed_m_s": arguments.speed,
        "lane_m": arguments.lane,
        "path_m": round(float(np.hypot(*np.diff(path, axis=0).T).sum()), 1),
        "s_per_run": round(float(np.mean(seconds)), 3),
    }


def hall() -> Walls:
    """A hall with an outer wall, two partition walls with openings and four pillars; cells of 0.1 m."""
    cells = round(HALL_M / CELL_M)
    solid = np.zeros((cells, cells), bool)
    solid[:2] = solid[-2:] = True
    solid[:, :2] = solid[:, -2:] = True
    solid[100:102, 20:130] = solid[100:102, 170:280] = True
    solid[150:260, 200:202] = True
    for row in (60, 220):
        for column in (80, 120):
            solid[row : row + 6, column : column + 6] = True
    return Walls(solid, CELL_M, (0.0, 0.0))


def lanes(walls: Walls, step_m: float, lane_m: float) -> NDArray[np.float64]:
    """One pass up and down in lanes; places inside walls are left out, as the robot drives around them."""
    rows = []
    for number, y in enumerate(np.arange(0.5 * lane_m, HALL_M, lane_m)):
        x = np.arange(0.6, HALL_M - 0.6, step_m)
        rows.append(np.column_stack([x[:: 1 if number % 2 == 0 else -1], np.full(len(x), y)]))
    path = np.concatenate(rows)
    return path[walls.is_free(path)]


def free_place(walls: Walls, random: np.random.Generator) -> NDArray[np.float64]:
    """A random place outside all walls [m]."""
    while True:
        place = random.uniform(0.5, HALL_M - 0.5, 2)
        if walls.is_free(place[None, :])[0]:
            return place
