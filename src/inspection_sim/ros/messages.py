"""Plain values → ROS messages, the fast ways (arrays, not lists)."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, TransformStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import BatteryState, CameraInfo, Image, Imu, LaserScan

from inspection_sim.sensors import base
from inspection_sim.sensors.base import BaseState
from inspection_sim.sensors.lidar import LidarModel
from inspection_sim.world.grid import Grid


def stamp(time_s: float) -> Time:
    """Return simulated seconds as a message."""
    nanoseconds = round(time_s * 1e9)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def yaw_quaternion(yaw: float) -> Quaternion:
    """Return a rotation about z [rad]."""
    return Quaternion(z=float(np.sin(yaw / 2)), w=float(np.cos(yaw / 2)))


def yaw_of(quaternion: Any) -> float:
    """Return the heading of a rotation [rad]."""
    q = quaternion
    return float(np.arctan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z)))


def transform(time: Time, parent: str, child: str, x: float, y: float, yaw: float) -> TransformStamped:
    """Return a planar transform."""
    message = TransformStamped()
    message.header.stamp, message.header.frame_id, message.child_frame_id = time, parent, child
    message.transform.translation.x, message.transform.translation.y = float(x), float(y)
    message.transform.rotation = yaw_quaternion(yaw)
    return message


def image(time: Time, frame: str, picture: NDArray[Any], encoding: str) -> Image:
    """Return a picture: (h, w) uint16 for mono16, (h, w, 3) uint8 for rgb8."""
    height, width = picture.shape[:2]
    message = Image(height=height, width=width, encoding=encoding, is_bigendian=0, step=picture.strides[0])
    message.header.stamp, message.header.frame_id = time, frame
    message.data = array.array("B", np.ascontiguousarray(picture).tobytes())
    return message


def camera_info(time: Time, frame: str, width: int, height: int, focal_px: float) -> CameraInfo:
    """Return the pinhole model of an undistorted camera with square pixels."""
    cx, cy = (width - 1) / 2, (height - 1) / 2
    message = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    message.header.stamp, message.header.frame_id = time, frame
    message.k = np.array([focal_px, 0, cx, 0, focal_px, cy, 0, 0, 1], dtype=np.float64)
    message.r = np.eye(3).ravel()
    message.p = np.array([focal_px, 0, cx, 0, 0, focal_px, cy, 0, 0, 0, 1, 0], dtype=np.float64)
    return message


def scan(time: Time, frame: str, model: LidarModel, ranges: NDArray[np.float32]) -> LaserScan:
    """Return one lidar turn."""
    message = LaserScan(
        angle_min=float(model.angle_min), angle_max=float(model.angle_min + model.angle_increment * (model.rays - 1)),
        angle_increment=float(model.angle_increment), scan_time=1.0 / model.rate_hz, time_increment=0.0,
        range_min=model.nearest_m, range_max=model.farthest_m, ranges=array.array("f", ranges.tobytes()),
    )  # fmt: skip
    message.header.stamp, message.header.frame_id = time, frame
    return message


def odometry(time: Time, state: BaseState) -> Odometry:
    """Return wheel odometry with its covariance."""
    message = Odometry(child_frame_id="base_link")
    message.header.stamp, message.header.frame_id = time, "odom"
    message.pose.pose.position.x, message.pose.pose.position.y = float(state.odom_x), float(state.odom_y)
    message.pose.pose.orientation = yaw_quaternion(state.odom_yaw)
    message.twist.twist.linear.x, message.twist.twist.angular.z = float(state.v), float(state.w)
    pose = np.diag([1e-3, 1e-3, 1e6, 1e6, 1e6, 4e-3])
    message.pose.covariance = pose.ravel()
    message.twist.covariance = (pose * 0.1).ravel()
    return message


def imu(time: Time, frame: str, angular: NDArray[np.float64], linear: NDArray[np.float64]) -> Imu:
    """Return an inertial measurement; orientation is not measured (REP-145: covariance −1)."""
    message = Imu()
    message.header.stamp, message.header.frame_id = time, frame
    message.angular_velocity.x, message.angular_velocity.y, message.angular_velocity.z = map(float, angular)
    message.linear_acceleration.x, message.linear_acceleration.y, message.linear_acceleration.z = map(float, linear)
    message.orientation_covariance[0] = -1.0
    message.angular_velocity_covariance = (np.eye(3) * base.GYRO_NOISE**2).ravel()
    message.linear_acceleration_covariance = (np.eye(3) * base.ACCELEROMETER_NOISE**2).ravel()
    return message


def battery(time: Time, state: BaseState, charging: bool) -> BatteryState:
    """Return the battery's state."""
    status = BatteryState.POWER_SUPPLY_STATUS_CHARGING if charging else BatteryState.POWER_SUPPLY_STATUS_DISCHARGING
    message = BatteryState(
        voltage=base.voltage(state), percentage=state.energy_wh / base.CAPACITY_WH, power_supply_status=status,
        power_supply_technology=BatteryState.POWER_SUPPLY_TECHNOLOGY_LION, present=True,
        design_capacity=base.CAPACITY_WH / base.VOLTAGE[1],
        temperature=float("nan"), current=float("nan"), charge=float("nan"), capacity=float("nan"),
    )  # fmt: skip
    message.header.stamp, message.header.frame_id = time, "base_link"
    return message


def occupancy(time: Time, grid: Grid) -> OccupancyGrid:
    """Return the floor plan as a map: 0 free, 100 occupied."""
    message = OccupancyGrid()
    message.header.stamp, message.header.frame_id = time, "map"
    message.info.resolution = float(grid.resolution)
    message.info.height, message.info.width = grid.occupied.shape
    message.info.origin.position.x, message.info.origin.position.y = map(float, grid.origin)
    message.info.origin.orientation.w = 1.0
    message.data = array.array("b", (grid.occupied * 100).astype(np.int8).tobytes())
    return message
