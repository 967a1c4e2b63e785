"""Frames of a node: lookups over tf2_ros where it is installed, else over our own buffer with the same semantics.

Transforms travel on ``/tf`` and ``/tf_static``; launch files remap both into the robot's namespace, as Nav2 does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, TransformStamped
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from inspection_robot.ros.transform_buffer import (
    NotConnectedError,
    OutsideTimeError,
    TransformBuffer,
    TransformError,
    UnknownFrameError,
)
from inspection_robot.ros.transforms import Transform

try:
    import tf2_ros
except ImportError:
    tf2_ros = None

__all__ = ["Frames", "NotConnectedError", "OutsideTimeError", "TransformError", "UnknownFrameError"]

DYNAMIC_QOS = QoSProfile(depth=100, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
STATIC_QOS = QoSProfile(
    depth=100,
    history=HistoryPolicy.KEEP_LAST,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
RETRY_PERIOD_S = 0.02


class _Lookup(Protocol):
    def lookup(self, target: str, source: str, stamp_ns: int | None = None) -> Transform: ...


class Frames:
    """Transforms for one node. Make it in ``configure``; it ends with the node's configured phase.

    Args:
        node: an :class:`~inspection_robot.ros.node.InspectionNode` or any rclpy node.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
        self._lookup: _Lookup = _Tf2Buffer(node) if tf2_ros is not None else _OwnBuffer(node)
        self._dynamic: Any = None
        self._static: Any = None
        self._static_transforms: dict[str, TransformStamped] = {}

    def lookup(self, target: str, source: str, stamp: Any = None) -> Transform:
        """What takes points of ``source`` into ``target``; never waits.

        Args:
            target: frame to express in.
            source: frame of the data.
            stamp: builtin_interfaces/Time of the data; None for the newest common time.

        Raises:
            TransformError: or one of its subclasses, naming the frames.
        """
        return self._lookup.lookup(target, source, None if stamp is None else Time.from_msg(stamp).nanoseconds)

    def when_available(
        self,
        target: str,
        source: str,
        stamp: Any,
        then: Callable[[Transform], None],
        otherwise: Callable[[TransformError], None],
        timeout_s: float = 0.5,
    ) -> None:
        """Look up without blocking the executor: ``then`` now or as soon as it is there, ``otherwise`` after the time.

        Data and the transform for its time arrive in any order, so the newest data often has to wait a little.
        """
        deadline = self._node.get_clock().now() + Duration(nanoseconds=int(timeout_s * 1e9))

        def attempt() -> bool:
            try:
                transform = self.lookup(target, source, stamp)
            except TransformError as error:
                if error.later and self._node.get_clock().now() < deadline:
                    return False
                otherwise(error)
                return True
            then(transform)
            return True

        if attempt():
            return

        def again() -> None:
            if attempt():
                timer.cancel()
                self._node.destroy_timer(timer)

        timer = self._node.create_timer(RETRY_PERIOD_S, again)

    def broadcast(self, parent: str, child: str, stamp: Any, transform: Transform) -> None:
        """Publish where ``child`` is in ``parent`` at a time (builtin_interfaces/Time)."""
        if self._dynamic is None:
            self._dynamic = self._node.create_publisher(TFMessage, "/tf", DYNAMIC_QOS)
        self._dynamic.publish(TFMessage(transforms=[to_message(parent, child, stamp, transform)]))

    def broadcast_static(self, parent: str, child: str, transform: Transform) -> None:
        """Publish where ``child`` is in ``parent`` for good; late joiners get it too."""
        if self._static is None:
            self._static = self._node.create_publisher(TFMessage, "/tf_static", STATIC_QOS)
        stamp = self._node.get_clock().now().to_msg()
        self._static_transforms[child] = to_message(parent, child, stamp, transform)
        self._static.publish(TFMessage(transforms=list(self._static_transforms.values())))


class _OwnBuffer(TransformBuffer):
    """Our buffer, fed from the topics."""

    def __init__(self, node: Any) -> None:
        super().__init__()
        self._node = node
        self._newest_ns = 0
        node.create_subscription(TFMessage, "/tf", self._receive_moving, DYNAMIC_QOS)
        node.create_subscription(TFMessage, "/tf_static", self._receive_static, STATIC_QOS)

    def _receive_moving(self, message: Any) -> None:
        now_ns = self._node.get_clock().now().nanoseconds
        if now_ns < self._newest_ns:
            self.clear()  # simulated time started again
        self._newest_ns = now_ns
        self._receive(message, static=False)

    def _receive_static(self, message: Any) -> None:
        self._receive(message, static=True)

    def _receive(self, message: Any, static: bool) -> None:
        for item in message.transforms:
            stamp_ns = Time.from_msg(item.header.stamp).nanoseconds
            self.insert(
                item.header.frame_id, item.child_frame_id, stamp_ns, from_message(item.transform), static=static
            )


class _Tf2Buffer:
    """tf2_ros behind the same interface."""

    def __init__(self, node: Any) -> None:
        self._buffer = tf2_ros.Buffer(node=node)
        self._listener = tf2_ros.TransformListener(self._buffer, node, spin_thread=False)

    def lookup(self, target: str, source: str, stamp_ns: int | None = None) -> Transform:
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp_ns or 0))
        except tf2_ros.LookupException as error:
            raise UnknownFrameError(str(error)) from error
        except tf2_ros.ConnectivityException as error:
            raise NotConnectedError(str(error)) from error
        except tf2_ros.ExtrapolationException as error:
            raise OutsideTimeError(str(error), later="into the past" not in str(error)) from error
        except tf2_ros.TransformException as error:
            raise TransformError(str(error)) from error
        return from_message(found.transform)


def to_message(parent: str, child: str, stamp: Any, transform: Transform) -> Any:
    """Make a geometry_msgs/TransformStamped."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id, message.header.stamp = parent, stamp
    place, turn = message.transform.translation, message.transform.rotation
    place.x, place.y, place.z = map(float, transform.translation)
    turn.x, turn.y, turn.z, turn.w = map(float, transform.rotation)
    return message


def from_message(message: Any) -> Transform:
    """Read a geometry_msgs/Transform; raises ValueError when it is not one (zero quaternion, NaN)."""
    place, turn = message.translation, message.rotation
    return Transform.make((place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))


def to_pose(transform: Transform) -> Any:
    """Make a geometry_msgs/Pose."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = map(float, transform.translation)
    turn = pose.orientation
    turn.x, turn.y, turn.z, turn.w = map(float, transform.rotation)
    return pose


def from_pose(pose: Any) -> Transform:
    """Read a geometry_msgs/Pose; raises ValueError for a zero quaternion or NaN."""
    place, turn = pose.position, pose.orientation
    return Transform.make((place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))


def pose_stamped(frame: str, stamp: Any, transform: Transform) -> Any:
    """Make a geometry_msgs/PoseStamped."""
    message = PoseStamped(pose=to_pose(transform))
    message.header.frame_id, message.header.stamp = frame, stamp
    return message


def points_of(messages: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Points (N, 3) [m] of a list of geometry_msgs/Point."""
    return np.array([(point.x, point.y, point.z) for point in messages], dtype=np.float64).reshape(-1, 3)
