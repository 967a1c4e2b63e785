"""The simulator as a process: real topics, real files, real stand-ins."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("inspection_interfaces")

from geometry_msgs.msg import Twist
from nav2_msgs.action import NavigateToPose
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, LaserScan
from std_msgs.msg import Int16MultiArray, String
from tf2_msgs.msg import TFMessage

from inspection_sim.scoring import score_run
from tests.ros.graph import Graph

pytestmark = pytest.mark.ros

SENSOR = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ABORTED, SUCCEEDED = 6, 4


class Running:
    """A simulator process in the test's domain."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        self.folder = folder
        command = [
            sys.executable,
            "-m",
            "inspection_sim.ros.simulator",
            "--output",
            str(folder),
            "--robot-name",
            "sim_test",
        ]
        self.process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), line
        self.ready = json.loads(line.removeprefix("ready "))

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def running(tmp_path: Path, ros_environment: dict[str, str]) -> Iterator[Running]:
    simulator = Running(tmp_path, ros_environment, "--scenario", "quiet_hall", "--rgb", "off", "--duration", "600")
    yield simulator
    if simulator.process.poll() is None:
        simulator.end()


def test_a_robot_meets_sensors_drives_to_a_goal_and_leaves_a_run_that_can_be_scored(
    running: Running, ros_graph: Graph
) -> None:
    graph = ros_graph

    def record(kind: Any, topic: str, profile: Any) -> list[Any]:
        return graph.record(kind, topic if topic.startswith("/") else f"/sim_test/{topic}", profile)

    clock, scans = record(Clock, "/clock", SENSOR), record(LaserScan, "scan", SENSOR)
    pictures, odometry = record(Image, "thermal/image_raw", SENSOR), record(Odometry, "odom", SENSOR)
    grids, sound = record(OccupancyGrid, "map", LATCHED), record(Int16MultiArray, "microphone/audio", 10)
    frames, urdf = record(TFMessage, "tf_static", LATCHED), record(String, "robot_description", LATCHED)
    graph.spin_until(
        lambda: scans and pictures and odometry and grids and sound and frames and urdf and len(clock) > 20
    )

    times = [message.clock.sec + message.clock.nanosec * 1e-9 for message in clock]
    assert times == sorted(times)
    assert len(scans[0].ranges) == 360 and np.isfinite(scans[0].ranges).mean() > 0.8
    celsius = np.frombuffer(pictures[0].data, dtype="<u2").reshape(120, 160) / 100 - 273.15
    assert 15 < np.median(celsius) < 30
    assert pictures[0].encoding == "mono16" and pictures[0].header.frame_id == "thermal_optical_frame"
    assert len(sound[0].data) == 1600 and sound[0].layout.dim[0].label == "16000"
    assert {"lidar_link", "thermal_optical_frame", "odor_link"} <= {t.child_frame_id for t in frames[0].transforms}
    assert "thermal_reference_link" in urdf[0].data
    assert sum(cell == 100 for cell in grids[0].data) > 1000

    # The drive node's place: what the navigator asks for goes to the base.
    velocity = graph.probe.create_publisher(Twist, "/sim_test/cmd_vel", 1)
    graph.probe.create_subscription(Twist, "/sim_test/cmd_vel_nav", velocity.publish, 1)
    client = ActionClient(graph.probe, NavigateToPose, "/sim_test/navigate_to_pose")
    graph.spin_until(client.server_is_ready)

    def go(x: float, y: float) -> Any:
        goal = NavigateToPose.Goal()
        goal.pose.header.frame_id = "map"
        goal.pose.pose.position.x, goal.pose.pose.position.y, goal.pose.pose.orientation.w = x, y, 1.0
        handles: list[Any] = []

        def accepted() -> bool:
            """Like Nav2, the stand-in refuses goals until it has a map and knows where it is."""
            sending = client.send_goal_async(goal)
            graph.spin_until(sending.done)
            handles.append(sending.result())
            return bool(handles[-1].accepted)

        graph.spin_until(accepted)
        answer = handles[-1].get_result_async()
        graph.spin_until(answer.done, patience_s=120)
        return answer.result()

    refused = go(300.0, 0.0)
    assert (refused.status, refused.result.error_code) == (ABORTED, 204)
    arrived = go(-16.0, 2.0)
    assert (arrived.status, arrived.result.error_code) == (SUCCEEDED, 0)

    assert running.end() == 0
    result = score_run(running.folder)
    assert result.driven_m == pytest.approx(2.1, abs=0.5)
    assert result.contacts == 0
    client.destroy()


def test_a_scenario_that_does_not_exist_is_one_line_and_status_two(
    tmp_path: Path, ros_environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inspection_sim.ros.simulator", "--scenario", "moon", "--output", str(tmp_path)],
        capture_output=True, text=True, env=ros_environment,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [done.stderr.strip()]
    assert "no such scenario" in done.stderr
