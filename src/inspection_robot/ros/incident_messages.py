"""Incidents as messages and as markers in RViz."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import KeyValue
from inspection_interfaces.msg import Incident, IncidentTransition
from inspection_interfaces.srv import DecideIncident
from unique_identifier_msgs.msg import UUID
from visualization_msgs.msg import InteractiveMarker, InteractiveMarkerControl, Marker, MarkerArray, MenuEntry

from inspection_robot.interception.case_book import Case
from inspection_robot.interception.grades import PERMISSIONS, Grade, Permission
from inspection_robot.interception.texts import officer_text

MENU = (
    DecideIncident.Request.APPROVE,
    DecideIncident.Request.DISMISS,
    DecideIncident.Request.HAND_OVER,
    DecideIncident.Request.ABORT,
)
"""Decisions of the marker menu; entry ids count from 1."""
_LABELS = ("approve", "dismiss", "hand_over", "abort")
_COLOURS = {Grade.A: (1.0, 0.1, 0.1), Grade.B: (1.0, 0.4, 0.1), Grade.C: (1.0, 0.7, 0.1)}
_PALE = (1.0, 1.0, 0.3)
_UNKNOWN = 1e3


def incident_message(case: Case, frame: str) -> Any:
    """The case as Incident.msg; the caller stamps it."""
    incident = case.incident
    message = Incident(
        uuid=_uuid(incident.uuid.bytes), state=incident.state.value, kind=incident.kind, grade=incident.grade.value,
        subject=incident.subject, confidence=incident.confidence,
        detections=[_uuid(finding.uuid.bytes) for finding, _ in case.findings],
        history=[
            IncidentTransition(
                stamp=_stamp(step.time_s), from_state=step.from_state.value, to_state=step.to_state.value,
                actor=step.actor, reason=step.reason, rule_version=step.rule_version,
            )
            for step in incident.history
        ],
        expires=_stamp(incident.expires_s), summary_key=case.rule.summary,
        attributes=[
            KeyValue(key="permission", value=PERMISSIONS[incident.grade].value),
            KeyValue(key="hypotheses", value=" ".join(sorted(case.hypotheses))),
        ],
    )  # fmt: skip
    message.header.frame_id = frame
    if case.position is not None:
        message.pose.pose.position.x, message.pose.pose.position.y = case.position
        message.pose.pose.orientation.w = 1.0
        covariance = np.eye(6) * _UNKNOWN
        if case.covariance is not None:
            covariance[:2, :2] = case.covariance
        message.pose.covariance = covariance.ravel()
    return message


def incident_markers(cases: Sequence[Case], frame: str) -> Any:
    """One line of text over each case that has a place; what was shown before is cleared."""
    clear = Marker(action=Marker.DELETEALL)
    clear.header.frame_id = frame
    array = MarkerArray(markers=[clear])
    for number, case in enumerate(cases):
        if case.position is None:
            continue
        text = Marker(type=Marker.TEXT_VIEW_FACING, id=number, ns="incidents", text=officer_text(case, "en"))
        text.header.frame_id = frame
        text.pose.position.x, text.pose.position.y, text.pose.position.z = (*case.position, 2.2)
        text.pose.orientation.w, text.scale.z = 1.0, 0.25
        text.color.r, text.color.g, text.color.b = _COLOURS.get(case.incident.grade, _PALE)
        text.color.a = 1.0
        array.markers.append(text)
    return array


def menu_marker(case: Case, frame: str) -> Any:
    """A disc on the floor whose menu offers the decisions that the evidence permits; the case must have a place."""
    x, y = case.position or (0.0, 0.0)
    marker = InteractiveMarker(name=str(case.incident.uuid), scale=0.6)
    marker.header.frame_id = frame
    # Rounded, so that a person's small movements do not send the marker again.
    marker.pose.position.x, marker.pose.position.y = round(x, 1), round(y, 1)
    marker.pose.orientation.w = 1.0
    disc = Marker(type=Marker.CYLINDER)
    disc.scale.x = disc.scale.y = 0.7
    disc.scale.z = 0.05
    disc.pose.orientation.w = 1.0
    disc.color.r, disc.color.g, disc.color.b = _COLOURS.get(case.incident.grade, _PALE)
    disc.color.a = 0.6
    marker.controls = [
        InteractiveMarkerControl(
            name="menu", interaction_mode=InteractiveMarkerControl.MENU, always_visible=True, markers=[disc]
        )
    ]
    permitted = PERMISSIONS[case.incident.grade] is not Permission.NOTIFY
    marker.menu_entries = [
        MenuEntry(id=number, title=officer_text(case, "en", f"menu.{label}"))
        for number, label in enumerate(_LABELS, 1)
        if permitted or label != "approve"
    ]
    return marker


def _uuid(data: bytes) -> Any:
    return UUID(uuid=np.frombuffer(data, np.uint8))


def _stamp(seconds: float) -> Any:
    whole = math.floor(seconds)
    return Time(sec=whole, nanosec=int((seconds - whole) * 1e9))
