"""The interception node: findings become incidents, officers decide, the robot comes up to whom they approved."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist
from inspection_interfaces.action import Intercept, Speak
from inspection_interfaces.msg import Detection, DriveState, Incident, PersonArray
from inspection_interfaces.srv import DecideIncident
from py_trees.common import Status
from rclpy.action import ActionClient
from rclpy.time import Time as RclpyTime
from visualization_msgs.msg import MarkerArray

from inspection_robot.interception.approach import Approach, ApproachParameters, Mover, Step, Verdict
from inspection_robot.interception.approach_tree import approach_tree
from inspection_robot.interception.association import TrackPoint
from inspection_robot.interception.case_book import Case, CaseBook, Outcome
from inspection_robot.interception.fusion import Finding, FindingError
from inspection_robot.interception.grades import Grade
from inspection_robot.interception.incident import Event, EventKind, RefusalError, State
from inspection_robot.interception.kinds import load_kinds
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.incident_messages import MENU, incident_markers, incident_message, menu_marker
from inspection_robot.ros.interactive_markers import InteractiveMarkers
from inspection_robot.ros.node import InspectionNode, Level, Part, run
from inspection_robot.ros.order_walk import OrderWalk
from inspection_robot.ros.parameters import parameter

_DECISIONS = {
    DecideIncident.Request.APPROVE: EventKind.OFFICER_APPROVED,
    DecideIncident.Request.DISMISS: EventKind.OFFICER_DISMISSED,
    DecideIncident.Request.HAND_OVER: EventKind.OFFICER_TOOK_OVER,
    DecideIncident.Request.ABORT: EventKind.OFFICER_ABORTED,
}
_ENDS = {
    Verdict.REACHED: EventKind.REACHED,
    Verdict.OBJECTED: EventKind.OBJECTED,
    Verdict.LOST: EventKind.SUBJECT_LOST,
    Verdict.WAITING: EventKind.APPROACH_FAILED,
}
CONTROL_HZ = 10.0
LONGEST_SPEECH_S = 20.0
RVIZ_OFFICER = "rviz"


@dataclass(frozen=True)
class InterceptionParameters:
    """How incidents are handled."""

    kinds_file: str = parameter("", "table of detection kinds; empty: config/incident_kinds.yaml", read_only=True)
    map_frame: str = parameter("map", "frame of positions")
    base_frame: str = parameter("base_link", "frame of the robot")
    auto_approach: bool = parameter(True, "begin an approved approach without an `intercept` goal")
    hold_to_verify_s: float = parameter(
        8.0, "stand and face a subject for a second look [s]", minimum=0.0, maximum=60.0
    )
    verify_range_m: float = parameter(6.0, "subjects further away are not faced [m]", minimum=0.5, maximum=20.0)
    speaking_distance_m: float = parameter(1.4, "where the robot stops to speak [m]", minimum=1.0, maximum=3.0)
    stop_distance_m: float = parameter(0.8, "never nearer to anybody [m]", minimum=0.8, maximum=2.0)
    passing_distance_m: float = parameter(1.2, "never passes anybody nearer [m]", minimum=1.2, maximum=3.0)
    slow_speed_m_s: float = parameter(0.5, "speed within 3 m of anybody [m/s]", minimum=0.05, maximum=0.5)
    speed_m_s: float = parameter(0.7, "speed further away [m/s]", minimum=0.05, maximum=1.0)


class InterceptionNode(InspectionNode[InterceptionParameters]):
    """Wires the case book, the approach tree and the officers together."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("interception", InterceptionParameters, **kwargs)

    # Lifecycle.

    def configure(self) -> None:
        """Load the table, make publishers, services and actions."""
        p = self.parameters
        self._book = CaseBook(load_kinds(Path(p.kinds_file) if p.kinds_file else None), uuid.uuid4)
        self._frames = Frames(self)
        self._incidents = self.create_publisher(Incident, "incidents", qos.ALARM)
        self._markers = self.create_publisher(MarkerArray, "incidents/markers", qos.STATE)
        self._velocity = self.create_publisher(Twist, "cmd_vel_intercept", qos.COMMAND)
        self._menu = InteractiveMarkers(self, "incidents/menu", self._chosen)
        self.create_subscription(Detection, "detections", self._on_detection, qos.ALARM)
        self.create_subscription(PersonArray, "people", self._on_people, qos.EVENT)
        self.create_subscription(DriveState, "drive/state", self._on_drive, qos.STATE)
        self.create_service(DecideIncident, "decide_incident", self._on_decision)
        self.create_action_server(Intercept, "intercept", self._intercept)
        self._orders = OrderWalk(self)
        self._speak = ActionClient(self, Speak, "speak")
        self._people: dict[str, tuple[Mover, TrackPoint]] = {}
        self._aliases: dict[str, str] = {}
        self._refused = 0
        self._emergency_stop = False

    def activate(self) -> None:
        """Let time pass and the robot move."""
        self._tree: Any = None
        self._approached: uuid.UUID | None = None
        self._speech: list[Any] = []
        self._faced: dict[uuid.UUID, float] = {}
        self.create_timer(0.5, self._tick)
        self.create_timer(1.0 / CONTROL_HZ, self._control)

    def deactivate(self) -> None:
        """Stand still."""
        self._end_approach()

    def cleanup(self) -> None:
        """Let go of the clients."""
        for name in ("_speak", "_orders"):
            if hasattr(self, name):
                getattr(self, name).destroy()
                delattr(self, name)

    def diagnose(self) -> Iterable[Part]:
        """Open incidents and refused findings; nothing of whom they are about."""
        if not self.is_active:
            return
        states = [case.incident.state.value for case in self._book.cases() if case.incident.is_open]
        values = {"open": len(states), "awaiting officer": states.count("awaiting_officer"), "refused": self._refused}
        yield Part("incidents", Level.OK, f"{len(states)} open", values)

    # What comes in.

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds / 1e9)

    def _on_detection(self, message: Any) -> None:
        if not self.is_active:
            return
        try:
            outcome = self._book.add(self._finding(message), [p for _, p in self._people.values()], self._now_s())
        except FindingError as error:
            self._refused += 1
            self.get_logger().warning(f"a finding of kind {message.kind!r} is refused: {error}")
            return
        self._tell(outcome)

    def _finding(self, message: Any) -> Finding:
        pose = message.pose
        position = covariance = None
        if pose.header.frame_id == self.parameters.map_frame:
            position = (pose.pose.pose.position.x, pose.pose.pose.position.y)
            block = np.asarray(pose.pose.covariance, np.float64).reshape(6, 6)[:2, :2]
            if block.any():
                covariance = ((block[0, 0], block[0, 1]), (block[1, 0], block[1, 1]))
        given = {attribute.key: attribute.value for attribute in message.attributes}.get("grade", "")
        return Finding(
            uuid=uuid.UUID(bytes=bytes(message.uuid.uuid)), kind=message.kind, severity=int(message.severity),
            confidence=float(message.confidence), time_s=_seconds(message.header.stamp),
            subject=self._aliases.get(message.subject, message.subject), position=position, covariance=covariance,
            grade=Grade(given) if given in Grade.__members__ else None,
        )  # fmt: skip

    def _on_people(self, message: Any) -> None:
        now_s = _seconds(message.header.stamp)
        self._people, self._aliases = {}, {}
        for person in message.people:
            position = np.array([person.pose.pose.position.x, person.pose.pose.position.y])
            velocity = np.array([person.velocity.twist.linear.x, person.velocity.twist.linear.y])
            spread = np.asarray(person.pose.covariance, np.float64).reshape(6, 6)[:2, :2]
            mover = Mover(position, velocity, max(0.0, now_s - _seconds(person.last_seen)))
            self._people[person.track] = (mover, TrackPoint(person.track, position, spread, person.existence))
            self._aliases |= dict.fromkeys(person.aliases, person.track)
        self._book.rename(self._aliases)
        self._book.follow({track: point for track, (_, point) in self._people.items()})

    def _on_drive(self, message: Any) -> None:
        self._emergency_stop = bool(message.emergency_stop)

    def _on_decision(self, request: Any, response: Any) -> Any:
        identity = uuid.UUID(bytes=bytes(request.incident.uuid))
        response.accepted, response.message = False, ""
        if identity not in self._book:
            response.message = "refused.unknown_incident"
            return response
        if not self.is_active or request.decision not in _DECISIONS:
            response.message = "refused.not_in_this_state"
            return response
        try:
            self._happen(identity, _DECISIONS[request.decision], request.officer.strip(), request.reason.strip())
            response.accepted = True
        except RefusalError as error:
            response.message = str(error)
        response.state = self._book[identity].incident.state.value
        return response

    def _chosen(self, name: str, entry: int) -> None:
        identity = uuid.UUID(name)
        if identity in self._book and 1 <= entry <= len(MENU):
            try:
                self._happen(identity, _DECISIONS[MENU[entry - 1]], RVIZ_OFFICER, "reason.chosen_in_rviz")
            except RefusalError as error:
                self.get_logger().info(f"a choice in RViz is refused: {error}")

    # What happens.

    def _happen(self, identity: uuid.UUID, kind: EventKind, actor: str, reason: str) -> None:
        self._tell(self._book.happen(identity, Event(kind, self._now_s(), actor, reason)))

    def _robot_event(self, identity: uuid.UUID, kind: EventKind) -> None:
        try:
            self._happen(identity, kind, "robot:interception", f"reason.{kind.value}")
        except RefusalError as error:
            self.get_logger().info(f"{kind.value} is refused: {error}")

    def _tick(self) -> None:
        self._tell(self._book.tick(self._now_s()))
        self._draw()

    def _control(self) -> None:
        if self._approached is not None:
            self._continue_approach(self._approached)
            return
        cases = [case for case in self._book.cases() if case.incident.is_open]
        approved = next((case for case in cases if case.incident.state is State.APPROVED), None)
        if approved is not None and self.parameters.auto_approach:
            self._begin_approach(approved)
            return
        verifying = next((case for case in cases if case.incident.state is State.VERIFYING), None)
        if verifying is not None:
            self._face(verifying)

    def _face(self, case: Case) -> None:
        """Stand and turn to the subject for the second look; the velocity outranks navigation's while it is sent."""
        robot = self._robot()
        since = self._faced.setdefault(case.incident.uuid, self._now_s())
        if robot is None or case.position is None or self._now_s() - since > self.parameters.hold_to_verify_s:
            return
        gap = np.asarray(case.position) - np.asarray(robot[:2])
        if float(np.linalg.norm(gap)) > self.parameters.verify_range_m:
            return
        turn = (math.atan2(gap[1], gap[0]) - robot[2] + math.pi) % (2 * math.pi) - math.pi
        self._send(0.0, float(np.clip(1.5 * turn, -0.8, 0.8)))

    def _begin_approach(self, case: Case) -> None:
        p = self.parameters
        settings = ApproachParameters(
            speaking_distance_m=p.speaking_distance_m, stop_distance_m=p.stop_distance_m, speed_m_s=p.speed_m_s,
            passing_distance_m=p.passing_distance_m, slow_speed_m_s=p.slow_speed_m_s,
        )  # fmt: skip
        self._approached = case.incident.uuid
        self._approach = Approach(settings)
        self._last_step = Step(0.0, 0.0, Verdict.MOVING, math.nan)
        self._tree = approach_tree(self, case.rule.speech)
        self._robot_event(case.incident.uuid, EventKind.APPROACH_BEGAN)

    def _continue_approach(self, identity: uuid.UUID) -> None:
        state = self._book[identity].incident.state
        if state not in (State.APPROACHING, State.CONTACT):
            if state is State.HANDED_OVER:
                self.say("interception.thanks")
            self._end_approach()
            return
        if self._emergency_stop:
            self._robot_event(identity, EventKind.APPROACH_FAILED)
            self._end_approach()
            return
        self._tree.tick_once()
        if self._tree.status in (Status.FAILURE, Status.SUCCESS):
            self._end_approach()

    def _end_approach(self) -> None:
        if getattr(self, "_tree", None) is not None:
            self._tree.stop(Status.INVALID)
            self.stop()
        self._tree = self._approached = None

    # The body of the behaviour tree.

    def say(self, key: str) -> None:
        """Say a template in both languages; without a voice the approach goes on in silence."""
        self._speech = []
        self._speech_began = time.monotonic()
        if not self._speak.server_is_ready():
            return
        for language in ("zh", "en"):
            goal = Speak.Goal(template_key=key, language=language, priority=Speak.Goal.PRIORITY_INTERCEPTION)
            future = self._speak.send_goal_async(goal)
            entry = {"done": False}
            self._speech.append(entry)
            self.when_done(future, partial(self._speech_accepted, entry))

    def _speech_accepted(self, entry: dict[str, bool], future: Any) -> None:
        handle = future.result()
        if not handle.accepted:
            entry["done"] = True
            return
        self.when_done(handle.get_result_async(), lambda _: entry.update(done=True))

    def speaking(self) -> bool:
        """Whether the last template is still being said."""
        if time.monotonic() - self._speech_began > LONGEST_SPEECH_S:
            return False
        return any(not entry["done"] for entry in self._speech)

    def step(self) -> Step:
        """One step of the approach."""
        identity, robot = self._approached, self._robot()
        if identity is None or robot is None:
            self.stop()
            return Step(0.0, 0.0, Verdict.WAITING, math.nan)
        subject = self._book[identity].incident.subject
        movers = {track: mover for track, (mover, _) in self._people.items()}
        others = [mover for track, mover in movers.items() if track != subject]
        self._last_step = self._approach.step(robot, movers.get(subject), others, self._now_s())
        self._send(self._last_step.linear, self._last_step.angular)
        return self._last_step

    def stop(self) -> None:
        """Send a velocity of zero."""
        self._send(0.0, 0.0)

    def tell(self, verdict: Verdict) -> None:
        """The tree reached somebody, or gave up."""
        if self._approached is not None:
            self._robot_event(self._approached, _ENDS[verdict])

    def _send(self, linear: float, angular: float) -> None:
        message = Twist()
        message.linear.x, message.angular.z = linear, angular
        self._velocity.publish(message)

    def _robot(self) -> tuple[float, float, float] | None:
        try:
            place = self._frames.lookup(self.parameters.map_frame, self.parameters.base_frame)
        except TransformError:
            return None
        return float(place.translation[0]), float(place.translation[1]), place.yaw

    # The intercept action.

    def _intercept(self, goal: Any) -> Any:
        identity = uuid.UUID(bytes=bytes(goal.request.incident.uuid))
        result = Intercept.Result()
        if identity not in self._book or self._book[identity].incident.state is not State.APPROVED:
            result.message = "refused.not_approved"
            goal.abort()
            return result
        if self._approached is None:
            self._begin_approach(self._book[identity])
        while not goal.wait(0.2):
            incident = self._book[identity].incident
            goal.publish_feedback(
                Intercept.Feedback(
                    state=incident.state.value, distance_m=self._last_step.distance_m, speed=self._last_step.linear
                )
            )
            if incident.state not in (State.APPROVED, State.APPROACHING, State.CONTACT):
                break
        result.state = self._book[identity].incident.state.value
        if goal.is_cancel_requested:
            self._robot_event(identity, EventKind.APPROACH_FAILED)
            goal.canceled()
        else:
            goal.succeed()
        return result

    # What goes out.

    def _tell(self, outcome: Outcome) -> None:
        for case in outcome.changed:
            message = incident_message(case, self.parameters.map_frame)
            message.header.stamp = self.get_clock().now().to_msg()
            self._incidents.publish(message)

    def _draw(self) -> None:
        cases = [case for case in self._book.cases() if case.incident.is_open and case.position is not None]
        frame = self.parameters.map_frame
        self._markers.publish(incident_markers(cases, frame))
        self._menu.show({str(case.incident.uuid): menu_marker(case, frame) for case in cases})


def _seconds(stamp: Any) -> float:
    return float(RclpyTime.from_msg(stamp).nanoseconds / 1e9)


def main() -> None:
    """Run the node."""
    run(InterceptionNode)
