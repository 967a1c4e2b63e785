"""Takes velocities of teleoperation, interception and navigation and drives the base with one safe velocity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist
from inspection_interfaces.msg import DriveState, Person, PersonArray
from inspection_interfaces.srv import EmergencyStop as EmergencyStopService
from nav_msgs.msg import Odometry
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Bool

from inspection_contract.resources import state
from inspection_robot.drive.arbiter import Decision, Inputs, Limits, Received, Source, State, Velocity, decide
from inspection_robot.drive.clearance import Points
from inspection_robot.drive.emergency_stop import EmergencyStop
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.node import InspectionNode, Level, Part, Severity, run
from inspection_robot.ros.parameters import parameter

BASE_FRAME = "base_link"
STATE_PERIOD_S = 0.5


@dataclass(frozen=True)
class DriveParameters:
    """Parameters of the drive node. What has the name of a field of `Limits` is that limit."""

    rate_hz: float = parameter(20.0, "Decisions a second", minimum=5.0, maximum=100.0, read_only=True)
    emergency_stop_file: str = parameter("", "File of the lock; empty: var/drive/emergency_stop.json", read_only=True)
    person_existence: float = parameter(0.3, "Tracks less probable than this are nobody", minimum=0.0, maximum=1.0)
    linear: float = parameter(0.8, "Fastest forwards [m/s]", minimum=0.0, maximum=1.5)
    reverse: float = parameter(0.3, "Fastest backwards [m/s]", minimum=0.0, maximum=0.5)
    angular: float = parameter(1.2, "Fastest turn [rad/s]", minimum=0.0, maximum=2.0)
    acceleration: float = parameter(0.5, "Speeding up [m/s²]", minimum=0.05, maximum=2.0)
    deceleration: float = parameter(1.0, "Braking; the base must be able to [m/s²]", minimum=0.2, maximum=3.0)
    angular_acceleration: float = parameter(2.0, "Change of turn [rad/s²]", minimum=0.1, maximum=10.0)
    blind_linear: float = parameter(0.15, "Teleoperation without a scan [m/s]", minimum=0.0, maximum=0.3)
    unseen_people_linear: float = parameter(0.3, "While nobody tells where people are [m/s]", minimum=0.0, maximum=0.5)
    beside_people_linear: float = parameter(0.2, "Past somebody at arm's length [m/s]", minimum=0.0, maximum=0.5)
    blocked_angular: float = parameter(0.5, "Turning on the spot when blocked [rad/s]", minimum=0.0, maximum=1.2)
    robot_radius: float = parameter(0.30, "Of the hull [m]", minimum=0.05, maximum=1.0)
    obstacle_margin: float = parameter(0.10, "Kept from things [m]", minimum=0.05, maximum=1.0)
    person_radius: float = parameter(0.25, "Of a person [m]", minimum=0.1, maximum=0.6)
    person_clearance: float = parameter(0.50, "Kept from people, hull to hull [m]", minimum=0.3, maximum=2.0)
    person_slow_distance: float = parameter(3.0, "From here on slower [m]", minimum=2.1, maximum=10.0)
    reaction_s: float = parameter(
        0.15, "From a decision to braking, above the age of what is seen [s]", minimum=0.05, maximum=2.0
    )
    horizon: float = parameter(2.0, "How far the way is checked [m]", minimum=0.5, maximum=5.0)
    teleop_timeout_s: float = parameter(0.3, "Teleoperation's command and deadman count [s]", minimum=0.05, maximum=0.5)
    intercept_timeout_s: float = parameter(0.5, "An interception's command counts [s]", minimum=0.05, maximum=1.0)
    nav_timeout_s: float = parameter(0.5, "A navigation command counts [s]", minimum=0.05, maximum=1.0)
    teleop_hold_s: float = parameter(1.0, "Others wait after teleoperation [s]", minimum=0.0, maximum=30.0)
    scan_timeout_s: float = parameter(0.5, "A scan counts [s]", minimum=0.05, maximum=1.0)
    odometry_timeout_s: float = parameter(0.5, "Odometry counts [s]", minimum=0.05, maximum=1.0)
    people_timeout_s: float = parameter(1.5, "Places of people count [s]", minimum=0.1, maximum=3.0)
    deadman_required: bool = parameter(False, "Teleoperation only while `teleop_deadman` is true")

    def limits(self) -> Limits:
        """The pure machine's limits."""
        return Limits(**{item.name: getattr(self, item.name) for item in fields(Limits)})


