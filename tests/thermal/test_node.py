from __future__ import annotations

import array
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inspection_contract.errors import InputError
from inspection_robot.evidence import EvidenceStore
from tests.data import need
from tests.thermal.files import centikelvin, room, with_disc, write_cptv
from tests.thermal.test_placing import LENS, box_of, camera

pytestmark = pytest.mark.ros


@pytest.fixture
def thermal(ros_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an active thermal node with given parameters; its evidence lies in the test's folder."""
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path / "state"))
    from inspection_robot.thermal.node import ThermalNode

    def make(**parameters: object) -> Any:
        node = ros_graph.make(ThermalNode, overrides=parameters)
        ros_graph.activate(node)
        return node

    return make


def image(raw: np.ndarray, encoding: str = "mono16") -> Any:
    from sensor_msgs.msg import Image

    message = Image(height=raw.shape[0], width=raw.shape[1], encoding=encoding, step=raw[0].nbytes)
    message.data = array.array("B", raw.tobytes())
    return message


def publish_until(graph: Any, publisher: Any, messages: list[Any], condition: Any) -> None:
    """Publish in turn, spinning between, until the condition holds."""
    turn = iter(range(10_000))

    def step() -> bool:
        message = messages[next(turn) % len(messages)]
        message.header.stamp = graph.probe.get_clock().now().to_msg()
        publisher.publish(message)
        return bool(condition())

    graph.spin_until(step)


def test_frames_of_the_topic_give_screenings_and_pictures(ros_graph: Any, thermal: Any) -> None:
    from inspection_interfaces.msg import ScreeningArray
    from sensor_msgs.msg import Image

    from inspection_robot.ros import qos

    screenings = ros_graph.record(ScreeningArray, "thermal/screenings", qos.EVENT)
    overlays = ros_graph.record(Image, "thermal/overlay", qos.SENSOR)
    thermal()
    publisher = ros_graph.probe.create_publisher(Image, "thermal/image_raw", qos.SENSOR)
    pictures = [image(centikelvin(with_disc(room(seed=n), 120, 20, 6, 36.0))) for n in range(5)]
    publish_until(ros_graph, publisher, pictures, lambda: screenings and overlays)
    assert screenings[0].screenings == []
    assert overlays[0].encoding == "bgr8"
    assert len(overlays[0].data) == overlays[0].height * overlays[0].step


@pytest.mark.parametrize(
    ("raw", "encoding", "words"),
    [
        (np.zeros((120, 160), np.uint8), "mono8", "not radiometric"),
        ((centikelvin(room()) >> 8).astype(np.uint16), "mono16", "8-bit"),
        (centikelvin(room()).byteswap(), "mono16", "wrong order"),
    ],
)
def test_unusable_frames_are_named_and_give_no_reading(
    ros_graph: Any, thermal: Any, raw: np.ndarray, encoding: str, words: str
) -> None:
    from diagnostic_msgs.msg import DiagnosticArray
    from inspection_interfaces.msg import Fault, ScreeningArray
    from sensor_msgs.msg import Image

    from inspection_robot.ros import qos

    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    screenings = ros_graph.record(ScreeningArray, "thermal/screenings", qos.EVENT)
    diagnostics = ros_graph.record(DiagnosticArray, "/diagnostics", qos.EVENT)
    thermal()
    publisher = ros_graph.probe.create_publisher(Image, "thermal/image_raw", qos.SENSOR)

    def named() -> bool:
        return any(
            words in status.message for array in diagnostics for status in array.status if "frames" in status.name
        )

    publish_until(ros_graph, publisher, [image(raw, encoding)], lambda: faults and named())
    assert any(words in fault.text for fault in faults)
    assert screenings == []


def test_a_recording_is_played_in_real_time_and_its_pictures_are_published(
    ros_graph: Any, thermal: Any, tmp_path: Path
) -> None:
    from sensor_msgs.msg import Image

    from inspection_robot.ros import qos

    pictures = ros_graph.record(Image, "thermal/image_raw", qos.SENSOR)
    raw = [centikelvin(with_disc(room(seed=n), 120, 20, 6, 36.0)) for n in range(4)]
    write_cptv(tmp_path / "a.cptv", raw)
    thermal(source="recording", recording=str(tmp_path / "a.cptv"), loop=True)
    ros_graph.spin_until(lambda: len(pictures) >= 8)
    decoded = np.frombuffer(pictures[0].data, np.uint16).reshape(120, 160)
    assert any(np.array_equal(decoded, r) for r in raw)


