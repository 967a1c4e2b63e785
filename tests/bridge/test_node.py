"""The bridge node between a real ROS graph and a real center."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: ./robot shell -- pytest …")
pytest.importorskip("inspection_interfaces", reason="ros2_ws is not built: ./robot shell -- pytest …")

from inspection_interfaces.msg import Announcement, BridgeStatus, Detection, Fault, Incident, Order, WatchlistStatus
from inspection_interfaces.srv import DecideIncident
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import Image
from sqlalchemy import select
from tf2_msgs.msg import TFMessage
from unique_identifier_msgs.msg import UUID

from inspection_center import orders, watchlist
from inspection_center.auth import accounts
from inspection_center.auth.permissions import Principal
from inspection_center.commands.issuing import issue
from inspection_center.database import queries, schema
from inspection_center.plan.layers import shown_layers
from inspection_contract.client import CenterClient
from inspection_contract.commands import Decision, IncidentDecision, SpeechPriority
from inspection_robot.bridge import conversion
from inspection_robot.bridge.credentials import enrol
from inspection_robot.bridge.node import BridgeNode
from inspection_robot.ros import qos
from inspection_robot.ros.frames import DYNAMIC_QOS, to_message
from inspection_robot.ros.transforms import Transform
from tests.center.running import RunningCenter

pytestmark = pytest.mark.ros
OFFICER = Principal("officer", "li", "supervisor")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCenter]:
    with RunningCenter(tmp_path / "center") as center:
        yield center


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path / "robot"))
    return tmp_path / "robot"


def make(graph: Any) -> Any:
    node = graph.make(BridgeNode, overrides={"status_interval_s": 0.2, "retry_maximum_s": 0.5})
    graph.activate(node)
    return node


def enrol_robot(running: RunningCenter, folder: Path) -> None:
    code = running.center.writer.run(lambda transaction: accounts.new_enrolment(transaction, "test", "robot_1"))
    enrol(running.url, code, folder / "bridge" / "credentials.json")


def finding(**changes: Any) -> Any:
    fields = {"kind": "thermal.fever", "severity": 3, "confidence": 0.9, "value": 38.5, "unit": "Cel"}
    return Detection(
        uuid=UUID(uuid=list(uuid.uuid4().bytes)), standard_uncertainty=float("nan"), **{**fields, **changes}
    )


def stored(running: RunningCenter) -> list[str]:
    with running.center.engine.connect() as connection:
        return [
            row[0] for row in connection.execute(select(schema.detection.c.uuid).order_by(schema.detection.c.number))
        ]


def command_states(running: RunningCenter) -> list[str]:
    with running.center.engine.connect() as connection:
        return [row[0] for row in connection.execute(select(schema.command.c.state).order_by(schema.command.c.number))]


def identity(message: Any) -> str:
    return str(uuid.UUID(bytes=bytes(bytearray(message.uuid.uuid))))


def test_findings_before_enrolment_arrive_after_it_once_and_in_order(
    ros_graph: Any, running: RunningCenter, folder: Path
) -> None:
    make(ros_graph)
    publisher = ros_graph.probe.create_publisher(Detection, "detections", qos.ALARM)
    states = ros_graph.record(BridgeStatus, "bridge/status", qos.STATE)
    sent = [finding() for _ in range(20)]
    for message in (*sent, *sent[:5]):
        publisher.publish(message)
    ros_graph.spin_until(lambda: states and states[-1].outbox_findings == 20)
    assert not states[-1].connected
    enrol_robot(running, folder)
    ros_graph.spin_until(lambda: len(stored(running)) == 20)
    assert stored(running) == [identity(message) for message in sent]
    ros_graph.spin_until(lambda: states[-1].connected and states[-1].outbox_findings == 0)


def test_a_bridge_that_comes_back_gets_what_was_published_meanwhile(
    ros_graph: Any, running: RunningCenter, folder: Path
) -> None:
    enrol_robot(running, folder)
    publisher = ros_graph.probe.create_publisher(Detection, "detections", qos.ALARM)
    first = make(ros_graph)
    sent = [finding() for _ in range(3)]
    publisher.publish(sent[0])
    ros_graph.spin_until(lambda: len(stored(running)) == 1)
    first.trigger_deactivate()
    first.trigger_cleanup()
    for message in sent[1:]:
        publisher.publish(message)
    ros_graph.activate(first)
    ros_graph.spin_until(lambda: len(stored(running)) == 3)
    assert stored(running) == [identity(message) for message in sent]


def test_a_malformed_finding_is_a_fault_and_costs_the_others_nothing(
    ros_graph: Any, running: RunningCenter, folder: Path
) -> None:
    enrol_robot(running, folder)
    make(ros_graph)
    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    publisher = ros_graph.probe.create_publisher(Detection, "detections", qos.ALARM)
    good = finding()
    for message in (finding(kind="Fever!"), finding(value=float("inf")), good):
        publisher.publish(message)
    ros_graph.spin_until(lambda: stored(running) == [identity(good)])
    ros_graph.spin_until(lambda: "bridge.finding_malformed" in [fault.code for fault in faults])


def test_commands_come_down_are_carried_out_and_acknowledged(
    ros_graph: Any, running: RunningCenter, folder: Path
) -> None:
    enrol_robot(running, folder)
    given = ros_graph.record(Order, "orders", qos.ALARM)
    words = ros_graph.record(Announcement, "announcements", qos.ALARM)
    lists = ros_graph.record(WatchlistStatus, "watchlist/status", qos.STATE)
    decisions: list[Any] = []

    def decide(request: Any, response: Any) -> Any:
        decisions.append(request)
        response.accepted = request.decision != DecideIncident.Request.DISMISS
        response.message = "" if response.accepted else "already handed over"
        return response

    ros_graph.probe.create_service(DecideIncident, "decide_incident", decide)
    node = make(ros_graph)
    ros_graph.spin_until(node._decide.service_is_ready)
    center = running.center
    case = uuid.uuid4()

    def command(transaction: Any) -> None:
        orders.give_order(
            transaction, center.key, OFFICER, "robot_1", "inspection", timedelta(minutes=5), place=(3.0, 4.0)
        )
        orders.announce(transaction, center.key, OFFICER, [], "请注意", "Attention", SpeechPriority.EMERGENCY)
        watchlist.add_entries(
            transaction, center.vault, OFFICER, [{"id": "w1", "kind": "document_number", "identifier": "E1234567"}]
        )
        watchlist.publish(transaction, center.vault, center.key, OFFICER)
        for decision in (Decision.APPROVE, Decision.DISMISS):
            body = IncidentDecision(incident=case, decision=decision, officer="li", reason="seen")
            issue(transaction, center.key, "robot_1", body, "li", timedelta(minutes=1))
        body = IncidentDecision(incident=case, decision=Decision.APPROVE, officer="li")
        issue(transaction, center.key, "robot_1", body, "li", timedelta(microseconds=1))

    center.writer.run(command)
    center.doorbells.ring("robot_1")
    ros_graph.spin_until(lambda: command_states(running)[:5] == ["applied"] * 4 + ["rejected"])
    (order,) = given
    assert (order.kind, len(order.steps), order.place.pose.position.y) == ("inspection", 8, 4.0)
    assert (words[0].text_zh, words[0].priority) == ("请注意", 3)
    assert (lists[-1].version, lists[-1].entries, lists[-1].usable) == ("1", 1, True)
    assert [request.decision for request in decisions] == [0, 1]
    assert uuid.UUID(bytes=bytes(bytearray(decisions[0].incident.uuid))) == case


def test_pictures_go_out_only_while_an_officer_asks_for_them(
    ros_graph: Any, running: RunningCenter, folder: Path
) -> None:
    enrol_robot(running, folder)
    make(ros_graph)
    publisher = ros_graph.probe.create_publisher(Image, "thermal/overlay", qos.SENSOR)
    picture = Image(height=12, width=16, encoding="bgr8", step=48, data=bytes(12 * 48))
    assert publisher.get_subscription_count() == 0
    center = running.center
    center.writer.run(
        lambda transaction: orders.ask_live_view(transaction, center.key, OFFICER, "robot_1", "thermal", True)
    )
    center.doorbells.ring("robot_1")

    def shown() -> bool:
        publisher.publish(picture)
        return center.live.get("robot_1", "thermal") is not None

    ros_graph.spin_until(shown)
    center.writer.run(
        lambda transaction: orders.ask_live_view(transaction, center.key, OFFICER, "robot_1", "thermal", False)
    )
    center.doorbells.ring("robot_1")
    ros_graph.spin_until(lambda: publisher.get_subscription_count() == 0)


def test_the_center_sees_how_the_robot_is(ros_graph: Any, running: RunningCenter, folder: Path) -> None:
    enrol_robot(running, folder)
    make(ros_graph)

    def seen() -> bool:
        with CenterClient(running.url, token) as client:
            answer = client._http.get("/api/v1/robots").json()
        return bool(answer and answer[0]["status"] and not answer[0]["silent"])

    token = running.service_token("officer")
    ros_graph.spin_until(seen)


def test_the_robot_is_told_where_it_is_in_the_map_and_its_map_lies_below(
    ros_graph: Any, running: RunningCenter, folder: Path
) -> None:
    enrol_robot(running, folder)
    make(ros_graph)
    tf = ros_graph.probe.create_publisher(TFMessage, "/tf", DYNAMIC_QOS)
    maps = ros_graph.probe.create_publisher(OccupancyGrid, "map", qos.MAP)
    grid = OccupancyGrid(data=[0] * 600)
    grid.header.frame_id = "map"
    grid.info.width, grid.info.height, grid.info.resolution = 30, 20, 0.5
    grid.info.origin.position.x, grid.info.origin.position.y, grid.info.origin.orientation.w = -7.5, -5.0, 1.0
    maps.publish(grid)

    def pose() -> Any:
        stamp = ros_graph.probe.get_clock().now().to_msg()
        links = (("map", "odom", (1.0, 2.0, 0.0)), ("odom", "base_link", (3.0, 0.0, 0.0)))
        turn = (0.0, 0.0, 0.0, 1.0)
        tf.publish(
            TFMessage(transforms=[to_message(p, c, stamp, Transform.make(place, turn)) for p, c, place in links])
        )
        with running.center.engine.connect() as connection:
            (robot,) = queries.robots(connection)
        return robot["status"] and robot["status"]["pose"]

    ros_graph.spin_until(pose)
    shown = pose()
    assert (shown["frame_id"], shown["position"]["x"], shown["position"]["y"]) == ("map", 4.0, 2.0)

    def layers() -> Any:
        with running.center.engine.connect() as connection:
            return shown_layers(connection, None)

    ros_graph.spin_until(layers)
    (layer,) = layers()
    assert (layer["kind"], layer["bounds"]) == ("map", (-7.5, -5.0, 7.5, 5.0))


def test_an_incident_whose_place_is_not_known_has_none_at_the_center() -> None:
    known = UUID(uuid=list(uuid.uuid4().bytes))
    message = Incident(uuid=known, state="suspected", kind="thermal.fever", confidence=0.5)
    message.header.frame_id = "map"
    assert conversion.incident(message).body.pose is None
    message.pose.pose.position.x = 3.0
    message.pose.covariance[0] = 0.04
    assert conversion.incident(message).body.pose.position.x == 3.0
