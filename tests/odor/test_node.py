"""The node on an emulated board in simulated time: what a user of the topics gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inspection_robot.evidence import EvidenceStore
from inspection_sim.devices.mox_csv import MoxCsvBoard

pytestmark = pytest.mark.ros

CLEAN: Mapping[str, float] = {}


class World:
    """A board, a clock and a node that move together, half a second at a time."""

    def __init__(self, graph: Any, device: MoxCsvBoard, parameters: Mapping[str, object]) -> None:
        from inspection_interfaces.msg import Detection, OdorClassification, OdorSample
        from rclpy.parameter import Parameter
        from rosgraph_msgs.msg import Clock

        from inspection_robot.odor.node import OdorNode
        from inspection_robot.ros import qos

        self.graph, self.device = graph, device
        self.samples = graph.record(OdorSample, "odor/sample", qos.EVENT)
        self.classifications = graph.record(OdorClassification, "odor/classification", qos.EVENT)
        self.detections = graph.record(Detection, "detections", qos.ALARM)
        self._clock = graph.probe.create_publisher(Clock, "/clock", qos.SENSOR)
        overrides = {"port": str(device.port), "warm_up_s": 2.0, "factory_calibrated": True} | dict(parameters)
        self.node = graph.make(
            OdorNode, overrides=overrides, parameter_overrides=[Parameter("use_sim_time", value=True)]
        )
        self.half_seconds = 2000
        self._show_time()
        graph.activate(self.node)
        self.until_read()

    def live(self, seconds: float, air: Mapping[str, float] = CLEAN) -> None:
        """Let time pass in this air; every line of the board is read before the next one comes."""
        self.device.set_air(air)
        for _ in range(round(seconds * 2)):
            self.half_seconds += 1
            self._show_time()
            before = len(self.samples)
            self.device.advance(0.5)
            self.graph.spin_until(lambda before=before: len(self.samples) > before)

    def until_read(self, board: str = "") -> None:
        """Send lines until one is read: what comes before the port is open is lost, as on a real line."""
        read = len(self.samples)

        def arrived() -> bool:
            self.device.advance(0.5)
            return len(self.samples) > read and board in self.samples[-1].board

        self.graph.spin_until(arrived)

    def _show_time(self) -> None:
        from rosgraph_msgs.msg import Clock

        message = Clock()
        message.clock.sec, half = divmod(self.half_seconds, 2)
        message.clock.nanosec = half * 500_000_000

        def arrived() -> bool:
            self._clock.publish(message)
            now = self.node.get_clock().now().nanoseconds
            return bool(now == self.half_seconds * 500_000_000)

        self.graph.spin_until(arrived)


@pytest.fixture
def world(ros_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a node on a board in a world that only this test moves."""
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path / "state"))
    device = MoxCsvBoard(tmp_path / "board", simulated_time=True)
    with device:
        yield lambda **parameters: World(ros_graph, device, parameters)


def test_a_smell_of_meat_is_noticed_named_and_told_with_its_traces(world: Any, tmp_path: Path) -> None:
    there = world()
    there.live(25.0)
    assert not there.classifications and there.samples[-1].status == "ok"
    there.live(10.0, {"beef": 25.0})
    first = there.classifications[0]
    assert first.verdict == first.VERDICT_UNRECOGNISED  # at once, before it can be named
    named = there.classifications[-1]
    assert (named.family, named.calibration_fresh) == ("meat", True)
    assert sum(named.probabilities) == pytest.approx(1.0)
    told = there.detections[-1]
    assert told.kind in ("odor.family", "odor.substance") and told.severity == told.SEVERITY_WARNING
    picture = EvidenceStore(tmp_path / "state" / "evidence").get(told.evidence[0].sha256)
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) is not None
    there.live(90.0)
    ended = there.classifications[-1]
    assert ended.verdict == ended.VERDICT_NOTHING


