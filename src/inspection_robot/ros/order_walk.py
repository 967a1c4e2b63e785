"""Inspection orders on the robot: the action `execute_order`, and the center's orders that start it."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
from inspection_interfaces.action import ExecuteOrder
from inspection_interfaces.msg import Detection, Evidence, Order, OrderProgress, OrderStep
from nav2_msgs.action import NavigateToPose
from rclpy.action import ActionClient
from rclpy.time import Time as RclpyTime
from sensor_msgs.msg import Image

from inspection_contract.fields import EvidenceReference
from inspection_robot.documents.codes import read_codes
from inspection_robot.documents.payloads import interpret
from inspection_robot.evidence import EvidenceError, EvidenceStore, default_folder
from inspection_robot.interception.checklist import (
    Checklist,
    ChecklistError,
    OrderState,
    Step,
    StepKind,
    accept,
)
from inspection_robot.interception.checklist_walk import walk
from inspection_robot.ros import qos
from inspection_robot.ros.images import to_bgr

FRESH_PICTURE_S = 5.0
CONTAINER_S = 10.0
SWEEP_S = 5.0
TRAVEL_S = 300.0


class OrderWalk:
    """Serves `execute_order`, and gives itself the center's orders of kind `inspection`. Make it in ``configure``.

    Args:
        node: an :class:`~inspection_robot.ros.node.InspectionNode`.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
        self._evidence = EvidenceStore(default_folder())
        self._stored: dict[str, EvidenceReference] = {}
        self._progress = node.create_publisher(OrderProgress, "order_progress", qos.ALARM)
        node.create_subscription(Image, "camera/image_raw", self._on_image, qos.SENSOR)
        node.create_subscription(Detection, "detections", self._on_detection, qos.ALARM)
        node.create_subscription(Order, "orders", self._on_order, qos.ALARM)
        node.create_action_server(ExecuteOrder, "execute_order", self._execute)
        self._own = ActionClient(node, ExecuteOrder, "execute_order")
        self._navigate = ActionClient(node, NavigateToPose, "navigate_to_pose")
        self._begun: dict[str, int] = {}
        self._picture: tuple[float, Any] | None = None
        self._heard: list[str] | None = None
        self._goal: Any = None

    def destroy(self) -> None:
        """Close the clients."""
        self._own.destroy()
        self._navigate.destroy()

    def _on_image(self, message: Any) -> None:
        self._picture = (time.monotonic(), message)

    def _on_detection(self, message: Any) -> None:
        if self._heard is not None:
            self._heard.append(message.kind)

    def _on_order(self, message: Any) -> None:
        # Orders come again to a restarted subscriber: a revision is walked once.
        if message.kind != "inspection" or self._begun.get(message.order_id, -1) >= message.revision:
            return
        if self._node.is_active and self._own.server_is_ready():
            self._begun[message.order_id] = message.revision
            self._own.send_goal_async(ExecuteOrder.Goal(order=message))

    def _execute(self, goal: Any) -> Any:
        result, order = ExecuteOrder.Result(), goal.request.order
        if self._goal is not None:
            result.progress = OrderProgress(
                order_id=order.order_id, state="failed", reason="another order is under way"
            )
            goal.abort()
            return result
        self._goal = goal
        try:
            ended = walk(_checklist(order, self.now_s()), self, self._tell)
        except (ChecklistError, ValueError) as error:
            result.progress = OrderProgress(
                order_id=order.order_id, revision=order.revision, state="failed", reason=str(error)
            )
            self._progress.publish(result.progress)
            goal.abort()
            return result
        finally:
            self._goal = None
        result.progress = self._message(ended)
        if goal.is_cancel_requested:
            goal.canceled()
        elif ended.state is OrderState.DONE:
            goal.succeed()
        else:
            goal.abort()
        return result

    def _tell(self, order: Checklist) -> None:
        message = self._message(order)
        self._progress.publish(message)
        if self._goal is not None:
            self._goal.publish_feedback(ExecuteOrder.Feedback(progress=message))

    def _message(self, order: Checklist) -> Any:
        message = OrderProgress(
            order_id=order.order_id, revision=order.revision, state=order.state.value, reason=order.reason,
            steps=[
                OrderStep(
                    id=step.id, kind=step.kind.value, required=step.required, state=step.state.value,
                    result=step.result, evidence=[self._reference(digest) for digest in step.evidence],
                )
                for step in order.steps
            ],
        )  # fmt: skip
        message.header.stamp = self._node.get_clock().now().to_msg()
        return message

    def _reference(self, digest: str) -> Any:
        stored = self._stored[digest]
        return Evidence(
            sha256=stored.sha256, media_type=stored.media_type, size_bytes=stored.size_bytes, role=stored.role,
            retention=stored.retention,
        )  # fmt: skip

    # The body of the walk.

    def now_s(self) -> float:
        """Node's clock [s]."""
        return float(self._node.get_clock().now().nanoseconds / 1e9)

    def cancelled(self) -> bool:
        """Whether the goal is to end."""
        return self._goal is None or bool(self._goal.is_cancel_requested)

    def go_to_place(self) -> None:
        """Drive to the order's place by Nav2; an order without a place is done where the robot stands."""
        place = self._goal.request.order.place
        if not place.header.frame_id:
            return
        if not self._navigate.server_is_ready():
            raise ChecklistError("navigation does not answer")
        handle = self._wait(self._navigate.send_goal_async(NavigateToPose.Goal(pose=place)), 10.0)
        if handle is None or not handle.accepted:
            raise ChecklistError("navigation refuses the place")
        outcome = self._wait(handle.get_result_async(), TRAVEL_S)
        if outcome is None:
            handle.cancel_goal_async()
            raise ChecklistError("the place was not reached in time")
        if outcome.status != 4:  # action_msgs/GoalStatus.STATUS_SUCCEEDED
            raise ChecklistError("the place was not reached")

    def take_picture(self) -> str:
        """Store the newest camera picture."""
        done, png = cv2.imencode(".png", self._newest())
        if not done:
            raise ChecklistError("the picture cannot be encoded")
        try:
            stored = self._evidence.put(png.tobytes(), "image/png", "photo", "incident")
        except EvidenceError as error:
            raise ChecklistError(str(error)) from error
        self._stored[stored.sha256] = stored
        return stored.sha256

    def read_container_number(self) -> str:
        """A container number coded in view; what is only painted is the officer's to type."""
        deadline = time.monotonic() + CONTAINER_S
        while time.monotonic() < deadline and not self.cancelled():
            gray = np.asarray(cv2.cvtColor(self._newest(), cv2.COLOR_BGR2GRAY), np.uint8)
            for code in read_codes(gray):
                parsed = interpret(code)
                if parsed.kind == "container" and parsed.valid:
                    return parsed.fields["number"]
            self._goal.wait(0.3)
        raise ChecklistError("no container number in view")

    def sweep(self) -> str:
        """Listen to the sensors."""
        self._heard = []
        self._goal.wait(SWEEP_S)
        heard, self._heard = self._heard, None
        return " ".join(sorted(set(heard))) or "nothing"

    def _newest(self) -> Any:
        if self._picture is None or time.monotonic() - self._picture[0] > FRESH_PICTURE_S:
            raise ChecklistError("the camera sends no pictures")
        return to_bgr(self._picture[1])

    def _wait(self, future: Any, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while not future.done():
            if time.monotonic() > deadline or self._goal.wait(0.1):
                return None
        return future.result()


def _checklist(order: Any, now_s: float) -> Checklist:
    """The checklist of an Order message.

    Raises:
        ChecklistError: no steps, doubled ids, or expired.
        ValueError: a step of an unknown kind.
    """
    steps = [Step(step.id, StepKind(step.kind), bool(step.required)) for step in order.steps]
    expires_s = RclpyTime.from_msg(order.expires).nanoseconds / 1e9
    return accept(order.order_id, int(order.revision), expires_s, steps, now_s)
