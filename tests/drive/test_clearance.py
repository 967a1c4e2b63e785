from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.drive.clearance import STEP_M, arc, free_distance, stopping_speed


def points(*found: tuple[float, float]) -> np.ndarray:
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def test_straight_ahead_the_way_ends_a_radius_before_the_point() -> None:
    assert free_distance(points((1.5, 0.0)), 0.4, 1, 0.0, 2.0) == pytest.approx(1.1, abs=STEP_M + 1e-9)


@pytest.mark.parametrize("place", [(1.0, 0.5), (-1.0, 0.0), (5.0, 0.0)])
def test_what_is_beside_behind_or_far_is_not_in_the_way(place: tuple[float, float]) -> None:
    assert free_distance(points(place), 0.4, 1, 0.0, 2.0) == 2.0


def test_a_curve_leads_past_and_into_things() -> None:
    beside = points((1.0, 1.0))
    assert free_distance(beside, 0.3, 1, 0.0, 2.0) == 2.0
    assert free_distance(beside, 0.3, 1, 1.0, 2.0) < math.pi / 2
    assert free_distance(points((0.0, 2.0)), 0.3, 1, 1.0, 4.0) < math.pi


def test_a_point_within_the_margin_blocks_only_what_comes_nearer() -> None:
    touching = points((0.3, 0.0))
    assert free_distance(touching, 0.4, 1, 0.0, 2.0) == 0.0
    assert free_distance(touching, 0.4, -1, 0.0, 2.0) == 2.0


def test_nothing_is_in_the_way_of_nothing() -> None:
    assert free_distance(points(), 0.4, 1, 0.3, 2.0) == 2.0


@given(st.floats(-3, 3), st.floats(0.01, 3))
def test_an_arc_has_the_length_it_is_driven(curvature: float, length: float) -> None:
    lengths = np.linspace(0, length, 400)
    places = arc(curvature, lengths)
    driven = np.hypot(*np.diff(places, axis=0).T).sum()
    assert driven == pytest.approx(length, rel=1e-3)


@given(st.floats(0, 10), st.floats(0.2, 3), st.floats(0.05, 2))
def test_the_stopping_speed_stops_within_the_distance(distance: float, deceleration: float, reaction_s: float) -> None:
    speed = stopping_speed(distance, deceleration, reaction_s)
    assert speed >= 0
    assert speed * reaction_s + speed**2 / (2 * deceleration) == pytest.approx(distance, abs=1e-9)
