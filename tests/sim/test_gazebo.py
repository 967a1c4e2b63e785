from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xacro
import yaml
from defusedxml import ElementTree

from inspection_contract.errors import InputError
from inspection_sim.gazebo_mover import poses, request_of
from inspection_sim.gazebo_world import write_world
from inspection_sim.sensors.detector import real_picture
from inspection_sim.sensors.thermal_camera import ThermalCameraModel
from inspection_sim.simulation import SIMULATION_FILES, WORLDS, Setting, Simulation
from inspection_sim.world.sdf import Air
from tests.sim.topics import ROBOT, SIMULATOR, used

BRIDGE = yaml.safe_load((SIMULATION_FILES / "gazebo" / "bridge.yaml").read_text())
LAUNCH = SIMULATION_FILES.parent / "launch" / "gazebo.launch.xml"
SYSTEMS = {
    "gz-sim-physics-system": "gz::sim::systems::Physics",
    "gz-sim-user-commands-system": "gz::sim::systems::UserCommands",
    "gz-sim-scene-broadcaster-system": "gz::sim::systems::SceneBroadcaster",
    "gz-sim-imu-system": "gz::sim::systems::Imu",
    "gz-sim-sensors-system": "gz::sim::systems::Sensors",
    "gz-sim-thermal-system": "gz::sim::systems::Thermal",
    "gz-sim-thermal-sensor-system": "gz::sim::systems::ThermalSensor",
    "gz-sim-diff-drive-system": "gz::sim::systems::DiffDrive",
    "gz-sim-joint-state-publisher-system": "gz::sim::systems::JointStatePublisher",
    "gz-sim-linearbatteryplugin-system": "gz::sim::systems::LinearBatteryPlugin",
}
"""Plugins of Gazebo Harmonic: file name → class."""
TYPES = {
    "rosgraph_msgs/msg/Clock": "gz.msgs.Clock", "geometry_msgs/msg/Twist": "gz.msgs.Twist",
    "nav_msgs/msg/Odometry": "gz.msgs.Odometry", "tf2_msgs/msg/TFMessage": "gz.msgs.Pose_V",
    "sensor_msgs/msg/JointState": "gz.msgs.Model", "sensor_msgs/msg/LaserScan": "gz.msgs.LaserScan",
    "sensor_msgs/msg/Imu": "gz.msgs.IMU", "sensor_msgs/msg/BatteryState": "gz.msgs.BatteryState",
    "sensor_msgs/msg/Image": "gz.msgs.Image", "sensor_msgs/msg/CameraInfo": "gz.msgs.CameraInfo",
}  # fmt: skip
"""Pairs that ros_gz_bridge converts."""


def robot() -> ElementTree:
    file = SIMULATION_FILES / "robot" / "inspection_robot.urdf.xacro"
    return ElementTree.fromstring(
        xacro.process_file(str(file), mappings={"gazebo": "true", "namespace": "/robot_1"}).toxml()
    )


@pytest.mark.parametrize("line", BRIDGE, ids=lambda line: line["ros_topic_name"])
def test_a_bridge_line_carries_what_the_simulator_publishes_or_a_node_wants(line: dict[str, str]) -> None:
    topic, kind = line["ros_topic_name"].lstrip("/"), line["ros_type_name"].rsplit("/", 1)[1]
    assert TYPES[line["ros_type_name"]] == line["gz_type_name"]
    if line["direction"] == "ROS_TO_GZ":
        assert kind in used(ROBOT, "create_publisher")[topic]
        return
    assert line["direction"] == "GZ_TO_ROS"
    if topic == "joint_states":
        return  # for robot_state_publisher, which turns the wheels
    if topic == "thermal/image_ideal":
        assert kind in used(SIMULATOR, "create_subscription")[topic]
        return
    assert kind in used(SIMULATOR, "create_publisher")[topic]


def test_gazebos_side_of_every_bridge_line_exists_in_the_robot() -> None:
    topics = {e.text for e in robot().iter() if e.tag in ("topic", "odom_topic", "tf_topic", "camera_info_topic")}
    bridged = {line["gz_topic_name"] for line in BRIDGE}
    assert bridged - topics == {"/clock", "/model/inspection_robot/battery/main/state"}
    assert topics <= bridged


