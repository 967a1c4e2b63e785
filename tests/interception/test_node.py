from __future__ import annotations

import array
import math
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros


class Scene:
    """A robot at the origin, people around it, and an officer."""

    def __init__(self, graph: Any) -> None:
        from geometry_msgs.msg import Twist
        from inspection_interfaces.msg import Detection, DriveState, Incident, PersonArray
        from tf2_msgs.msg import TFMessage

        from inspection_robot.ros import qos
        from inspection_robot.ros.frames import DYNAMIC_QOS

        self.graph = graph
        self.robot = [0.0, 0.0, 0.0]
        self.people: dict[str, tuple[float, float]] = {}
        self.aliases: dict[str, list[str]] = {}
        self.incidents = graph.record(Incident, "incidents", qos.ALARM)
        self.velocities = graph.record(Twist, "cmd_vel_intercept", qos.COMMAND)
        self._people = graph.probe.create_publisher(PersonArray, "people", qos.EVENT)
        self._tf = graph.probe.create_publisher(TFMessage, "/tf", DYNAMIC_QOS)
        self._drive = graph.probe.create_publisher(DriveState, "drive/state", qos.STATE)
        self.detections = graph.probe.create_publisher(Detection, "detections", qos.ALARM)
        self._used = 0

    def publish(self) -> None:
        """Where everybody is now; the robot moves as it was last told."""
        from geometry_msgs.msg import TransformStamped
        from inspection_interfaces.msg import Person, PersonArray
        from tf2_msgs.msg import TFMessage

        for velocity in self.velocities[self._used :]:
            x, y, heading = self.robot
            heading += velocity.angular.z * 0.1
            step = velocity.linear.x * 0.1
            self.robot = [x + step * math.cos(heading), y + step * math.sin(heading), heading]
        self._used = len(self.velocities)
        now = self.graph.probe.get_clock().now().to_msg()
        transform = TransformStamped(child_frame_id="base_link")
        transform.header.stamp, transform.header.frame_id = now, "map"
        transform.transform.translation.x, transform.transform.translation.y = self.robot[:2]
        transform.transform.rotation.z = math.sin(self.robot[2] / 2)
        transform.transform.rotation.w = math.cos(self.robot[2] / 2)
        self._tf.publish(TFMessage(transforms=[transform]))
        message = PersonArray()
        message.header.stamp, message.header.frame_id = now, "map"
        for name, (x, y) in self.people.items():
            person = Person(track=name, existence=0.99, last_seen=now, aliases=self.aliases.get(name, []))
            person.pose.pose.position.x, person.pose.pose.position.y = x, y
            person.pose.covariance = (np.eye(6) * 0.01).ravel()
            message.people.append(person)
        self._people.publish(message)

    def until(self, condition: Any) -> None:
        """Let the world go on until the condition holds."""

        def step() -> bool:
            self.publish()
            return bool(condition())

        self.graph.spin_until(step)

    def detect(self, kind: str, subject: str, severity: int = 3, stamp_s: float | None = None) -> None:
        from inspection_interfaces.msg import Detection
        from unique_identifier_msgs.msg import UUID

        message = Detection(kind=kind, subject=subject, severity=severity, confidence=0.9, value=math.nan)
        message.uuid = UUID(uuid=np.frombuffer(uuid.uuid4().bytes, np.uint8))
        message.header.stamp = self.graph.probe.get_clock().now().to_msg()
        if stamp_s is not None:
            message.header.stamp.sec = int(stamp_s)
        self.detections.publish(message)

    def state(self) -> str:
        return self.incidents[-1].state if self.incidents else ""

    def decide(self, decision: int, officer: str = "officer 7", reason: str = "checked") -> Any:
        from inspection_interfaces.srv import DecideIncident

        request = DecideIncident.Request(decision=decision, officer=officer, reason=reason)
        request.incident = self.incidents[-1].uuid
        return self.graph.call(DecideIncident, "decide_incident", request)

    def emergency_stop(self) -> None:
        from inspection_interfaces.msg import DriveState

        self._drive.publish(DriveState(emergency_stop=True))


