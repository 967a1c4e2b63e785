from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_sim import navigation
from inspection_sim.navigation import GOAL_OCCUPIED, GOAL_OUTSIDE_MAP, NO_VALID_PATH, ROBOT_RADIUS_M, PlanError
from inspection_sim.simulation import WORLDS
from inspection_sim.world.grid import floor_plan
from inspection_sim.world.sdf import read_world
from tests.sim.test_crowd import hall

TERMINAL = floor_plan(read_world(WORLDS / "terminal.sdf"))
NOTHING = np.empty((0, 2))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_a_path_keeps_the_robots_radius_from_everything(seed: int) -> None:
    generator = np.random.default_rng(seed)
    free = np.argwhere(TERMINAL.clearance > 0.6)
    a, b = (np.array(TERMINAL.origin) + (free[i, ::-1] + 0.5) * 0.1 for i in generator.integers(0, len(free), 2))
    try:
        path = navigation.plan(TERMINAL, (a[0], a[1]), (b[0], b[1]))
    except PlanError as error:
        assert error.code == NO_VALID_PATH  # the strip outside of the hall
        return
    room, _ = TERMINAL.clear(path[:, 0], path[:, 1])
    assert room.min() > ROBOT_RADIUS_M
    assert np.linalg.norm(path[-1] - b) < 0.01


@pytest.mark.parametrize(("goal", "code"), [((100.0, 0.0), GOAL_OUTSIDE_MAP), ((-6.0, 11.0), GOAL_OCCUPIED)])
def test_a_goal_that_cannot_be_reached_has_the_code_of_nav2(goal: tuple[float, float], code: int) -> None:
    with pytest.raises(PlanError) as caught:
        navigation.plan(TERMINAL, (-18.0, 2.5), goal)
    assert caught.value.code == code


def test_a_hall_that_is_cut_in_two_has_no_way_across() -> None:
    cut = np.stack([np.zeros(240), np.linspace(-6, 6, 240)], axis=1)
    with pytest.raises(PlanError) as caught:
        navigation.plan(hall(blocks=0), (-3.0, 0.0), (3.0, 0.0), cut)
    assert caught.value.code == NO_VALID_PATH


def test_a_plan_goes_around_what_the_scan_shows() -> None:
    grid = hall(blocks=0)
    barrier = np.stack([np.zeros(40), np.linspace(-2, 2, 40)], axis=1)
    path = navigation.plan(grid, (-3.0, 0.0), (3.0, 0.0), barrier)
    assert np.abs(path[:, 1]).max() > 2.2


def follow(grid_seed: int, points: np.ndarray, seconds: float = 40.0) -> tuple[tuple[float, float, float], bool]:
    path = navigation.plan(hall(grid_seed, 0), (-3.0, -3.0), (3.0, 2.0))
    x, y, yaw = -3.0, -3.0, 1.0
    for _ in range(round(seconds / 0.1)):
        cos, sin = np.cos(yaw), np.sin(yaw)
        local = (points - [x, y]) @ np.array([[cos, -sin], [sin, cos]]) if len(points) else points
        command = navigation.pursue(path, 0.5, (x, y, yaw), local)
        if command.arrived:
            return (x, y, yaw), True
        x, y, yaw = x + command.v * 0.1 * np.cos(yaw), y + command.v * 0.1 * np.sin(yaw), yaw + command.w * 0.1
    return (x, y, yaw), False


def test_pursuit_arrives_at_the_goal_with_its_heading() -> None:
    (x, y, yaw), arrived = follow(0, NOTHING)
    assert arrived
    assert (x, y) == pytest.approx((3.0, 2.0), abs=navigation.ARRIVED_M)
    assert yaw == pytest.approx(0.5, abs=navigation.ARRIVED_RAD)


def test_pursuit_stops_before_an_obstacle_and_does_not_touch_it() -> None:
    obstacle = np.array([[0.0, -0.5]])
    wall = obstacle + np.stack([np.zeros(60), np.linspace(-3, 3, 60)], axis=1)
    (x, y, _), arrived = follow(0, wall)
    assert not arrived
    assert np.hypot(*(wall - [x, y]).T).min() > ROBOT_RADIUS_M + 0.1


@given(st.floats(0.4, 5.0), st.floats(-0.3, 0.3))
def test_the_free_way_is_measured_from_the_robots_edge(x: float, y: float) -> None:
    free = navigation.free_ahead(np.array([[x, y]]))
    assert free == pytest.approx(max(x - np.sqrt(ROBOT_RADIUS_M**2 - y**2), 0.0))
    assert navigation.free_ahead(np.array([[x, 0.5]])) == np.inf
    assert navigation.free_ahead(np.array([[-x, y]])) == np.inf


def test_echoes_of_nothing_are_no_points() -> None:
    ranges = np.array([1.0, np.inf, 2.0], dtype=np.float32)
    points = navigation.scan_points(ranges, 0.0, np.pi / 2, 0.2)
    assert points == pytest.approx(np.array([[1.2, 0.0], [-1.8, 0.0]]), abs=1e-6)
