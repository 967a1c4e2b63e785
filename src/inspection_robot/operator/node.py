"""The operator node: people and findings as markers, driving by a dragged marker, the emergency stop as a button."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import Twist
from inspection_interfaces.msg import Detection, DriveState, Person, PersonArray
from inspection_interfaces.srv import EmergencyStop
from std_msgs.msg import Bool
from visualization_msgs.msg import (
    InteractiveMarker,
    InteractiveMarkerControl,
    InteractiveMarkerFeedback,
    Marker,
    MarkerArray,
    MenuEntry,
)

from inspection_robot.operator.marks import Handle, Mark, Spot, Walker, marks_of_findings, marks_of_people, still_shown
from inspection_robot.operator.texts import words
from inspection_robot.ros import qos
from inspection_robot.ros.interactive_markers import InteractiveMarkers
from inspection_robot.ros.node import InspectionNode, Level, Part, run
from inspection_robot.ros.parameters import parameter

DRAG_LIFE_S = 0.6
"""RViz repeats itself while a marker is held; without that for so long the marker counts as let go [s]."""
COMMAND_HZ = 10.0
ACTOR = "rviz"
DRIVE, STOP = "drive", "stop"
_STOP_ENTRY, _RELEASE_ENTRY = 1, 2
_SHAPES = {
    "cylinder": Marker.CYLINDER, "sphere": Marker.SPHERE, "arrow": Marker.ARROW, "text": Marker.TEXT_VIEW_FACING,
}  # fmt: skip


@dataclass(frozen=True)
class OperatorParameters:
    """What the operator's markers do."""

    map_frame: str = parameter("map", "frame of people and findings")
    base_frame: str = parameter("base_link", "frame of the robot")
    language: str = parameter("en", "of the words on the markers", choices=("zh", "en"))
    speed_m_s: float = parameter(0.8, "largest speed by the dragged marker", minimum=0.05, maximum=1.5)
    turn_rad_s: float = parameter(1.0, "largest turning rate by the dragged marker", minimum=0.05, maximum=2.0)


