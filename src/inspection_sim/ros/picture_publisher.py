"""Publishes computed thermal pictures at a steady rate: for benchmarks and end-to-end tests of the robot alone."""

from __future__ import annotations

import array
import threading
from collections.abc import Callable
from types import TracebackType

import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image


class PicturePublisher:
    """A node in a thread of its own that publishes ``mono16`` pictures stamped with the moment of publication.

    Args:
        namespace: the robot's namespace.
        topic: relative topic name.
        rate_hz: pictures a second.
        picture: makes the picture for a time since the start [s], shape (height, width) [0.01 K].
    """

    def __init__(
        self, namespace: str, topic: str, rate_hz: float, picture: Callable[[float], NDArray[np.uint16]]
    ) -> None:
        self._names = (namespace, topic)
        self._rate_hz = rate_hz
        self._picture = picture
        self.published = 0

    def __enter__(self) -> PicturePublisher:
        namespace, topic = self._names
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("picture_publisher", namespace=namespace, context=self._context)
        quality = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._publisher = self._node.create_publisher(Image, topic, quality)
        self._timer = self._node.create_timer(1.0 / self._rate_hz, self._publish)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._stopping = False
        self._thread = threading.Thread(target=self._spin, name="pictures")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._executor.wake()
        self._thread.join()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _spin(self) -> None:
        while not self._stopping:
            self._executor.spin_once(timeout_sec=0.5)

    def _publish(self) -> None:
        pixels = self._picture(self.published / self._rate_hz)
        message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding="mono16", is_bigendian=0)
        message.step = int(pixels[0].nbytes)
        message.data = array.array("B", pixels.tobytes())
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = "thermal_optical_frame"
        self._publisher.publish(message)
        self.published += 1
