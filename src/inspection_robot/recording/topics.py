"""Which topics are recorded, and which are played back into the nodes."""

from __future__ import annotations

from typing import Final

SENSOR_TOPICS: Final = (
    "scan", "odom", "imu", "battery_state", "thermal/image_raw", "thermal/camera_info", "camera/image_raw",
    "camera/camera_info", "microphone/audio", "map", "tf", "tf_static", "robot_description",
)  # fmt: skip
"""What hardware or the simulator publishes (relative to the robot's namespace): replaying these drives every node."""
CLOCK: Final = "clock"


def is_sensor(topic: str, namespace: str) -> bool:
    """Tell whether a topic of a recording, made in a namespace, is to be played back."""
    name = topic.strip("/")
    inside = name.removeprefix(f"{namespace.strip('/')}/") if namespace.strip("/") else name
    return inside in SENSOR_TOPICS or name in (CLOCK, "tf", "tf_static")


def namespace_of(topics: list[str]) -> str:
    """Return the namespace that a recording was made in: what stands before ``/scan`` or ``/thermal/image_raw``."""
    for topic in topics:
        for sensor in ("scan", "thermal/image_raw", "odom"):
            if topic.endswith(f"/{sensor}"):
                return topic.removesuffix(f"/{sensor}").strip("/")
    return ""


def moved(topic: str, before: str, after: str) -> str:
    """Return a topic of one namespace in another."""
    name = topic.strip("/")
    prefix = before.strip("/")
    if prefix and name.startswith(f"{prefix}/"):
        name = name.removeprefix(f"{prefix}/")
        return f"/{after.strip('/')}/{name}".replace("//", "/")
    return f"/{name}"