class DriveNode(InspectionNode[DriveParameters]):
    """The only node that publishes `cmd_vel`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("drive", DriveParameters, **kwargs)
        self._limits = self.parameters.limits()
        self._state = State()
        self._commands: dict[Source, Received] = {}
        self._deadman_at_s = -math.inf
        self._scan: tuple[float, Points] = (-math.inf, np.empty((0, 2)))
        self._people: tuple[float, Points] = (-math.inf, np.empty((0, 2)))
        self._odometry_at_s = -math.inf
        self._decision: Decision | None = None

    def configure(self) -> None:
        """Read the lock, listen."""
        path = self.parameters.emergency_stop_file or str(state() / "drive" / "emergency_stop.json")
        self._stop = EmergencyStop(Path(path))
        self._frames = Frames(self)
        self._velocity = self.create_publisher(Twist, "cmd_vel", qos.COMMAND)
        self._state_publisher = self.create_publisher(DriveState, "drive/state", qos.STATE)
        for source in Source:
            self.create_subscription(Twist, f"cmd_vel_{source.value}", self._receiver(source), qos.COMMAND)
        self.create_subscription(Bool, "teleop_deadman", self._on_deadman, qos.COMMAND)
        self.create_subscription(Bool, "emergency_stop_button", self._on_button, qos.EVENT)
        self.create_subscription(LaserScan, "scan", self._on_scan, qos.SENSOR)
        self.create_subscription(Odometry, "odom", self._on_odometry, qos.SENSOR)
        self.create_subscription(PersonArray, "people", self._on_people, qos.SENSOR)
        self.create_service(EmergencyStopService, "emergency_stop", self._serve_stop)

    def activate(self) -> None:
        """Drive."""
        self._state = State()
        self.create_timer(1.0 / self.parameters.rate_hz, self._decide)
        self.create_timer(STATE_PERIOD_S, self._publish_state)

    def deactivate(self) -> None:
        """Leave the base standing."""
        self._velocity.publish(Twist())

    def parameters_changed(self, _: DriveParameters, new: DriveParameters) -> None:
        """Take new limits at once; acceleration limits smooth the change."""
        self._limits = new.limits()

    def diagnose(self) -> Iterable[Part]:
        """What holds the robot."""
        decision = self._decision
        if decision is None:
            return
        level = Level.OK
        if decision.emergency_stop or decision.protective_stop:
            level = Level.WARNING
        values = {
            "source": decision.source.value if decision.source else "none",
            "speed limit [m/s]": decision.speed_limit,
            "nearest person [m]": decision.nearest_person_m,
            "emergency stop by": self._stop.lock.actor if self._stop.lock.stopped else "",
        }
        yield Part("motion", level, decision.reason or "free", values)

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) / 1e9

    def _receiver(self, source: Source) -> Callable[[Any], None]:
        def receive(message: Any) -> None:
            self._commands[source] = Received(Velocity(message.linear.x, message.angular.z), self._now_s())

        return receive

    def _on_deadman(self, message: Any) -> None:
        self._deadman_at_s = self._now_s() if message.data else -math.inf

    def _on_button(self, message: Any) -> None:
        if message.data:
            self._set_stop("button", "emergency stop button")

    def _on_odometry(self, message: Any) -> None:
        self._odometry_at_s = _seconds(message.header.stamp)

    def _on_scan(self, message: Any) -> None:
        ranges = np.asarray(message.ranges, dtype=np.float64)
        angles = message.angle_min + message.angle_increment * np.arange(len(ranges))
        seen = np.isfinite(ranges) & (ranges >= message.range_min) & (ranges <= message.range_max)
        local = np.column_stack([ranges * np.cos(angles), ranges * np.sin(angles), np.zeros_like(ranges)])[seen]
        try:
            mounted = self._frames.lookup(BASE_FRAME, message.header.frame_id)
        except TransformError as error:
            # Without the lidar's place the scan says nothing: it counts as lost.
            self.fault("lidar_frame", str(error), Severity.WARNING, part="scan")
            return
        self.clear("lidar_frame")
        self._scan = (_seconds(message.header.stamp), mounted.apply(local)[:, :2])

    def _on_people(self, message: Any) -> None:
        known = [
            person.pose.pose.position
            for person in message.people
            if person.kind == Person.KIND_PERSON and person.existence >= self.parameters.person_existence
        ]
        places = np.array([(place.x, place.y, 0.0) for place in known]).reshape(-1, 3)
        try:
            frame = self._frames.lookup(BASE_FRAME, message.header.frame_id or "map")
        except TransformError as error:
            self.fault("people_frame", str(error), Severity.WARNING, part="people")
            return
        self.clear("people_frame")
        self._people = (_seconds(message.header.stamp), frame.apply(places)[:, :2])

    def _decide(self) -> None:
        inputs = Inputs(
            now_s=self._now_s(), emergency_stop=self._stop.lock.stopped, commands=self._commands,
            deadman_at_s=self._deadman_at_s, scan_at_s=self._scan[0], obstacles=self._scan[1],
            odometry_at_s=self._odometry_at_s, people_at_s=self._people[0], people=self._people[1],
        )  # fmt: skip
        before = self._decision
        self._state, decision = decide(self._limits, self._state, inputs)
        self._decision = decision
        message = Twist()
        message.linear.x, message.angular.z = decision.velocity.linear, decision.velocity.angular
        self._velocity.publish(message)
        if before is None or (before.source, before.reason) != (decision.source, decision.reason):
            self._publish_state()

    def _publish_state(self) -> None:
        decision = self._decision
        if decision is None:
            return
        message = DriveState(
            emergency_stop=decision.emergency_stop, protective_stop=decision.protective_stop,
            source=decision.source.value if decision.source else "none", speed_limit=decision.speed_limit,
            nearest_person_m=decision.nearest_person_m, reason=decision.reason,
        )  # fmt: skip
        message.header.stamp = self.get_clock().now().to_msg()
        self._state_publisher.publish(message)

    def _serve_stop(self, request: Any, response: Any) -> Any:
        if request.stop:
            self._set_stop(request.actor or "unknown", request.reason)
        else:
            self._stop.release(request.actor, request.reason, _utc())
            self.get_logger().warning(f"emergency stop released by {request.actor}: {request.reason}")
            self.clear("emergency_stop")
        response.stopped = self._stop.lock.stopped
        return response

    def _set_stop(self, actor: str, reason: str) -> None:
        try:
            self._stop.set(actor, reason, _utc())
        finally:
            self.fault("emergency_stop", f"set by {actor}: {reason}", Severity.WARNING, part="motion")
            if self.is_active:
                self._decide()  # not only at the next tick


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + float(stamp.nanosec) / 1e9


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def main() -> None:
    """Run the node."""
    run(DriveNode)


if __name__ == "__main__":
    main()
