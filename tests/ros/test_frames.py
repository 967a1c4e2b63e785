from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros


@pytest.fixture
def frames(ros_graph: Any) -> Any:
    """Frames of a node that listens, and a node that broadcasts."""
    from rclpy.node import Node

    from inspection_robot.ros.frames import Frames

    listener = ros_graph.add(Node("listener", context=ros_graph.context))
    return Frames(listener), Frames(ros_graph.probe)


def stamp(seconds: int) -> Any:
    from builtin_interfaces.msg import Time

    return Time(sec=seconds)


def known(frames: Any, *names: str) -> bool:
    from inspection_robot.ros.frames import TransformError

    try:
        frames.lookup(*names)
    except TransformError:
        return False
    return True


def test_what_one_node_broadcasts_another_looks_up(ros_graph: Any, frames: Any) -> None:
    from inspection_robot.ros.transforms import planar

    listener, broadcaster = frames
    broadcaster.broadcast_static("base_link", "camera", planar(0.5, 0, 0))
    broadcaster.broadcast_static("base_link", "lidar", planar(0.2, 0, 0))
    ros_graph.spin_until(lambda: known(listener, "lidar", "camera"))
    np.testing.assert_allclose(listener.lookup("lidar", "camera").translation, [0.3, 0, 0])
    ros_graph.spin_until(lambda: ros_graph.probe.count_subscribers("/tf") >= 2)
    for seconds in (10, 12):
        broadcaster.broadcast("odom", "base_link", stamp(seconds), planar(seconds, 0, 0))
    ros_graph.spin_until(
        lambda: known(listener, "odom", "camera") and listener.lookup("odom", "camera").translation[0] > 12
    )
    np.testing.assert_allclose(listener.lookup("odom", "camera", stamp(11)).translation, [11.5, 0, 0])


def test_data_may_wait_for_its_transform_without_blocking_anybody(ros_graph: Any, frames: Any) -> None:
    from inspection_robot.ros.frames import TransformError
    from inspection_robot.ros.transforms import Transform, planar

    listener, broadcaster = frames
    came: list[Transform] = []
    failed: list[TransformError] = []
    listener.when_available("odom", "base_link", stamp(5), came.append, failed.append, timeout_s=20.0)
    assert not came and not failed
    ros_graph.spin_until(lambda: ros_graph.probe.count_subscribers("/tf") >= 2)
    broadcaster.broadcast("odom", "base_link", stamp(5), planar(1, 2, 0))
    ros_graph.spin_until(lambda: came)
    np.testing.assert_allclose(came[0].translation, [1, 2, 0])
    listener.when_available("odom", "base_link", stamp(99), came.append, failed.append, timeout_s=0.1)
    ros_graph.spin_until(lambda: failed)
    assert "after the newest" in str(failed[0])
    listener.when_available("odom", "base_link", stamp(1), came.append, failed.append, timeout_s=20.0)
    assert "before the oldest" in str(failed[1]), "waiting cannot help: told at once"