def test_a_recording_of_a_person_gives_one_finding_with_its_picture(
    ros_graph: Any, thermal: Any, tmp_path: Path
) -> None:
    from inspection_interfaces.msg import Detection

    from inspection_robot.ros import qos

    detections = ros_graph.record(Detection, "detections", qos.ALARM)
    thermal(source="recording", recording=str(need("thermal/feverscreen_cptv/20210326-074601.cptv")))
    ros_graph.spin_until(lambda: any(d.kind == "thermal.screening" for d in detections))
    finding = next(d for d in detections if d.kind == "thermal.screening")
    assert finding.unit == "Cel"
    assert 34.0 < finding.value < 40.0
    assert finding.standard_uncertainty > 0.3
    picture = EvidenceStore(tmp_path / "state" / "evidence").get(finding.evidence[0].sha256)
    assert picture.startswith(b"\x89PNG")


def test_a_missing_camera_is_a_fault_and_not_the_end(ros_graph: Any, thermal: Any) -> None:
    from inspection_interfaces.msg import Fault

    from inspection_robot.ros import qos

    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    node = thermal(source="camera", device="/dev/no-such-camera")
    ros_graph.spin_until(lambda: any("plugged in" in fault.text for fault in faults))
    assert node.is_active


def diagnosed(diagnostics: list[Any], part: str, words: str) -> bool:
    return any(
        status.name.endswith(part) and words in status.message for array in diagnostics for status in array.status
    )


@pytest.mark.parametrize(
    ("then", "part", "words"),
    [("stuck", "camera", "frozen"), ("hot", "reference", "out of range"), ("hidden", "reference", "lost")],
)
def test_a_stuck_stream_and_a_reference_that_fails_are_named_in_diagnostics(
    ros_graph: Any, thermal: Any, then: str, part: str, words: str
) -> None:
    from diagnostic_msgs.msg import DiagnosticArray
    from sensor_msgs.msg import Image

    from inspection_robot.ros import qos

    diagnostics = ros_graph.record(DiagnosticArray, "/diagnostics", qos.EVENT)
    thermal()
    publisher = ros_graph.probe.create_publisher(Image, "thermal/image_raw", qos.SENSOR)
    good = [image(centikelvin(with_disc(room(seed=n), 120, 20, 6, 36.0))) for n in range(5)]
    publish_until(ros_graph, publisher, good, lambda: diagnosed(diagnostics, "reference", "in view"))
    bad = {
        "stuck": good[:1],
        "hot": [image(centikelvin(with_disc(room(seed=n), 120, 20, 6, 50.0))) for n in range(5)],
        "hidden": [image(centikelvin(room(seed=n))) for n in range(5)],
    }[then]
    publish_until(ros_graph, publisher, bad, lambda: diagnosed(diagnostics, part, words))