def test_every_topic_of_the_simulator_that_gazebo_can_give_is_bridged() -> None:
    bridged = {line["ros_topic_name"].lstrip("/") for line in BRIDGE}
    wanted = {
        "clock",
        "scan",
        "odom",
        "imu",
        "battery_state",
        "tf",
        "camera/image_raw",
        "camera/camera_info",
        "thermal/camera_info",
    }
    assert wanted <= bridged
    assert wanted <= used(SIMULATOR, "create_publisher").keys()


@pytest.mark.parametrize(
    "path",
    [*sorted(WORLDS.glob("*.sdf")), *sorted(WORLDS.parent.glob("models/*/model.sdf"))],
    ids=lambda p: f"{p.parent.name}/{p.stem}",
)
def test_every_plugin_of_worlds_and_models_is_one_of_gazebo_harmonic(path: Path) -> None:
    for plugin in ElementTree.parse(path).getroot().iter("plugin"):
        assert SYSTEMS[plugin.get("filename")] == plugin.get("name")


def test_every_plugin_of_the_robot_is_one_of_gazebo_harmonic() -> None:
    plugins = list(robot().iter("plugin"))
    assert len(plugins) >= 4
    for plugin in plugins:
        assert SYSTEMS[plugin.get("filename")] == plugin.get("name")


def test_a_world_written_for_gazebo_holds_everybody_and_nothing_falls(tmp_path: Path, arrivals: Setting) -> None:
    assert write_world("morning_arrivals", tmp_path / "w.sdf") == "terminal"
    world = ElementTree.parse(tmp_path / "w.sdf").getroot().find("world")
    moving = [m for m in world.findall("model") if m.findtext("static") == "false"]
    assert {m.get("name") for m in moving} == {m.name for m in arrivals.world.models if not m.static}
    assert all(m.findtext("link/gravity") == "false" and m.find("link/collision") is None for m in moving)
    with pytest.raises(InputError, match="no such scenario"):
        write_world("ghost", tmp_path / "x.sdf")


def test_the_mover_sends_one_pose_for_every_passenger(arrivals: Setting) -> None:
    class Poses:
        def __init__(self) -> None:
            self.items: list[SimpleNamespace] = []
            self.pose = self

        def add(self) -> SimpleNamespace:
            self.items.append(SimpleNamespace(name="", position=SimpleNamespace(), orientation=SimpleNamespace()))
            return self.items[-1]

    simulation = Simulation(arrivals)
    sent = request_of(poses(simulation), Poses)
    assert len(sent.items) == sum(not m.static for m in arrivals.world.models)
    for item in sent.items:
        assert item.orientation.w**2 + item.orientation.z**2 == pytest.approx(1.0)


def test_gazebos_ideal_picture_gets_the_errors_of_a_camera() -> None:
    ideal = np.full((120, 160), 29515, dtype=np.uint16)
    ideal[50:70, 70:90] = 30815  # 35 °C before 22 °C
    picture = real_picture(ideal, Air(), ThermalCameraModel(), 0.5, np.random.default_rng(0))
    background, face = picture[:30].mean() / 100 - 273.15, picture[60, 80] / 100 - 273.15
    assert background == pytest.approx(22.5, abs=0.1)
    assert 34.4 < face < 35.3  # emissivity and air take 0.5 K of 13 K, the unit adds 0.5 K
    assert picture[:30].std() == pytest.approx(5.0, rel=0.2)  # NETD 50 mK


def test_the_launch_file_starts_what_exists() -> None:
    text = LAUNCH.read_text()
    root = ElementTree.fromstring(text)
    ours = {node.get("exec") for node in root.iter("node") if node.get("pkg") == "inspection_robot"}
    modules = {path.stem for path in (SIMULATION_FILES.parent / "src" / "inspection_sim").rglob("*.py")}
    assert ours == {"gazebo_thermal", "gazebo_mover"}
    assert ours <= modules
    for path in ("sim/gazebo/bridge.yaml", "sim/robot/inspection_robot.urdf.xacro", "sim/models"):
        assert path in text
        assert (SIMULATION_FILES.parent / path).exists()
