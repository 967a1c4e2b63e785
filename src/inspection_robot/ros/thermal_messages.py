"""Messages of the thermal node: made from its pure types, and checked where they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
from diagnostic_msgs.msg import KeyValue
from geometry_msgs.msg import PoseWithCovarianceStamped
from inspection_interfaces.msg import Screening
from sensor_msgs.msg import CameraInfo

from inspection_robot.people.camera_sightings import Lens
from inspection_robot.thermal.decision import Stage
from inspection_robot.thermal.placing import Place
from inspection_robot.thermal.screening import PersonReading


def key_values(facts: dict[str, str]) -> list[Any]:
    """Attributes of a finding."""
    return [KeyValue(key=key, value=value) for key, value in facts.items()]


def camera_info(header: Any, width: int, height: int, lens: Lens) -> Any:
    """A pinhole camera without distortion."""
    message = CameraInfo(header=header, width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    message.k = [lens.fx, 0.0, lens.cx, 0.0, lens.fy, lens.cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [lens.fx, 0.0, lens.cx, 0.0, 0.0, lens.fy, lens.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message


def pose_of(frame: str, stamp: Any, place: Place) -> Any:
    """Position with covariance; the thing's heading is not known."""
    message = PoseWithCovarianceStamped()
    message.header.frame_id, message.header.stamp = frame, stamp
    point = message.pose.pose.position
    point.x, point.y, point.z = place.position
    covariance = np.diag([0.0, 0.0, 0.0, 1e3, 1e3, 1e3])
    covariance[:3, :3] = place.covariance
    message.pose.covariance = covariance.ravel()
    return message


def image_fault(message: Any) -> str | None:
    """Say what is wrong with a picture's description, or None."""
    if message.encoding not in ("mono16", "16UC1"):
        return f"pictures of encoding {message.encoding or 'unknown'}, not radiometric (mono16 in 0.01 K is needed)"
    if message.step != 2 * message.width or len(message.data) != message.height * message.step:
        return f"{len(message.data)} bytes for {message.width} × {message.height} pixels of 16 bits"
    return None


def screening_of(header: Any, person: PersonReading) -> Any:
    """A person's reading as it stands."""
    return Screening(
        header=header, track=f"thermal/{person.track}",
        status=Screening.STATUS_OK if person.ok else Screening.STATUS_INDETERMINATE, reason=person.reason or "",
        site=person.site, temperature_c=person.core_celsius, skin_temperature_c=person.skin_celsius,
        uncertainty_c=person.uncertainty_c, alarm=person.stage is Stage.ALARM,
        second_look=person.stage is Stage.SECOND_LOOK, reference_used=person.reference_used, frames=person.frames,
        box_x=person.face.x, box_y=person.face.y, box_width=person.face.width, box_height=person.face.height,
        distance_m=person.distance_m,
    )  # fmt: skip