def test_a_camera_that_is_unplugged_and_plugged_in_again_goes_on(
    ros_graph: Any, thermal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspection_interfaces.msg import Fault, ScreeningArray
    from sensor_msgs.msg import CameraInfo

    import inspection_robot.thermal.node as module
    from inspection_robot.ros import qos
    from inspection_robot.thermal.frames import ThermalFrame

    plugged, opened, closed = [True], [], []

    class Camera:
        """A camera whose cable the test holds."""

        def __init__(self, device: str) -> None:
            if not plugged[0]:
                raise InputError(device, "no such camera; is it plugged in?")
            opened.append(device)

        def read(self) -> ThermalFrame:
            time.sleep(0.05)
            if not plugged[0]:
                raise InputError("/dev/video9", "delivers no pictures; was it unplugged?")
            return ThermalFrame(with_disc(room(seed=time.monotonic_ns() % 1000), 120, 20, 6, 36.0), time.monotonic())

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(module, "Y16Camera", Camera)
    faults = ros_graph.record(Fault, "faults", qos.ALARM)
    screenings = ros_graph.record(ScreeningArray, "thermal/screenings", qos.EVENT)
    infos = ros_graph.record(CameraInfo, "thermal/camera_info", qos.SENSOR)
    thermal(source="camera", device="/dev/video9", horizontal_view_deg=57.0)
    ros_graph.spin_until(lambda: screenings and infos)
    assert infos[0].k[0] == pytest.approx(LENS.fx)
    plugged[0] = False
    ros_graph.spin_until(lambda: any("unplugged" in fault.text for fault in faults) and closed)
    screenings.clear()
    quiet_until = time.monotonic() + 0.4
    ros_graph.spin_until(lambda: time.monotonic() > quiet_until)
    assert screenings == []
    plugged[0] = True
    ros_graph.spin_until(lambda: screenings)
    assert len(opened) == 2


def test_wrong_parameters_are_refused_by_name(ros_graph: Any) -> None:
    from inspection_robot.thermal.node import ThermalNode

    with pytest.raises(InputError, match="source"):
        ros_graph.make(ThermalNode, overrides={"source": "telescope"})
    with pytest.raises(InputError, match="recording"):
        ros_graph.make(ThermalNode, overrides={"source": "recording"})
    with pytest.raises(InputError, match="masks"):
        ros_graph.make(ThermalNode, overrides={"masks": [0.1, 0.2, 0.3]})


def test_a_cold_thing_is_told_with_its_place_on_the_map_and_cleared_when_it_is_gone(
    ros_graph: Any, thermal: Any
) -> None:
    from inspection_interfaces.msg import Detection
    from nav_msgs.msg import OccupancyGrid
    from sensor_msgs.msg import CameraInfo, Image, LaserScan
    from tf2_msgs.msg import TFMessage

    from inspection_robot.ros import qos
    from inspection_robot.ros.frames import DYNAMIC_QOS, to_message
    from inspection_robot.ros.transforms import IDENTITY

    detections = ros_graph.record(Detection, "detections", qos.ALARM)
    thermal(persistence_s=0.5)
    probe = ros_graph.probe
    pose = camera(x=1.0, yaw=0.5)
    there = camera(x=1.0, yaw=0.5, pitch=0.0).apply(np.array([[0.0, 1.36, 2.5]]))[0]  # 2.5 m ahead, on the floor
    left, upper, width, height = box_of(
        pose, (there[0] - 0.2, there[1] - 0.2, 0.0), (there[0] + 0.2, there[1] + 0.2, 0.4)
    )
    tf = probe.create_publisher(TFMessage, "/tf", DYNAMIC_QOS)
    info = probe.create_publisher(CameraInfo, "thermal/camera_info", qos.SENSOR)
    scans = probe.create_publisher(LaserScan, "scan", qos.SENSOR)
    grid = OccupancyGrid(data=array.array("b", bytes(200 * 200)))
    grid.info.resolution, grid.info.width, grid.info.height = 0.1, 200, 200
    grid.info.origin.position.x = grid.info.origin.position.y = -10.0
    probe.create_publisher(OccupancyGrid, "map", qos.MAP).publish(grid)
    pictures = probe.create_publisher(Image, "thermal/image_raw", qos.SENSOR)
    turn = iter(range(10_000))
    present = True

    def step(wanted: str) -> bool:
        stamp = probe.get_clock().now().to_msg()
        frames = [to_message("map", "thermal_optical_frame", stamp, pose), to_message("map", "lidar", stamp, IDENTITY)]
        tf.publish(TFMessage(transforms=frames))
        lens = CameraInfo(width=160, height=120)
        lens.k = [LENS.fx, 0.0, LENS.cx, 0.0, LENS.fy, LENS.cy, 0.0, 0.0, 1.0]
        info.publish(lens)
        scan = LaserScan(angle_min=-3.14, angle_increment=0.01, ranges=[math.inf] * 628)
        scan.header.stamp, scan.header.frame_id = stamp, "lidar"
        scans.publish(scan)
        celsius = room(seed=next(turn) % 50)
        if present:
            celsius[upper : upper + height, left : left + width] = -12.0
        message = image(centikelvin(celsius))
        message.header.stamp, message.header.frame_id = stamp, "thermal_optical_frame"
        pictures.publish(message)
        return any(key.value == wanted for d in detections for key in d.attributes if key.key == "state")

    ros_graph.spin_until(lambda: step("raised"))
    told = detections[0]
    facts = {key.key: key.value for key in told.attributes}
    assert (told.kind, facts["cause"], told.pose.header.frame_id) == ("thermal.cold", "frozen", "map")
    place = told.pose.pose.pose.position
    spread = np.asarray(told.pose.pose.covariance).reshape(6, 6)[:2, :2]
    error = np.array([place.x - there[0], place.y - there[1]])
    assert np.hypot(*error) < 0.5
    assert error @ np.linalg.solve(spread, error) < 9.0
    present = False
    ros_graph.spin_until(lambda: step("cleared"))
    assert [d.subject for d in detections] == [told.subject] * 2
    assert detections[1].pose.pose.pose.position == place


def test_without_localisation_a_hot_thing_is_told_without_a_place(ros_graph: Any, thermal: Any) -> None:
    from inspection_interfaces.msg import Detection
    from sensor_msgs.msg import Image

    from inspection_robot.ros import qos

    detections = ros_graph.record(Detection, "detections", qos.ALARM)
    thermal(persistence_s=0.3)
    pictures = []
    for seed in range(6):
        celsius = room(seed=seed)
        celsius[60:70, 80:90] = 200.0
        pictures.append(image(centikelvin(celsius)))
    publisher = ros_graph.probe.create_publisher(Image, "thermal/image_raw", qos.SENSOR)
    publish_until(ros_graph, publisher, pictures, lambda: detections)
    assert detections[0].pose.header.frame_id == ""
    assert {k.key: k.value for k in detections[0].attributes}["cause"] == "fire"
