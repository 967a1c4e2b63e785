"""Cameras in processes of their own: rays and rendering hold the interpreter's lock."""

from __future__ import annotations

import contextlib
import queue
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inspection_sim.ros.children import CONTEXT, Child
from inspection_sim.sensors.mounts import RGB_CAMERA, THERMAL_CAMERA, mounted
from inspection_sim.simulation import Setting

RGB_RATE_HZ: Final = 2.0


@dataclass(frozen=True)
class Shot:
    """What a camera is to see: time [s], pose of the robot, poses of the moving models, the fault that holds or ""."""

    time_s: float
    robot: tuple[float, float, float]
    position: NDArray[np.float64]
    yaw: NDArray[np.float64]
    fault: str


class CameraProcess:
    """A camera's process, fed with shots; a shot is dropped and counted when the camera is still busy with two."""

    def __init__(
        self, target: Callable[[Setting, Queue[Shot | None], list[str]], None], setting: Setting, arguments: list[str]
    ) -> None:
        """Start the process; ``arguments`` are the ROS arguments of the command line."""
        self._queue: Queue[Shot | None] = CONTEXT.Queue(maxsize=2)
        self._process = Child(target, setting, self._queue, arguments)
        self.dropped = 0

    def shoot(self, shot: Shot) -> None:
        """Ask for a picture."""
        try:
            self._queue.put_nowait(shot)
        except queue.Full:
            self.dropped += 1

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.alive()

    def stop(self) -> None:
        """End the process."""
        if self._process.alive():
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=1.0)
        self._process.stop()
        self._queue.cancel_join_thread()


def _shots(shots: Queue[Shot | None]) -> Iterator[Shot]:
    """Yield shots until the parent says stop."""
    while (shot := shots.get()) is not None:
        yield shot


def _node(name: str, arguments: list[str]) -> Any:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the simulator ends us
    rclpy.init(args=[name, *arguments], signal_handler_options=SignalHandlerOptions.NO)
    return rclpy.create_node(name)


def thermal_camera(setting: Setting, shots: Queue[Shot | None], arguments: list[str]) -> None:
    """Publish ``thermal/image_raw`` and ``thermal/camera_info`` for every shot (entry point of the process)."""
    from sensor_msgs.msg import CameraInfo, Image

    from inspection_sim.ros import messages
    from inspection_sim.ros.qos import SENSOR
    from inspection_sim.sensors.thermal_camera import ThermalCamera, ThermalCameraModel

    model = ThermalCameraModel()
    camera = ThermalCamera(setting.world, model, np.random.default_rng([setting.seed, 6]))
    node = _node("simulated_thermal_camera", arguments)
    pictures = node.create_publisher(Image, "thermal/image_raw", SENSOR)
    infos = node.create_publisher(CameraInfo, "thermal/camera_info", SENSOR)
    picture: NDArray[np.uint16] | None = None
    corrected = False
    for shot in _shots(shots):
        if shot.fault == "flat_field_correction" and not corrected:
            camera.start_flat_field_correction(shot.time_s)
        corrected = shot.fault == "flat_field_correction"
        if shot.fault == "drop_out":
            continue
        if picture is None or shot.fault != "frozen":
            position, rotation = mounted(THERMAL_CAMERA, shot.robot)
            picture = camera.frame(shot.time_s, position, rotation, shot.position, shot.yaw)
        time = messages.stamp(shot.time_s)
        pictures.publish(messages.image(time, THERMAL_CAMERA.frame, picture, "mono16"))
        infos.publish(messages.camera_info(time, THERMAL_CAMERA.frame, model.width, model.height, model.focal_px))


def rgb_camera(setting: Setting, shots: Queue[Shot | None], arguments: list[str]) -> None:
    """Publish ``camera/image_raw`` and ``camera/camera_info`` for every shot (entry point of the process)."""
    from inspection_sim.sensors.rgb_camera import RgbCamera, RgbCameraModel

    model = RgbCameraModel()
    try:
        camera = RgbCamera(setting.world, model)
    except RuntimeError as error:
        print(f"simulator: no RGB picture: {error}", file=sys.stderr, flush=True)
        return
    from sensor_msgs.msg import CameraInfo, Image

    from inspection_sim.ros import messages
    from inspection_sim.ros.qos import SENSOR

    node = _node("simulated_rgb_camera", arguments)
    pictures = node.create_publisher(Image, "camera/image_raw", SENSOR)
    infos = node.create_publisher(CameraInfo, "camera/camera_info", SENSOR)
    picture: NDArray[np.uint8] | None = None
    for shot in _shots(shots):
        if shot.fault == "drop_out":
            continue
        if picture is None or shot.fault != "frozen":
            position, rotation = mounted(RGB_CAMERA, shot.robot)
            picture = camera.frame(position, rotation, shot.position, shot.yaw)
        time = messages.stamp(shot.time_s)
        pictures.publish(messages.image(time, RGB_CAMERA.frame, picture, "rgb8"))
        infos.publish(messages.camera_info(time, RGB_CAMERA.frame, model.width, model.height, model.focal_px))
