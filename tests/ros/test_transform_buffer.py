from __future__ import annotations

import math

import numpy as np
import pytest

from inspection_robot.ros.transform_buffer import (
    NS,
    NotConnectedError,
    OutsideTimeError,
    TransformBuffer,
    UnknownFrameError,
)
from inspection_robot.ros.transforms import IDENTITY, planar


@pytest.fixture
def buffer() -> TransformBuffer:
    """map → odom (1 and 3 s), odom → base_link (1, 2 and 4 s), base_link → camera (static)."""
    made = TransformBuffer()
    made.insert("map", "odom", 1 * NS, planar(10, 0, 0))
    made.insert("map", "odom", 3 * NS, planar(12, 0, 0))
    made.insert("odom", "base_link", 1 * NS, planar(0, 0, 0))
    made.insert("odom", "base_link", 2 * NS, planar(1, 0, 0))
    made.insert("odom", "base_link", 4 * NS, planar(3, 0, math.pi / 2))
    made.insert("base_link", "camera", 0, planar(0.5, 0, 0), static=True)
    return made


def test_a_lookup_takes_points_of_the_source_into_the_target(buffer: TransformBuffer) -> None:
    point = buffer.lookup("map", "camera", 2 * NS).apply(np.array([1.0, 0, 0]))
    np.testing.assert_allclose(point, [11 + 1 + 0.5 + 1, 0, 0])
    back = buffer.lookup("camera", "map", 2 * NS).apply(point)
    np.testing.assert_allclose(back, [1, 0, 0], atol=1e-12)


def test_without_a_time_the_latest_common_one_is_taken(buffer: TransformBuffer) -> None:
    assert buffer.latest_common_ns("map", "camera") == 3 * NS
    found = buffer.lookup("map", "base_link")
    np.testing.assert_allclose(found.translation, [12 + 2, 0, 0])
    assert math.isclose(found.yaw, math.pi / 4)


def test_static_frames_hold_at_any_time(buffer: TransformBuffer) -> None:
    np.testing.assert_allclose(buffer.lookup("base_link", "camera", 99 * NS).translation, [0.5, 0, 0])
    assert buffer.latest_common_ns("base_link", "camera") == 0


def test_siblings_meet_at_their_common_ancestor(buffer: TransformBuffer) -> None:
    buffer.insert("base_link", "lidar", 0, planar(0, 0.2, 0), static=True)
    np.testing.assert_allclose(buffer.lookup("lidar", "camera").translation, [0.5, -0.2, 0])


def test_times_outside_are_refused_and_say_whether_waiting_helps(buffer: TransformBuffer) -> None:
    with pytest.raises(OutsideTimeError, match=r"map → odom: asked for 0\.500 s after the newest") as newer:
        buffer.lookup("map", "camera", int(3.5 * NS))
    assert newer.value.later
    with pytest.raises(OutsideTimeError, match="before the oldest") as older:
        buffer.lookup("map", "camera", NS // 2)
    assert not older.value.later


def test_unknown_and_unconnected_frames_are_named(buffer: TransformBuffer) -> None:
    with pytest.raises(UnknownFrameError, match="'gripper'"):
        buffer.lookup("map", "gripper")
    buffer.insert("world", "gate", 0, IDENTITY, static=True)
    with pytest.raises(NotConnectedError, match="'map' and 'gate'"):
        buffer.lookup("map", "gate")


def test_a_frame_is_itself_even_before_anything_is_published() -> None:
    assert TransformBuffer().lookup("map", "map") is not None
    np.testing.assert_allclose(TransformBuffer().lookup("map", "map").translation, [0, 0, 0])


def test_circles_and_empty_names_are_refused(buffer: TransformBuffer) -> None:
    for parent, child in (("camera", "map"), ("map", "map"), ("", "map"), ("map", "")):
        with pytest.raises(ValueError, match="transform from"):
            buffer.insert(parent, child, NS, IDENTITY)


def test_memory_is_bounded_to_ten_seconds() -> None:
    buffer = TransformBuffer()
    for tick in range(1000):
        buffer.insert("odom", "base_link", tick * NS // 10, planar(tick, 0, 0))
    with pytest.raises(OutsideTimeError):
        buffer.lookup("odom", "base_link", 80 * NS)
    np.testing.assert_allclose(buffer.lookup("odom", "base_link", 95 * NS).translation, [950, 0, 0])


def test_a_new_parent_replaces_the_old_one(buffer: TransformBuffer) -> None:
    buffer.insert("dock", "base_link", 5 * NS, planar(7, 0, 0))
    np.testing.assert_allclose(buffer.lookup("dock", "camera").translation, [7.5, 0, 0])
    with pytest.raises(NotConnectedError):
        buffer.lookup("map", "camera")


def test_cleared_buffers_keep_what_is_static(buffer: TransformBuffer) -> None:
    buffer.clear()
    assert buffer.lookup("base_link", "camera") is not None
    with pytest.raises(UnknownFrameError):
        buffer.lookup("map", "camera")
