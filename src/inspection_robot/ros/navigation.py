"""Drives to poses through Nav2's NavigateToPose: acceptance and result are checked, every wait has an end."""

from __future__ import annotations

from typing import Any

from action_msgs.msg import GoalStatus
from nav2_msgs.action import NavigateToPose
from rclpy.action import ActionClient

from inspection_robot.ros.frames import pose_stamped
from inspection_robot.ros.transforms import planar
from inspection_robot.ros.travel import Travel

SERVER_PATIENCE_S = 10.0
ANSWER_PATIENCE_S = 5.0


class NavigationClient:
    """One journey at a time. All calls come from the node's executor; nothing waits.

    Args:
        node: makes the client; destroyed with its configured phase by :meth:`destroy`.
        longest_travel_s: a journey that takes longer is cancelled and has failed.
        frame: frame of the poses.
    """

    def __init__(self, node: Any, longest_travel_s: float, frame: str = "map") -> None:
        self._node = node
        self._frame = frame
        self._longest_travel_s = longest_travel_s
        self._client = ActionClient(node, NavigateToPose, "navigate_to_pose")
        self._journey = 0
        self._travel = Travel("arrived")
        self._deadline_s = 0.0
        self._expired = ""
        self._wanted: Any = None
        self._handle: Any = None
        self.distance_remaining_m = 0.0

    def go(self, x: float, y: float, yaw: float) -> None:
        """Start to drive to a pose [m, rad]; a journey under way is replaced."""
        self.cancel()
        self._journey += 1
        self._travel = Travel("driving")
        self._wanted = planar(x, y, yaw)
        self._wait(SERVER_PATIENCE_S, "navigation is not there")
        self._send()

    def cancel(self) -> None:
        """Stop; the journey counts as failed."""
        if self._travel.state != "driving":
            return
        self._journey += 1  # answers of the old journey are no longer listened to
        if self._handle is not None:
            self._handle.cancel_goal_async()
            self._handle = None
        self._wanted = None
        self._travel = Travel("failed", "cancelled")

    def travel(self) -> Travel:
        """How the journey stands; called at every tick, which is what ends waits that take too long."""
        if self._travel.state == "driving":
            if self._wanted is not None:
                self._send()
            if self._now_s() > self._deadline_s:
                reason = self._expired
                self.cancel()
                self._travel = Travel("failed", reason)
        return self._travel

    def destroy(self) -> None:
        """Stop and close."""
        self.cancel()
        self._client.destroy()

    def _send(self) -> None:
        if not self._client.server_is_ready():
            return  # travel() tries again until the wait is over
        pose = pose_stamped(self._frame, self._node.get_clock().now().to_msg(), self._wanted)
        self._wanted = None
        journey = self._journey
        self._wait(ANSWER_PATIENCE_S, "navigation does not answer")

        def progressed(message: Any) -> None:
            if journey == self._journey:
                self.distance_remaining_m = float(message.feedback.distance_remaining)

        sent = self._client.send_goal_async(NavigateToPose.Goal(pose=pose), feedback_callback=progressed)
        self._node.when_done(sent, lambda done: self._accepted(journey, done))

    def _accepted(self, journey: int, done: Any) -> None:
        handle = done.result()
        if journey != self._journey:
            if handle is not None and handle.accepted:
                handle.cancel_goal_async()  # cancelled before it was accepted
            return
        if handle is None or not handle.accepted:
            self._travel = Travel("failed", "navigation rejects the goal")
            return
        self._handle = handle
        self._wait(self._longest_travel_s, f"takes longer than {self._longest_travel_s:g} s")
        self._node.when_done(handle.get_result_async(), lambda result: self._ended(journey, result))

    def _ended(self, journey: int, done: Any) -> None:
        if journey != self._journey:
            return
        self._handle = None
        answer = done.result()
        if answer.status == GoalStatus.STATUS_SUCCEEDED:
            self._travel = Travel("arrived")
        elif answer.status == GoalStatus.STATUS_CANCELED:
            self._travel = Travel("failed", "somebody cancelled the goal")
        else:
            code = answer.result.error_code
            self._travel = Travel("failed", f"navigation aborts the goal (error code {code})")

    def _wait(self, seconds: float, expired: str) -> None:
        self._deadline_s, self._expired = self._now_s() + seconds, expired

    def _now_s(self) -> float:
        return float(self._node.get_clock().now().nanoseconds) / 1e9
