from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inspection_sim import crowd
from inspection_sim.crowd import BODY_RADIUS_M, Walkers
from inspection_sim.world.grid import Grid


def hall(seed: int = 0, blocks: int = 6) -> Grid:
    """A 12 × 12 m hall with walls around it and some blocks in it."""
    from scipy.ndimage import distance_transform_edt

    generator = np.random.default_rng(seed)
    occupied = np.zeros((120, 120), dtype=np.bool_)
    occupied[[0, 1, -2, -1]] = occupied[:, [0, 1, -2, -1]] = True
    for _ in range(blocks):
        row, column = generator.integers(10, 100, 2)
        occupied[row : row + generator.integers(2, 15), column : column + generator.integers(2, 15)] = True
    clearance = (distance_transform_edt(~occupied) - distance_transform_edt(occupied)) * 0.1
    return Grid(occupied, (-6.0, -6.0), 0.1, clearance)


def walkers(position: NDArray[np.float64], speed: float = 1.34) -> Walkers:
    count = len(position)
    return Walkers(position, np.zeros((count, 2)), np.full(count, speed), np.full(count, BODY_RADIUS_M))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0.5, 2.2))
def test_nobody_ever_gets_into_a_wall(seed: int, count: int, speed: float) -> None:
    grid = hall(seed)
    generator = np.random.default_rng(seed)
    free = np.argwhere(grid.clearance > BODY_RADIUS_M)
    cells = free[generator.choice(len(free), min(count, len(free)), replace=False)]
    people = walkers(np.array(grid.origin) + (cells[:, ::-1] + 0.5) * 0.1, speed)
    angle = generator.uniform(0, 2 * np.pi, len(people.position))
    wanted = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # straight into whatever is there
    for _ in range(60):
        people = crowd.step(people, wanted, grid, 0.05)
        room, _ = grid.clear(people.position[:, 0], people.position[:, 1])
        assert room.min() > 0.0


def test_somebody_alone_reaches_the_desired_speed_within_a_few_relaxation_times() -> None:
    people = walkers(np.array([[-4.0, 0.0]]))
    for _ in range(40):
        people = crowd.step(people, np.array([[1.0, 0.0]]), hall(blocks=0), 0.05)
    assert people.velocity[0] == pytest.approx([1.34, 0.0], abs=0.05)


def test_two_who_walk_towards_each_other_pass_without_touching() -> None:
    people = walkers(np.array([[-3.0, 0.05], [3.0, -0.05]]))
    wanted = np.array([[1.0, 0.0], [-1.0, 0.0]])
    closest = np.inf
    for _ in range(120):
        people = crowd.step(people, wanted, hall(blocks=0), 0.05)
        closest = min(closest, float(np.linalg.norm(people.position[0] - people.position[1])))
    assert closest > 1.5 * BODY_RADIUS_M
    assert people.position[0, 0] > people.position[1, 0]


def test_people_give_way_to_the_robot() -> None:
    robot = Walkers(np.array([[0.0, 0.02]]), np.zeros((1, 2)), np.ones(1), np.array([0.3]))
    people = walkers(np.array([[-3.0, 0.0]]))
    closest = np.inf
    for _ in range(120):
        people = crowd.step(people, np.array([[1.0, 0.0]]), hall(blocks=0), 0.05, robot)
        closest = min(closest, float(np.linalg.norm(people.position[0] - robot.position[0])))
    assert closest > 0.3 + 0.5 * BODY_RADIUS_M
    assert people.position[0, 0] > 0.5


def test_nobody_exceeds_the_greatest_speed() -> None:
    generator = np.random.default_rng(5)
    people = walkers(generator.uniform(-1, 1, (30, 2)), 1.0)  # packed: the forces are large
    for _ in range(40):
        people = crowd.step(people, np.tile([1.0, 0.0], (30, 1)), hall(blocks=0), 0.05)
        assert np.linalg.norm(people.velocity, axis=1).max() <= crowd.FASTEST * 1.0 + 1e-9


def test_speeds_are_drawn_about_the_published_mean() -> None:
    speeds = crowd.draw_speeds(20_000, np.random.default_rng(1))
    assert speeds.mean() == pytest.approx(1.34, abs=0.01)
    assert speeds.std() == pytest.approx(0.26, abs=0.01)
