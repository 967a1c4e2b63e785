"""Stand-in for robot_state_publisher: the robot description and its fixed transforms, where the real one is absent."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import rclpy
import xacro
from defusedxml import ElementTree
from geometry_msgs.msg import TransformStamped
from rclpy.executors import ExternalShutdownException
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from scipy.spatial.transform import Rotation
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from inspection_contract.resources import share

DESCRIPTION = Path("sim") / "robot" / "inspection_robot.urdf.xacro"


def description() -> str:
    """Return the robot's URDF, expanded from xacro."""
    document: Any = xacro.process_file(str(share() / DESCRIPTION))
    text: str = document.toxml()
    return text


def joint_transforms(urdf: str) -> list[tuple[str, str, tuple[float, float, float], tuple[float, float, float, float]]]:
    """Return (parent, child, translation [m], quaternion x y z w) of every joint, wheels at their zero position."""
    root: Element = ElementTree.fromstring(urdf)
    found = []
    for joint in root.findall("joint"):
        parent, child, origin = joint.find("parent"), joint.find("child"), joint.find("origin")
        assert parent is not None and child is not None
        xyz = [0.0] * 3 if origin is None else [float(v) for v in origin.get("xyz", "0 0 0").split()]
        rpy = [0.0] * 3 if origin is None else [float(v) for v in origin.get("rpy", "0 0 0").split()]
        x, y, z, w = (float(v) for v in Rotation.from_euler("xyz", np.array(rpy)).as_quat())
        found.append((str(parent.get("link")), str(child.get("link")), (xyz[0], xyz[1], xyz[2]), (x, y, z, w)))
    return found


def main() -> None:
    """Publish once, latched, and stay for late joiners."""
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("robot_state_publisher")
    signal.signal(signal.SIGINT, lambda *_: rclpy.try_shutdown())
    signal.signal(signal.SIGTERM, lambda *_: rclpy.try_shutdown())
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    urdf = description()
    text = node.create_publisher(String, "robot_description", latched)
    static = node.create_publisher(TFMessage, "/tf_static", latched)
    transforms = []
    for parent, child, xyz, quaternion in joint_transforms(urdf):
        message = TransformStamped(child_frame_id=child)
        message.header.frame_id = parent
        t, r = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = xyz
        r.x, r.y, r.z, r.w = quaternion
        transforms.append(message)
    text.publish(String(data=urdf))
    static.publish(TFMessage(transforms=transforms))
    with contextlib.suppress(ExternalShutdownException):  # a signal: the way this process ends
        rclpy.spin(node)
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
