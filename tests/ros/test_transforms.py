from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.ros.transforms import (
    IDENTITY,
    Transform,
    angle_between,
    from_yaw,
    interpolate,
    planar,
    yaw_of,
)

metres = st.floats(-100, 100)
units = st.floats(-1, 1)


@st.composite
def transforms(draw: st.DrawFn) -> Transform:
    rotation = np.array([draw(units) for _ in range(4)])
    if np.linalg.norm(rotation) < 0.1:
        rotation = np.array([0.0, 0.0, 0.0, 1.0])
    return Transform.make([draw(metres) for _ in range(3)], rotation)


def assert_same(first: Transform, second: Transform) -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(first.apply(points), second.apply(points), atol=1e-6)


@given(transforms())
def test_a_transform_and_its_inverse_cancel(transform: Transform) -> None:
    assert_same(transform.compose(transform.inverse()), IDENTITY)
    assert_same(transform.inverse().compose(transform), IDENTITY)


@given(transforms(), transforms(), transforms())
def test_composition_is_associative_and_applies_inner_first(a: Transform, b: Transform, c: Transform) -> None:
    assert_same(a.compose(b).compose(c), a.compose(b.compose(c)))
    point = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(a.compose(b).apply(point), a.apply(b.apply(point)), atol=1e-6)


@given(transforms())
def test_the_matrix_is_the_rotation(transform: Transform) -> None:
    matrix = transform.matrix()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert math.isclose(float(np.linalg.det(matrix)), 1.0, abs_tol=1e-9)
    point = np.array([0.3, -2.0, 1.0])
    np.testing.assert_allclose(matrix @ point + transform.translation, transform.apply(point), atol=1e-9)


@given(st.floats(-math.pi, math.pi))
def test_yaw_goes_in_and_out(yaw: float) -> None:
    assert abs(angle_between(yaw_of(from_yaw(yaw)), yaw)) < 1e-9


def test_x_forward_turns_left_to_y() -> None:
    np.testing.assert_allclose(planar(1, 2, math.pi / 2).apply(np.array([1.0, 0, 0])), [1, 3, 0], atol=1e-12)


@given(transforms(), transforms(), st.floats(0, 1))
def test_interpolation_stays_between(first: Transform, second: Transform, ratio: float) -> None:
    middle = interpolate(first, second, ratio)
    assert math.isclose(float(np.linalg.norm(middle.rotation)), 1.0, abs_tol=1e-9)
    whole = np.linalg.norm(second.translation - first.translation)
    assert np.linalg.norm(middle.translation - first.translation) <= whole + 1e-6
    assert_same(interpolate(first, second, 0.0), first)
    assert_same(interpolate(first, second, 1.0), second)


def test_interpolation_takes_the_short_way_round() -> None:
    middle = interpolate(planar(0, 0, math.radians(170)), planar(0, 0, math.radians(-170)), 0.5)
    assert abs(abs(middle.yaw) - math.pi) < 1e-9


def test_a_covariance_turns_with_the_frame() -> None:
    forward = np.diag([4.0, 1.0, 0, 0, 0, 0.1])
    turned = planar(5, 5, math.pi / 2).covariance(forward)
    np.testing.assert_allclose(np.diag(turned), [1.0, 4.0, 0, 0, 0, 0.1], atol=1e-12)


@pytest.mark.parametrize("rotation", [(0, 0, 0, 0), (math.nan, 0, 0, 1)])
def test_an_unset_quaternion_is_refused(rotation: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="transform"):
        Transform.make((0, 0, 0), rotation)
