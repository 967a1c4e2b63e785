"""Localisation in the simulated hall: sources anywhere, one round of the patrol, real walls, the monitor's whole way.

The world's solids attenuate by their own materials, the monitor only knows the map; its poses drift as localisation
does. Counts are those of the robot's Geiger counter.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_contract.resources import share
from inspection_robot.radiation.adjudicate import load_rules
from inspection_robot.radiation.count_watch import CountStatus, WatchParameters
from inspection_robot.radiation.counts import CountInterval
from inspection_robot.radiation.drivers.detector import Identity, TotalReading
from inspection_robot.radiation.findings import UNLOCATED_M
from inspection_robot.radiation.localise import LocaliseParameters, LocatedSource
from inspection_robot.radiation.monitor import Place, RadiationMonitor
from inspection_robot.radiation.walls import Walls
from inspection_sim.fields.radiation import GEIGER_CPS_PER_USV_H, Source, geiger_rate_cps
from inspection_sim.navigation import plan
from inspection_sim.sensors.localisation import Localisation, wander
from inspection_sim.sensors.mounts import RADIATION_DETECTOR
from inspection_sim.simulation import LUGGAGE_HEIGHT_M, Setting, load
from inspection_sim.world.grid import Grid

ROUTE = ((-18.0, 2.5), (-13.0, -4.5), (-2.0, 0.0), (5.0, 0.0), (18.0, 1.5))  # hall_round of config/routes.yaml
SPEED_M_S = 0.6
DWELL_S = 8
SEED = 20261120
NEAR_M = 8.0  # a source further from the path than this is not asked for


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenario", default="lost_source", help="whose world and own source to take (%(default)s)")
    parser.add_argument("--runs", type=int, default=30, help="places of the source (%(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print each place and what was told of it")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    setting = load(arguments.scenario)
    random = np.random.default_rng(SEED)
    path = route_path(setting.grid)
    planted = next(item for item in setting.scenario.objects if item.source is not None)
    assert planted.source is not None
    own = patrol(setting, path, (planted.x, planted.y), planted.source.activity_mbq, random)
    results, seconds = [], []
    for _ in range(arguments.runs):
        place, activity = (
            _free_place(setting.grid, path, random),
            float(np.exp(random.uniform(np.log(100.0), np.log(5000.0)))),
        )
        started = time.process_time()
        found = patrol(setting, path, place, activity, random)
        seconds.append(time.process_time() - started)
        results.append((place, activity, found))
        if arguments.verbose:
            print(f"{place[0]:6.1f} {place[1]:6.1f} {activity:6.0f} MBq:", _text(found, place, activity))
    errors = [_error(found, place) for place, _, found in results if found is not None]
    off = [abs(found.activity_mbq / activity - 1.0) for _, activity, found in results if found is not None]
    inside = [
        _within(found, place) for place, _, found in results if found is not None
    ]  # fmt: skip
    return {
        "runs": arguments.runs,
        "located": len(errors),
        "median_error_m": round(float(np.median(errors)), 2),
        "p90_error_m": round(float(np.quantile(errors, 0.9)), 2),
        "within_3_deviations": round(float(np.mean(inside)), 3),
        "median_activity_error_percent": round(100.0 * float(np.median(off)), 1),
        "activity_within_30_percent": round(float(np.mean(np.array(off) <= 0.3)), 3),
        "activity_within_factor_2": round(
            float(np.mean([0.5 <= f.activity_mbq / a <= 2.0 for _, a, f in results if f])), 3
        ),
        "planted_error_m": None if own is None else round(_error(own, (planted.x, planted.y)), 2),
        "planted_activity_ratio": None if own is None else round(own.activity_mbq / planted.source.activity_mbq, 2),
        "cpu_s_per_run": round(float(np.mean(seconds)), 2),
    }


def route_path(grid: Grid) -> NDArray[np.float64]:
    """Place of the robot once a second along the route, (n, 2) [m], with a stay at every waypoint."""
    parts = []
    for start, goal in itertools.pairwise(ROUTE):
        way = plan(grid, start, goal)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(way, axis=0).T))])
        at = np.arange(0.0, along[-1], SPEED_M_S)
        parts += [np.tile(start, (DWELL_S, 1)), np.column_stack([np.interp(at, along, way[:, i]) for i in (0, 1)])]
    return np.concatenate([np.tile(ROUTE[0], (90, 1)), *parts])  # the background is learnt first


def patrol(
    setting: Setting, path: NDArray[np.float64], place: tuple[float, float], activity_mbq: float,
    random: np.random.Generator,
) -> LocatedSource | None:  # fmt: skip
    """Let the monitor watch one round and return where it told the source to be at last."""
    monitor = RadiationMonitor(
        Identity("Rad Pro", "1", GEIGER_CPS_PER_USV_H), WatchParameters(),
        load_rules(share() / "config" / "radiation_rules.yaml"), LocaliseParameters(),
    )  # fmt: skip
    grid = setting.grid
    monitor.walls = Walls(grid.occupied, grid.resolution, grid.origin)
    source = Source("Cs-137", activity_mbq, np.array([*place, LUGGAGE_HEIGHT_M]))
    state, total, told = Localisation(np.zeros(3)), 0, None
    due_s = np.inf
    for second, (x, y) in enumerate(path):
        state = wander(state, 1.0, random)
        middle = 0.5 * (path[max(second - 1, 0)] + path[second])
        at = np.array([*middle, RADIATION_DETECTOR.z])
        counts = int(random.poisson(geiger_rate_cps([source], at, setting.solids)))
        total += counts
        interval = CountInterval(second + 1.0, 1.0, counts, total)
        reading = TotalReading(second + 1.0, total)
        result = monitor.update(interval, reading, Place(x + state.error[0], y + state.error[1]), {})
        due_s = second + 10.0 if result.alarm_began else due_s
        alarm = result.state.status is CountStatus.ALARM
        if result.alarm_ended or (alarm and second >= due_s):
            due_s = second + 10.0
            assessment = monitor.assess(monitor.samples, None)
            if assessment is not None and assessment.source is not None:
                deviation = math.sqrt(float(np.trace(assessment.source.covariance_m2)))
                told = assessment.source if deviation <= UNLOCATED_M else told
    return told


def _free_place(grid: Grid, path: NDArray[np.float64], random: np.random.Generator) -> tuple[float, float]:
    """A random place outside all solids and not far from the path [m]."""
    while True:
        x, y = random.uniform(-29.0, 29.0), random.uniform(-14.5, 14.5)
        row, column = grid.cell(np.array([x]), np.array([y]))
        if not grid.occupied[row[0], column[0]] and np.hypot(*(path - (x, y)).T).min() < NEAR_M:
            return float(x), float(y)


def _error(found: LocatedSource, place: tuple[float, float]) -> float:
    return float(np.hypot(found.position_m[0] - place[0], found.position_m[1] - place[1]))


def _within(found: LocatedSource, place: tuple[float, float]) -> bool:
    """Whether the truth lies within three standard deviations of what was told."""
    error = np.array(found.position_m) - place
    return float(error @ np.linalg.solve(found.covariance_m2, error)) < 11.8


def _text(found: LocatedSource | None, place: tuple[float, float], activity: float) -> str:
    if found is None:
        return "not located"
    deviation = np.sqrt(np.diag(found.covariance_m2))
    return (
        f"{_error(found, place):.2f} m off, told {deviation[0]:.2f} x {deviation[1]:.2f} m, "
        f"activity x {found.activity_mbq / activity:.2f}"
    )
