from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xacro
from defusedxml import ElementTree
from scipy.spatial.transform import Rotation

from inspection_sim.sensors.mounts import MOUNTS, Mount, rotation_in_base
from inspection_sim.sensors.thermal_camera import ThermalCameraModel
from inspection_sim.simulation import SIMULATION_FILES

FILE = SIMULATION_FILES / "robot" / "inspection_robot.urdf.xacro"


def urdf(**arguments: str) -> str:
    return str(xacro.process_file(str(FILE), mappings=arguments).toxml())


def frames() -> dict[str, np.ndarray]:
    """Pose of every link in base_link, (4, 4), from the description."""
    joints = {j.find("child").get("link"): j for j in ElementTree.fromstring(urdf()).findall("joint")}

    def pose(link: str) -> np.ndarray:
        if link not in joints:
            return np.eye(4)
        origin = joints[link].find("origin")
        own = np.eye(4)
        own[:3, 3] = [float(v) for v in origin.get("xyz", "0 0 0").split()]
        own[:3, :3] = Rotation.from_euler("xyz", [float(v) for v in origin.get("rpy", "0 0 0").split()]).as_matrix()
        return pose(joints[link].find("parent").get("link")) @ own

    return {link: pose(link) for link in joints}


@pytest.mark.parametrize("mount", MOUNTS, ids=lambda m: m.frame)
def test_the_simulator_has_its_sensors_where_the_description_has_them(mount: Mount) -> None:
    pose = frames()[mount.frame]
    assert pose[:3, 3] == pytest.approx([mount.x, mount.y, mount.z], abs=1e-6)
    assert pose[:3, :3] == pytest.approx(rotation_in_base(mount), abs=1e-6)


def test_the_heated_reference_is_where_the_thermal_camera_sees_it() -> None:
    found = frames()
    local = np.linalg.inv(found["thermal_optical_frame"]) @ found["thermal_reference_link"]
    assert local[:3, 3] == pytest.approx(ThermalCameraModel().reference[:3])


@pytest.mark.parametrize("arguments", [{}, {"gazebo": "true", "namespace": "/robot_1"}], ids=["plain", "gazebo"])
def test_check_urdf_is_clean(tmp_path: Path, arguments: dict[str, str]) -> None:
    program = shutil.which("check_urdf")
    if program is None:
        pytest.skip("check_urdf is not installed (Debian: liburdfdom-tools)")
    file = tmp_path / "robot.urdf"
    file.write_text(urdf(**arguments))
    done = subprocess.run([program, str(file)], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "Successfully Parsed" in done.stdout


def test_the_namespace_reaches_every_topic_of_gazebo() -> None:
    root = ElementTree.fromstring(urdf(gazebo="true", namespace="/robot_1"))
    topics = [e.text for e in root.iter() if e.tag in ("topic", "odom_topic", "tf_topic", "camera_info_topic")]
    assert len(topics) >= 8
    assert all(topic.startswith("/robot_1/") for topic in topics)
