"""Gazebo's ideal thermal picture in, a real camera's picture out: ``thermal/image_ideal`` → ``thermal/image_raw``."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from inspection_sim.ros import messages, qos
from inspection_sim.sensors.detector import real_picture
from inspection_sim.sensors.mounts import THERMAL_CAMERA
from inspection_sim.sensors.thermal_camera import ThermalCameraModel
from inspection_sim.world.sdf import Air


class GazeboThermal(Node):  # type: ignore[misc]  # rclpy has no type information
    """Adds the radiometry stage to every picture."""

    def __init__(self, **options: Any) -> None:
        super().__init__("gazebo_thermal", **options)
        self._air = Air(
            self.declare_parameter("air_temperature_c", 22.0).value,
            self.declare_parameter("relative_humidity", 0.45).value,
        )
        self._model = ThermalCameraModel()
        self._generator = np.random.default_rng(self.declare_parameter("seed", 1).value)
        self._offset_k = float(self._generator.normal(0.0, self._model.unit_offset_k))
        self._pictures = self.create_publisher(Image, "thermal/image_raw", qos.SENSOR)
        self.create_subscription(Image, "thermal/image_ideal", self._take, qos.SENSOR)

    def _take(self, message: Any) -> None:
        if message.encoding not in ("mono16", "16UC1") or len(message.data) != 2 * message.width * message.height:
            self.get_logger().warning(
                f"picture left out: {message.encoding}, {len(message.data)} bytes; 16-bit expected",
                throttle_duration_sec=5.0,
            )
            return
        ideal = np.frombuffer(message.data, dtype="<u2").reshape(message.height, message.width)
        picture = real_picture(ideal, self._air, self._model, self._offset_k, self._generator)
        self._pictures.publish(messages.image(message.header.stamp, THERMAL_CAMERA.frame, picture, "mono16"))


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    node = GazeboThermal()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: rclpy.try_shutdown())
    with contextlib.suppress(ExternalShutdownException):  # a signal: the way this process ends
        rclpy.spin(node)
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
