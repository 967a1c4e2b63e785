"""The radiation node over an emulated Rad Pro counter, in simulated time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inspection_robot.evidence import EvidenceStore
from inspection_robot.radiation import drivers
from inspection_robot.radiation.drivers.rad_pro import RadPro
from inspection_sim.devices.radpro import RadProDevice

pytestmark = pytest.mark.ros


PATIENCE_S = 150.0


class PolledDevice(RadProDevice):
    """Knows how often it was asked, so that simulated time waits for the driver and the driver for simulated time."""

    polls = 0
    node_time_s: Callable[[], float] = staticmethod(time.monotonic)
    _answered_s = -math.inf

    def count(self) -> int:
        # On a busy machine the driver may ask twice before the node hears of the next second.
        deadline = time.monotonic() + 0.5
        while self.node_time_s() <= self._answered_s and time.monotonic() < deadline:
            time.sleep(0.001)
        self._answered_s = self.node_time_s()
        self.polls += 1
        return super().count()


class Scene:
    """An emulated counter and a clock that moves a second whenever the counter was asked."""

    def __init__(self, graph: Any, port: Path) -> None:
        from rosgraph_msgs.msg import Clock

        self.graph = graph
        self.time_s = 1000.0
        self.rate_cps = 5.0
        self.device = PolledDevice(port, lambda: self.rate_cps, seed=3, clock=lambda: self.time_s)
        self._clock_type = Clock
        self._seen_polls = 0
        self._clock = graph.probe.create_publisher(Clock, "/clock", 10)

    def step(self) -> bool:
        """Let a second of simulated time pass once the counter was asked; always tell the time."""
        asked, self._seen_polls = self.device.polls > self._seen_polls, self.device.polls
        self.time_s += 1.0 if asked else 0.0
        message = self._clock_type()
        message.clock.sec, message.clock.nanosec = int(self.time_s), int(self.time_s % 1.0 * 1e9)
        self._clock.publish(message)
        return asked

    def until(self, condition: Any) -> None:
        """Let time pass until the condition holds."""

        def tick() -> bool:
            self.step()
            return bool(condition())

        self.graph.spin_until(tick, PATIENCE_S)


@pytest.fixture
def scene(ros_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path / "state"))
    monkeypatch.setitem(drivers.SERIAL_DRIVERS, "rad_pro", lambda port: RadPro(port, period_s=0.02))
    scene = Scene(ros_graph, tmp_path / "port")
    with scene.device:
        yield scene


def make(scene: Scene, **parameters: object) -> Any:
    from rclpy.parameter import Parameter

    from inspection_robot.radiation.node import RadiationNode

    overrides = {"driver": "rad_pro", "port": str(scene.device.port), "assess_period_s": 3.0, **parameters}
    node = scene.graph.make(
        RadiationNode, overrides=overrides, parameter_overrides=[Parameter("use_sim_time", value=True)]
    )
    scene.device.node_time_s = lambda: node.get_clock().now().nanoseconds * 1e-9
    scene.graph.activate(node)
    return node


def test_a_source_that_passes_is_told_with_evidence_and_the_alarm_ends(scene: Scene, tmp_path: Path) -> None:
    from inspection_interfaces.msg import Detection, RadiationReading

    from inspection_robot.ros import qos

    readings = scene.graph.record(RadiationReading, "radiation/reading", qos.EVENT)
    detections = scene.graph.record(Detection, "detections", qos.ALARM)
    make(scene)
    scene.until(lambda: readings and readings[-1].status == RadiationReading.STATUS_OK)
    assert readings[0].status == RadiationReading.STATUS_WARMING_UP
    assert readings[-1].detector.startswith("Rad Pro")
    assert readings[-1].dose_rate_usv_h == pytest.approx(readings[-1].count_rate_cps / 2.5633, rel=0.01)
    assert readings[-1].detectable_mbq > 0.0
    scene.rate_cps = 100.0
    scene.until(lambda: any(d.kind == "radiation.source" for d in detections))
    scene.rate_cps = 5.0
    scene.until(lambda: any(a.key == "ended" and a.value == "true" for d in detections for a in d.attributes))
    rise = detections[0]
    assert (rise.kind, rise.severity, rise.unit) == ("radiation.rise", Detection.SEVERITY_ALARM, "{counts}/s")
    assert rise.confidence > 0.999
    assert len({bytes(d.uuid.uuid) for d in detections}) == len(detections)
    verdicts = {a.value for d in detections for a in d.attributes if a.key == "verdict"}
    assert verdicts == {"unidentified"}  # a Geiger counter names nothing
    store = EvidenceStore(tmp_path / "state" / "evidence")
    picture = store.get(rise.evidence[0].sha256)
    assert picture.startswith(b"\x89PNG")
    assert all(d.evidence for d in detections)


def test_a_pulled_detector_is_a_fault_and_comes_back_by_itself(scene: Scene) -> None:
    from inspection_interfaces.msg import Fault, RadiationReading

    from inspection_robot.ros import qos

    readings = scene.graph.record(RadiationReading, "radiation/reading", qos.EVENT)
    faults = scene.graph.record(Fault, "faults", qos.ALARM)
    make(scene)
    scene.until(lambda: readings)
    scene.device.unplug()
    scene.until(lambda: any(fault.code == "radiation.step_failed" or "failed" in fault.code for fault in faults))
    before = len(readings)
    scene.device.plug()
    scene.until(lambda: len(readings) > before + 2)
    assert readings[-1].cumulative_counts >= 0


def test_people_and_place_make_a_located_finding(scene: Scene) -> None:
    from geometry_msgs.msg import TransformStamped
    from inspection_interfaces.msg import Detection, Person, PersonArray, RadiationReading
    from nav_msgs.msg import OccupancyGrid
    from tf2_msgs.msg import TFMessage

    from inspection_robot.ros import qos
    from inspection_robot.ros.frames import DYNAMIC_QOS

    readings = scene.graph.record(RadiationReading, "radiation/reading", qos.EVENT)
    detections = scene.graph.record(Detection, "detections", qos.ALARM)
    layers = scene.graph.record(OccupancyGrid, "radiation/field", qos.MAP)
    make(scene)
    transforms = scene.graph.probe.create_publisher(TFMessage, "/tf", DYNAMIC_QOS)
    people = scene.graph.probe.create_publisher(PersonArray, "people", qos.EVENT)
    carrier = Person(track="person-7")

    def world() -> None:
        frame = TransformStamped(child_frame_id="radiation_link")
        frame.header.frame_id = "map"
        frame.header.stamp.sec, frame.header.stamp.nanosec = int(scene.time_s), int(scene.time_s % 1.0 * 1e9)
        frame.transform.rotation.w = 1.0
        frame.transform.translation.x = 2.0
        transforms.publish(TFMessage(transforms=[frame]))
        # The carrier walks past the standing robot; the counts follow the inverse square.
        carrier.pose.pose.position.x = -6.0 + 0.8 * max(0.0, scene.time_s - start[0])
        carrier.pose.pose.position.y = 1.0
        squared = (carrier.pose.pose.position.x - 2.0) ** 2 + 1.0 + 0.16
        scene.rate_cps = 5.0 + (400.0 / squared if start[0] < np.inf else 0.0)
        people.publish(PersonArray(people=[carrier] if start[0] < np.inf else []))

    start = [np.inf]

    def until(condition: Any) -> None:
        def tick() -> bool:
            scene.step()
            world()
            return bool(condition())

        scene.graph.spin_until(tick, PATIENCE_S)

    until(lambda: readings and readings[-1].status == RadiationReading.STATUS_OK)
    start[0] = scene.time_s
    until(lambda: any(a.key == "ended" and a.value == "true" for d in detections for a in d.attributes))
    final = detections[-1]
    assert final.kind == "radiation.source"
    assert final.pose.header.frame_id == "map"
    assert np.all(np.linalg.eigvalsh(np.array(final.pose.pose.covariance).reshape(6, 6)[:2, :2]) > 0.0)
    assert {a.key: a.value for a in final.attributes}["moves_with_carrier"] in ("yes", "unknown")
    assert final.subject == "person-7"
    assert layers
    assert max(layers[-1].data) > 0
