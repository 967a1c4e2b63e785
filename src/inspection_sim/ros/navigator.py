"""Stand-in for Nav2: the same `navigate_to_pose` action over a grid planner, pure pursuit and an obstacle stop.

Velocities go to ``cmd_vel_nav``, as Nav2's do on the robot; the drive node decides what becomes of them.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from typing import Any, Final

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped, Twist
from nav2_msgs.action import NavigateToPose
from nav2_msgs.msg import SpeedLimit
from nav_msgs.msg import OccupancyGrid, Path
from numpy.typing import NDArray
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from scipy.ndimage import distance_transform_edt
from sensor_msgs.msg import LaserScan
from tf2_msgs.msg import TFMessage

from inspection_sim import navigation
from inspection_sim.navigation import FAILED_TO_MAKE_PROGRESS, PlanError
from inspection_sim.ros import messages, qos
from inspection_sim.sensors.mounts import LIDAR
from inspection_sim.world.grid import Grid

RATE_HZ: Final = 10.0
REPLAN_AFTER_S: Final = 4.0
"""Held up so long, it plans around what the scan shows."""
GIVE_UP_AFTER_S: Final = 40.0
"""Without progress so long, the goal is aborted."""
PROGRESS_M: Final = 0.3
SCAN_LIFE_S: Final = 0.5


class Navigator(Node):  # type: ignore[misc]  # rclpy has no type information
    """Serves one goal at a time; a new goal replaces the one before, as in Nav2."""

    def __init__(self) -> None:
        super().__init__("navigator")
        self._grid: Grid | None = None
        self._odom: tuple[float, float, float] | None = None
        self._map_to_odom: tuple[float, float, float] | None = None
        self._points: NDArray[np.float64] = np.empty((0, 2))
        self._scan_at_s = -1e9
        self._goal: Any = None
        self._cruise = navigation.CRUISE_M_S
        self._lock = threading.Lock()
        group = ReentrantCallbackGroup()
        self.create_subscription(OccupancyGrid, "map", self._take_map, qos.STATE)
        self.create_subscription(TFMessage, "/tf", self._take_transforms, qos.TRANSFORM)
        self.create_subscription(LaserScan, "scan", self._take_scan, qos.SENSOR)
        self._velocity = self.create_publisher(Twist, "cmd_vel_nav", qos.COMMAND)
        self._path = self.create_publisher(Path, "plan", qos.STATE)
        self._server = ActionServer(
            self, NavigateToPose, "navigate_to_pose", self._execute, callback_group=group,
            goal_callback=self._accept, cancel_callback=lambda _: CancelResponse.ACCEPT,
        )  # fmt: skip
        self.create_subscription(SpeedLimit, "speed_limit", self._take_speed_limit, qos.STATE)
        self.create_subscription(PoseStamped, "goal_pose", self._take_goal_pose, 1, callback_group=group)
        self._own_goals: Any = None

    def now_s(self) -> float:
        """Return the node's time [s]."""
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def pose(self) -> tuple[float, float, float] | None:
        """Return the robot's pose in the map as localisation and odometry have it; None before both were heard."""
        if self._odom is None or self._map_to_odom is None:
            return None
        x, y, turn = self._map_to_odom
        cos, sin = np.cos(turn), np.sin(turn)
        ox, oy, oyaw = self._odom
        return (
            float(x + cos * ox - sin * oy),
            float(y + sin * ox + cos * oy),
            float((oyaw + turn + np.pi) % (2 * np.pi) - np.pi),
        )

    def _take_map(self, message: Any) -> None:
        info = message.info
        occupied = np.array(message.data, dtype=np.int8).reshape(info.height, info.width) > 50
        outside = distance_transform_edt(~occupied) - distance_transform_edt(occupied)
        self._grid = Grid(
            occupied, (info.origin.position.x, info.origin.position.y), info.resolution, outside * info.resolution
        )

    def _take_transforms(self, message: Any) -> None:
        for item in message.transforms:
            t = item.transform
            planar = (t.translation.x, t.translation.y, messages.yaw_of(t.rotation))
            if item.child_frame_id == "base_link":
                self._odom = planar
            elif item.child_frame_id == "odom":
                self._map_to_odom = planar

    def _take_scan(self, message: Any) -> None:
        ranges = np.frombuffer(message.ranges, dtype=np.float32)
        self._points = navigation.scan_points(ranges, message.angle_min, message.angle_increment, LIDAR.x)
        self._scan_at_s = self.now_s()

    def _take_speed_limit(self, message: Any) -> None:
        """Take the speed others ask for [m/s, or percent of ours]; 0 lifts the limit, as in Nav2."""
        limit = message.speed_limit * (navigation.CRUISE_M_S / 100.0 if message.percentage else 1.0)
        self._cruise = min(limit, navigation.CRUISE_M_S) if limit > 0.0 else navigation.CRUISE_M_S

    def _take_goal_pose(self, message: Any) -> None:
        """Hand RViz's 2D goal to our own server, as Nav2 does."""
        from rclpy.action import ActionClient

        if self._own_goals is None:
            self._own_goals = ActionClient(self, NavigateToPose, "navigate_to_pose")
        self._own_goals.send_goal_async(NavigateToPose.Goal(pose=message))

    def _accept(self, request: Any) -> Any:
        frame = request.pose.header.frame_id
        if frame not in ("map", ""):
            self.get_logger().warning(f"goal refused: it is in frame {frame!r}, not in the map")
            return GoalResponse.REJECT
        if not np.isfinite([request.pose.pose.position.x, request.pose.pose.position.y]).all():
            self.get_logger().warning("goal refused: its position is not finite")
            return GoalResponse.REJECT
        if self._grid is None or self.pose() is None:
            self.get_logger().warning("goal refused: no map or no localisation yet")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _execute(self, handle: Any) -> Any:
        """Drive until arrived, cancelled, replaced or stuck (runs in a thread of the executor)."""
        with self._lock:
            self._goal = handle
        result = NavigateToPose.Result()
        target = handle.request.pose.pose
        goal = (target.position.x, target.position.y)
        yaw = messages.yaw_of(target.orientation)
        try:
            self._drive(handle, goal, yaw)
        except PlanError as error:
            self.get_logger().warning(f"goal aborted: {error}")
            result.error_code = error.code
            handle.abort()
        finally:
            self._velocity.publish(Twist())
        return result

    def _drive(self, handle: Any, goal: tuple[float, float], yaw: float) -> None:
        """Follow the plan; leaves the handle in its final state unless it raises."""
        grid, pose = self._grid, self.pose()
        assert grid is not None and pose is not None  # checked when the goal was accepted
        path = self._plan(grid, pose, goal, with_scan=False)
        began_s = held_since_s = progress_at_s = self.now_s()
        progress_left = np.inf
        recoveries = 0
        rate = self.create_rate(RATE_HZ, self.get_clock())
        while rclpy.ok():
            rate.sleep()
            now_s, pose = self.now_s(), self.pose() or pose
            if handle.is_cancel_requested:
                handle.canceled()
                return
            with self._lock:
                replaced = self._goal is not handle
            if replaced:
                handle.abort()
                return
            blind = now_s - self._scan_at_s > SCAN_LIFE_S
            command = navigation.pursue(path, yaw, pose, self._points, self._cruise)
            if command.arrived:
                handle.succeed()
                return
            left = float(np.hypot(goal[0] - pose[0], goal[1] - pose[1]))
            if left < progress_left - PROGRESS_M or (command.v == 0 and not command.held and not blind):
                progress_left, progress_at_s = min(left, progress_left), now_s
            if now_s - progress_at_s > GIVE_UP_AFTER_S:
                raise PlanError(FAILED_TO_MAKE_PROGRESS, f"no progress for {GIVE_UP_AFTER_S:.0f} s")
            held_since_s = held_since_s if command.held or blind else now_s
            if now_s - held_since_s > REPLAN_AFTER_S and not blind:
                recoveries, held_since_s = recoveries + 1, now_s
                path = self._around(grid, pose, goal, path)
            self._send(command, blind)
            self._report(handle, pose, path, now_s - began_s, recoveries)

    def _around(
        self, grid: Grid, pose: tuple[float, float, float], goal: tuple[float, float], path: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Plan around what the scan shows; keep the old path when there is no other, since people move on."""
        try:
            return self._plan(grid, pose, goal, with_scan=True)
        except PlanError as error:
            self.get_logger().info(f"waiting: {error}")
            return path

    def _plan(
        self, grid: Grid, pose: tuple[float, float, float], goal: tuple[float, float], with_scan: bool
    ) -> NDArray[np.float64]:
        seen = navigation.to_map(self._points, pose) if with_scan else None
        path = navigation.plan(grid, pose[:2], goal, seen)
        message = Path()
        message.header.frame_id, message.header.stamp = "map", self.get_clock().now().to_msg()
        for x, y in path[::3]:
            point = PoseStamped(header=message.header)
            point.pose.position.x, point.pose.position.y = float(x), float(y)
            message.poses.append(point)
        self._path.publish(message)
        return path

    def _send(self, command: navigation.Command, blind: bool) -> None:
        """Publish a velocity; without a fresh scan the robot stands still."""
        twist = Twist()
        if not blind:
            twist.linear.x, twist.angular.z = float(command.v), float(command.w)
        self._velocity.publish(twist)

    def _report(
        self, handle: Any, pose: tuple[float, float, float], path: NDArray[np.float64], taken_s: float, recoveries: int
    ) -> None:
        feedback = NavigateToPose.Feedback(number_of_recoveries=recoveries)
        feedback.current_pose.header.frame_id = "map"
        feedback.current_pose.pose.position.x, feedback.current_pose.pose.position.y = pose[0], pose[1]
        feedback.current_pose.pose.orientation = messages.yaw_quaternion(pose[2])
        feedback.navigation_time.sec = int(taken_s)
        nearest = int(np.argmin(np.linalg.norm(path - np.array(pose[:2]), axis=1)))
        feedback.distance_remaining = float(np.linalg.norm(np.diff(path[nearest:], axis=0), axis=1).sum())
        handle.publish_feedback(feedback)


def main() -> None:
    """Run the navigator until SIGINT or SIGTERM."""
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    node = Navigator()
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(node)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: rclpy.try_shutdown())
    with contextlib.suppress(ExternalShutdownException):  # a signal: the way this process ends
        executor.spin()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