@pytest.fixture
def scene(ros_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path))
    from inspection_robot.interception.node import InterceptionNode

    scene = Scene(ros_graph)
    ros_graph.activate(ros_graph.make(InterceptionNode))
    ros_graph.spin_until(lambda: scene.detections.get_subscription_count() > 0)
    return scene


def opened(scene: Scene, kind: str = "thermal.fever") -> None:
    scene.people = {"t1": (4.0, 1.0), "t2": (-4.0, 3.0)}
    scene.aliases = {"t1": ["thermal/3"]}
    for _ in range(5):
        scene.publish()
        scene.graph.executor.spin_once(timeout_sec=0.05)
    scene.detect(kind, "thermal/3")
    scene.until(lambda: scene.state() == "awaiting_officer")


def test_an_alarm_becomes_an_incident_of_the_track_and_after_approval_the_robot_comes_up(scene: Scene) -> None:
    opened(scene)
    incident = scene.incidents[-1]
    assert (incident.subject, incident.grade, incident.kind) == ("t1", "B", "thermal.fever")
    assert scene.velocities == []
    assert scene.decide(0).state == "approved"
    scene.until(lambda: scene.state() == "contact")
    distance = math.dist(scene.robot[:2], scene.people["t1"])
    assert 0.8 <= distance <= 1.7
    assert scene.decide(2).accepted
    scene.until(lambda: scene.state() == "handed_over")
    path = [(step.from_state, step.to_state) for step in scene.incidents[-1].history]
    assert ("awaiting_officer", "approved") in path and ("approaching", "contact") in path
    assert [step.actor for step in scene.incidents[-1].history if step.to_state == "approved"] == ["officer 7"]


def test_without_a_decision_the_robot_never_moves(scene: Scene) -> None:
    opened(scene)
    count = iter(range(60))
    scene.until(lambda: next(count) > 40)
    assert scene.velocities == []
    assert scene.state() == "awaiting_officer"


def test_a_smell_alone_cannot_be_approved(scene: Scene) -> None:
    opened(scene, "odor.meat")
    answer = scene.decide(0)
    assert not answer.accepted
    assert (answer.state, answer.message) == ("awaiting_officer", "refused.grade_too_low")


def test_a_decision_without_officer_reason_or_incident_is_refused(scene: Scene) -> None:
    from inspection_interfaces.srv import DecideIncident

    opened(scene)
    assert scene.decide(0, officer=" ").message == "refused.officer_missing"
    assert scene.decide(1, reason="").message == "refused.reason_missing"
    unknown = scene.graph.call(DecideIncident, "decide_incident", DecideIncident.Request(officer="officer 7"))
    assert unknown.message == "refused.unknown_incident"


def test_an_emergency_stop_ends_the_approach_and_keeps_the_incident(scene: Scene) -> None:
    opened(scene)
    scene.decide(0)
    scene.until(lambda: scene.state() == "approaching" and scene.velocities)
    scene.emergency_stop()
    scene.until(lambda: scene.state() == "awaiting_officer")
    scene.until(lambda: (scene.velocities[-1].linear.x, scene.velocities[-1].angular.z) == (0.0, 0.0))
    count = len(scene.velocities)
    ticks = iter(range(30))
    scene.until(lambda: next(ticks) > 20)
    assert len(scene.velocities) == count


def test_a_person_who_vanishes_ends_the_approach_as_lost(scene: Scene) -> None:
    opened(scene)
    scene.decide(0)
    scene.until(lambda: scene.state() == "approaching")
    scene.people = {}
    scene.until(lambda: scene.state() == "lost")