def test_without_a_calibration_a_smell_is_told_but_never_named(world: Any) -> None:
    there = world(factory_calibrated=False)
    there.live(25.0)
    there.live(10.0, {"pork": 25.0})
    assert {message.reason for message in there.classifications} == {"never_calibrated"}
    assert [message.kind for message in there.detections] == ["odor.unrecognised"]
    assert all(not message.family for message in there.classifications)


def test_another_board_on_the_port_gets_no_names(world: Any) -> None:
    there = world()
    there.live(25.0)
    there.device.unplug()
    there.device.serial = "SIM-0002"
    there.device.plug()
    there.device.set_air(CLEAN)
    there.until_read("SIM-0002")
    there.live(30.0)
    there.live(8.0, {"fish": 25.0})
    assert there.classifications[-1].reason == "other_board"


def test_a_stuck_channel_is_named_in_status_and_silences_findings(world: Any) -> None:
    there = world()
    there.live(25.0)
    there.device.stick("TGS2602")
    there.live(17.0)
    assert there.samples[-1].status == "stuck"
    there.live(8.0, {"beef": 25.0})
    assert not there.detections
    part = next(part for part in there.node.diagnose() if part.name.startswith("board"))
    assert "TGS2602" in part.message


def test_recalibration_at_the_dock_makes_names_allowed_again(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspection_interfaces.action import RecalibrateOdor
    from rclpy.action import ActionClient
    from std_msgs.msg import String

    from inspection_robot.odor import node as node_module
    from inspection_robot.odor.references import References
    from inspection_robot.ros import qos

    short = References(("beef", "fish", "ethanol", "soil"), 50.0, 12.0)
    monkeypatch.setattr(node_module, "load_references", lambda _path: short)
    there = world(factory_calibrated=False)
    presented = there.graph.record(String, "odor/reference", qos.STATE)
    there.live(25.0)
    client = ActionClient(there.graph.probe, RecalibrateOdor, "recalibrate_odor")
    there.graph.spin_until(client.server_is_ready)
    feedback: list[Any] = []
    sending = client.send_goal_async(
        RecalibrateOdor.Goal(sniffs=2), feedback_callback=lambda message: feedback.append(message.feedback)
    )
    there.graph.spin_until(sending.done)
    result = sending.result().get_result_async()
    for _ in range(8000):  # the goal looks at its clock 20 times a real second, this world runs far faster
        name = presented[-1].data if presented else ""
        there.live(0.5, {name: 25.0} if name else CLEAN)
        if result.done():
            break
    answer = result.result().result
    assert answer.accepted, answer.message
    assert answer.accuracy >= 0.8
    assert {message.reference for message in feedback} == set(short.names)
    assert EvidenceStore(tmp_path / "state" / "evidence").has(answer.report.sha256)
    assert presented[-1].data == ""
    there.live(60.0)
    there.live(10.0, {"fish": 25.0})
    assert there.classifications[-1].calibration_fresh
    assert there.classifications[-1].family == "seafood"
    client.destroy()


def test_a_reference_that_does_not_smell_ends_the_recalibration_with_its_name(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspection_interfaces.action import RecalibrateOdor
    from rclpy.action import ActionClient

    from inspection_robot.odor import node as node_module
    from inspection_robot.odor.references import References

    monkeypatch.setattr(node_module, "load_references", lambda _path: References(("beef",), 5.0, 5.0))
    there = world()
    there.live(25.0)
    client = ActionClient(there.graph.probe, RecalibrateOdor, "recalibrate_odor")
    there.graph.spin_until(client.server_is_ready)
    sending = client.send_goal_async(RecalibrateOdor.Goal(sniffs=1))
    there.graph.spin_until(sending.done)
    result = sending.result().get_result_async()
    for _ in range(2000):
        there.live(0.5)
        if result.done():
            break
    answer = result.result().result
    assert not answer.accepted and "beef" in answer.message
    client.destroy()
