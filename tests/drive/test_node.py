from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros


@pytest.fixture
def drive(ros_graph: Any, tmp_path: Path) -> Any:
    from inspection_robot.drive.node import DriveNode

    node = ros_graph.make(DriveNode, overrides={"emergency_stop_file": str(tmp_path / "stop.json"), "rate_hz": 50.0})
    ros_graph.activate(node)
    return node


class World:
    """Sensors around the robot; publishes what the drive node needs at every tick."""

    def __init__(self, graph: Any) -> None:
        from geometry_msgs.msg import TransformStamped, Twist
        from inspection_interfaces.msg import DriveState, Person, PersonArray
        from nav_msgs.msg import Odometry
        from sensor_msgs.msg import LaserScan
        from tf2_msgs.msg import TFMessage

        from inspection_robot.ros import qos
        from inspection_robot.ros.frames import STATIC_QOS

        self.graph, self.node = graph, graph.probe
        node = self.node
        self.wall_m = 30.0
        self.person_m = 30.0
        self.scanning = True
        self.wanted = {"nav": Twist()}
        self.scan_message = LaserScan(
            angle_min=-math.pi / 2, angle_increment=math.pi / 180, range_min=0.05, range_max=25.0
        )
        self.scan_message.header.frame_id = "lidar"
        self.types = (Odometry, Person, PersonArray)
        self.scan = node.create_publisher(LaserScan, "scan", qos.SENSOR)
        self.odometry = node.create_publisher(Odometry, "odom", qos.SENSOR)
        self.people = node.create_publisher(PersonArray, "people", qos.EVENT)
        self.commands = {
            name: node.create_publisher(Twist, f"cmd_vel_{name}", qos.COMMAND)
            for name in ("teleop", "intercept", "nav")
        }
        frames = node.create_publisher(TFMessage, "/tf_static", STATIC_QOS)
        transforms = []
        for parent, child, x in (("map", "base_link", 0.0), ("base_link", "lidar", 0.2)):
            transform = TransformStamped(child_frame_id=child)
            transform.header.frame_id = parent
            transform.transform.translation.x = x
            transform.transform.rotation.w = 1.0
            transforms.append(transform)
        frames.publish(TFMessage(transforms=transforms))
        self.states = graph.record(DriveState, "drive/state", qos.STATE)
        self.velocities = graph.record(Twist, "cmd_vel", qos.COMMAND)
        node.create_timer(0.05, self.tick)

    def tick(self) -> None:
        odometry, person_type, people_type = self.types
        now = self.node.get_clock().now().to_msg()
        odometer = odometry()
        odometer.header.stamp = now
        self.odometry.publish(odometer)
        if self.scanning:
            self.scan_message.header.stamp = now
            self.scan_message.ranges = [self.wall_m] * 181
            self.scan.publish(self.scan_message)
        people = people_type()
        people.header.frame_id, people.header.stamp = "map", now
        person = person_type(existence=1.0)
        person.pose.pose.position.x = self.person_m
        people.people = [person]
        self.people.publish(people)
        for name, message in self.wanted.items():
            self.commands[name].publish(message)

    def until(self, speed: float, reason: str | None = None) -> None:
        """Wait until that speed is driven (for that reason)."""
        self.graph.spin_until(
            lambda: self.velocities and abs(self.velocities[-1].linear.x - speed) < 0.02
            and (reason is None or (self.states and self.states[-1].reason == reason))
        )  # fmt: skip


def forward(speed: float) -> Any:
    from geometry_msgs.msg import Twist

    message = Twist()
    message.linear.x = speed
    return message


def test_the_robot_drives_and_the_scan_stops_it(ros_graph: Any, drive: Any) -> None:
    world = World(ros_graph)
    world.wanted["nav"] = forward(0.5)
    world.until(0.5, "")
    assert world.states[-1].source == "nav"
    world.wall_m = 0.2  # 0.4 m from the centre
    world.until(0.0, "obstacle")
    world.wall_m = 30.0
    world.until(0.5, "")
    world.scanning = False
    world.until(0.0, "scan_lost")
    assert world.states[-1].protective_stop


def test_people_slow_it_down_and_teleoperation_takes_over(ros_graph: Any, drive: Any) -> None:
    world = World(ros_graph)
    world.wanted["nav"] = forward(0.8)
    world.person_m = 2.5
    ros_graph.spin_until(lambda: world.states and world.states[-1].reason in ("person_near", "person_ahead"))
    assert world.states[-1].nearest_person_m == pytest.approx(2.5 - 0.55, abs=0.01)
    ros_graph.spin_until(lambda: world.velocities[-1].linear.x > 0.0)
    assert world.states[-1].speed_limit < 0.8
    world.wanted["teleop"] = forward(-0.2)
    world.until(-0.2)
    ros_graph.spin_until(lambda: world.states[-1].source == "teleop")


def test_the_emergency_stop_holds_over_a_restart_until_released(ros_graph: Any, drive: Any, tmp_path: Path) -> None:
    from inspection_interfaces.srv import EmergencyStop

    from inspection_robot.drive.node import DriveNode

    world = World(ros_graph)
    world.wanted["nav"] = forward(0.5)
    world.until(0.5)
    stopped = ros_graph.call(EmergencyStop, "emergency_stop", EmergencyStop.Request(stop=True, actor="o", reason="r"))
    assert stopped.stopped
    world.until(0.0, "emergency_stop")
    drive.trigger_shutdown()
    ros_graph.nodes.remove(drive)
    ros_graph.executor.remove_node(drive)
    drive.destroy_node()
    again = ros_graph.make(DriveNode, overrides={"emergency_stop_file": str(tmp_path / "stop.json")})
    ros_graph.activate(again)
    world.states.clear()
    world.until(0.0, "emergency_stop")
    refused = ros_graph.call(EmergencyStop, "emergency_stop", EmergencyStop.Request(stop=False))
    assert "needs the name" in refused.message
    world.states.clear()
    world.until(0.0, "emergency_stop")
    released = ros_graph.call(EmergencyStop, "emergency_stop", EmergencyStop.Request(stop=False, actor="officer 7"))
    assert not released.stopped
    world.until(0.5)


def test_deactivating_leaves_the_base_standing(ros_graph: Any, drive: Any) -> None:
    world = World(ros_graph)
    world.wanted["nav"] = forward(0.5)
    world.until(0.5)
    drive.trigger_deactivate()
    world.until(0.0)