def test_an_officer_in_rviz_dismisses_by_the_markers_menu(scene: Scene) -> None:
    from rclpy.qos import QoSProfile
    from visualization_msgs.msg import InteractiveMarkerFeedback
    from visualization_msgs.srv import GetInteractiveMarkers

    opened(scene)
    name = str(uuid.UUID(bytes=bytes(scene.incidents[-1].uuid.uuid)))
    found: list[Any] = []

    def shown() -> bool:
        service = "incidents/menu/get_interactive_markers"
        found[:] = scene.graph.call(GetInteractiveMarkers, service, GetInteractiveMarkers.Request()).markers
        return bool(found)

    scene.until(shown)
    assert [marker.name for marker in found] == [name]
    assert found[0].menu_entries[0].title == "Approve the approach"
    feedback = scene.graph.probe.create_publisher(
        InteractiveMarkerFeedback, "incidents/menu/feedback", QoSProfile(depth=10)
    )
    scene.graph.spin_until(lambda: feedback.get_subscription_count() > 0)
    kind = InteractiveMarkerFeedback.MENU_SELECT
    feedback.publish(InteractiveMarkerFeedback(marker_name=name, event_type=kind, menu_entry_id=2))
    scene.until(lambda: scene.state() == "dismissed")


def test_a_finding_from_the_wrong_time_is_refused_and_the_next_one_counts(scene: Scene) -> None:
    scene.people = {"t1": (4.0, 1.0)}
    scene.detect("thermal.fever", "t1", stamp_s=5.0)
    scene.detect("radiation.rise", "t1")
    scene.until(lambda: scene.incidents)
    assert {incident.kind for incident in scene.incidents} == {"radiation.rise"}


def test_the_intercept_action_refuses_what_is_not_approved(scene: Scene) -> None:
    from inspection_interfaces.action import Intercept
    from rclpy.action import ActionClient

    opened(scene)
    client = ActionClient(scene.graph.probe, Intercept, "intercept")
    scene.graph.spin_until(client.server_is_ready)
    future = client.send_goal_async(Intercept.Goal(incident=scene.incidents[-1].uuid))
    scene.graph.spin_until(future.done)
    result = future.result().get_result_async()
    scene.graph.spin_until(result.done)
    assert result.result().result.message == "refused.not_approved"
    client.destroy()


def test_an_order_of_the_center_is_walked_and_its_pictures_are_evidence(scene: Scene) -> None:
    from inspection_interfaces.msg import Order, OrderProgress, OrderStep
    from sensor_msgs.msg import Image

    from inspection_robot.ros import qos

    progress = scene.graph.record(OrderProgress, "order_progress", qos.ALARM)
    orders = scene.graph.probe.create_publisher(Order, "orders", qos.ALARM)
    camera = scene.graph.probe.create_publisher(Image, "camera/image_raw", qos.SENSOR)
    picture = Image(height=4, width=6, encoding="rgb8", step=18)
    picture.data = array.array("B", bytes(72))
    order = Order(order_id="o1", revision=1, kind="inspection")
    order.steps = [
        OrderStep(id="1", kind="go_to", required=True),
        OrderStep(id="2", kind="seal", required=True),
        OrderStep(id="3", kind="photo", required=True),
    ]
    scene.graph.spin_until(lambda: camera.get_subscription_count() > 0)
    seen = iter(range(10_000))

    def step() -> bool:
        camera.publish(picture)
        if next(seen) % 20 == 5:
            orders.publish(order)
        return bool(progress) and progress[-1].state == "done"

    scene.graph.spin_until(step)
    assert [step.state for step in progress[-1].steps] == ["done", "skipped", "done"]
    assert progress[-1].steps[2].evidence[0].media_type == "image/png"
    assert {message.order_id for message in progress} == {"o1"}


def test_an_order_with_a_step_nobody_knows_fails_with_a_reason(scene: Scene) -> None:
    from inspection_interfaces.msg import Order, OrderProgress, OrderStep

    from inspection_robot.ros import qos

    progress = scene.graph.record(OrderProgress, "order_progress", qos.ALARM)
    orders = scene.graph.probe.create_publisher(Order, "orders", qos.ALARM)
    order = Order(order_id="o2", kind="inspection", steps=[OrderStep(id="1", kind="dance")])

    def step() -> bool:
        orders.publish(order)
        return bool(progress)

    scene.graph.spin_until(step)
    assert progress[-1].state == "failed"
    assert "dance" in progress[-1].reason