class OperatorNode(InspectionNode[OperatorParameters]):
    """Shows, and passes on what the operator does. The drive node decides what becomes of it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("operator", OperatorParameters, **kwargs)

    def configure(self) -> None:
        """Make the topics and the interactive markers."""
        self._spots: list[Spot] = []
        self._stopped = False
        self._drag: tuple[float, float, float] | None = None
        self._shown = 0
        self._people_markers = self.create_publisher(MarkerArray, "people/markers", qos.STATE)
        self._finding_markers = self.create_publisher(MarkerArray, "detections/markers", qos.STATE)
        self._velocity = self.create_publisher(Twist, "cmd_vel_teleop", qos.COMMAND)
        self._deadman = self.create_publisher(Bool, "teleop_deadman", qos.COMMAND)
        self._emergency_stop = self.create_client(EmergencyStop, "emergency_stop")
        self._handles = InteractiveMarkers(self, "operator", self._menu_chosen)
        self.create_subscription(InteractiveMarkerFeedback, "operator/feedback", self._on_feedback, 50)
        self.create_subscription(PersonArray, "people", self._on_people, qos.EVENT)
        self.create_subscription(Detection, "detections", self._on_detection, qos.ALARM)
        self.create_subscription(DriveState, "drive/state", self._on_drive, qos.STATE)

    def activate(self) -> None:
        """Show the handles."""
        self._show_handles()
        self.create_timer(1.0 / COMMAND_HZ, self._drive)
        self.create_timer(1.0, self._show_findings)

    def diagnose(self) -> Iterable[Part]:
        """Whether somebody drives."""
        if self.is_active:
            yield Part("markers", Level.OK, "driving" if self._drag else "idle", {"findings shown": len(self._spots)})

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) / 1e9

    def _on_people(self, message: Any) -> None:
        walkers = []
        for person in message.people:
            position, velocity = person.pose.pose.position, person.velocity.twist.linear
            yaw, speed = math.atan2(velocity.y, velocity.x), math.hypot(velocity.x, velocity.y)
            luggage = person.kind == Person.KIND_LUGGAGE
            walkers.append(Walker(person.track, luggage, position.x, position.y, yaw, speed, person.existence))
        frame = message.header.frame_id or self.parameters.map_frame
        self._people_markers.publish(_marker_array(marks_of_people(walkers), frame))

    def _on_detection(self, message: Any) -> None:
        if message.pose.header.frame_id != self.parameters.map_frame:
            return
        place = message.pose.pose.pose.position
        reading = f"{message.value:.4g} {message.unit}" if math.isfinite(message.value) else ""
        self._spots.append(Spot(message.kind, message.severity, place.x, place.y, self._now_s(), reading))
        self._show_findings()

    def _on_drive(self, message: Any) -> None:
        if message.emergency_stop != self._stopped:
            self._stopped = message.emergency_stop
            if self.is_active:
                self._show_handles()

    def _show_findings(self) -> None:
        self._spots = still_shown(self._spots, self._now_s())
        self._finding_markers.publish(_marker_array(marks_of_findings(self._spots), self.parameters.map_frame))

    def _on_feedback(self, message: Any) -> None:
        """Take what the operator does with a marker: press the button, drag, hold, let go."""
        event = message.event_type
        if message.marker_name == STOP and event == InteractiveMarkerFeedback.BUTTON_CLICK:
            self._set_stop(True)
        if message.marker_name != DRIVE:
            return
        if event == InteractiveMarkerFeedback.MOUSE_UP:
            self._let_go()
        elif event in (InteractiveMarkerFeedback.POSE_UPDATE, InteractiveMarkerFeedback.KEEP_ALIVE):
            pose = message.pose
            turned = 2.0 * math.atan2(pose.orientation.z, pose.orientation.w)
            turned = math.atan2(math.sin(turned), math.cos(turned))
            self._drag = (self._now_s(), pose.position.x, turned)

    def _menu_chosen(self, _marker: str, entry: int) -> None:
        self._set_stop(entry == _STOP_ENTRY)

    def _set_stop(self, stop: bool) -> None:
        if not self._emergency_stop.service_is_ready():
            self.fault("no_drive", "the drive node does not answer: the stop was not set", part="markers")
            return
        self.clear("no_drive")
        request = EmergencyStop.Request(stop=stop, actor=ACTOR, reason="marker")
        self.when_done(self._emergency_stop.call_async(request), lambda future: future.result())

    def _drive(self) -> None:
        """Repeat the wanted velocity while the marker is held."""
        if self._drag is None:
            return
        at_s, pulled_m, turned_rad = self._drag
        if not 0.0 <= self._now_s() - at_s <= DRAG_LIFE_S:
            self._let_go()
            return
        handle = Handle(speed_m_s=self.parameters.speed_m_s, turn_rad_s=self.parameters.turn_rad_s)
        twist = Twist()
        twist.linear.x, twist.angular.z = handle.velocity(pulled_m, turned_rad)
        self._deadman.publish(Bool(data=True))
        self._velocity.publish(twist)

    def _let_go(self) -> None:
        self._drag = None
        self._velocity.publish(Twist())
        self._deadman.publish(Bool(data=False))
        self._show_handles()

    def _show_handles(self) -> None:
        """Put the handles back on the robot; RViz keeps a dragged marker where it is until it gets a new one."""
        self._shown += 1
        text, frame = words(self.parameters.language), self.parameters.base_frame
        drive = InteractiveMarker(name=DRIVE, description=text["drive"], scale=1.2)
        drive.controls = [
            _control("move", InteractiveMarkerControl.MOVE_AXIS, (1.0, 0.0, 0.0)),
            _control("turn", InteractiveMarkerControl.ROTATE_AXIS, (0.0, 1.0, 0.0)),
        ]
        stop = InteractiveMarker(name=STOP, description=text["stop"], scale=0.5)
        colour = (1.0, 0.0, 0.0, 1.0) if self._stopped else (0.9, 0.5, 0.4, 0.8)
        ball = _marker(Mark("stop", "sphere", (0.0, 0.0, 0.0), (0.3, 0.3, 0.3), colour), frame, 0)
        stop.controls = [
            InteractiveMarkerControl(
                name="press", interaction_mode=InteractiveMarkerControl.BUTTON, always_visible=True, markers=[ball]
            )
        ]
        stop.menu_entries = [
            MenuEntry(id=_STOP_ENTRY, title=text["stop"]),
            MenuEntry(id=_RELEASE_ENTRY, title=text["release"]),
        ]
        stop.pose.position.z = 1.8
        for marker in (drive, stop):
            marker.header.frame_id = frame
            marker.pose.orientation.w = 1.0
        drive.pose.position.z = 0.05 + 1e-4 * (self._shown % 2)  # a changed pose, so that it is sent again
        self._handles.show({DRIVE: drive, STOP: stop})


def _control(name: str, mode: int, axis: tuple[float, float, float]) -> Any:
    """Return a control that moves along or turns about an axis (RViz takes the axis from the quaternion)."""
    control = InteractiveMarkerControl(name=name, interaction_mode=mode, always_visible=True)
    q = control.orientation
    q.w, (q.x, q.y, q.z) = math.sqrt(0.5), (math.sqrt(0.5) * value for value in axis)
    return control


def _marker_array(marks: Sequence[Mark], frame: str) -> Any:
    clear = Marker(action=Marker.DELETEALL)
    clear.header.frame_id = frame
    return MarkerArray(markers=[clear, *(_marker(mark, frame, number) for number, mark in enumerate(marks))])


def _marker(mark: Mark, frame: str, number: int) -> Any:
    message = Marker(ns=mark.group, id=number, type=_SHAPES[mark.shape], action=Marker.ADD, text=mark.text)
    message.header.frame_id = frame
    message.pose.position.x, message.pose.position.y, message.pose.position.z = map(float, mark.position)
    message.pose.orientation.z, message.pose.orientation.w = math.sin(mark.yaw / 2), math.cos(mark.yaw / 2)
    message.scale.x, message.scale.y, message.scale.z = map(float, mark.size)
    message.color.r, message.color.g, message.color.b, message.color.a = map(float, mark.colour)
    return message


def main() -> None:
    """Run the node as a process."""
    run(OperatorNode)
