"""ROS messages as events of the contract. Reads attributes only, so that it needs no ROS to be tested."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic import ValidationError

from inspection_contract.envelope import first_fault
from inspection_contract.errors import InputError
from inspection_contract.events import (
    Detection,
    Event,
    Fault,
    Incident,
    IncidentTransition,
    NodeStatus,
    OrderProgress,
    OrderStepResult,
    ScreeningSummary,
    TrackedPerson,
)
from inspection_contract.fields import EvidenceReference, Orientation, Pose, Position
from inspection_robot.bridge.outbox import OutgoingEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = ("person", "luggage", "vehicle")


def to_time(stamp: Any) -> datetime:
    """A builtin_interfaces/Time."""
    return _EPOCH + timedelta(seconds=stamp.sec, microseconds=stamp.nanosec // 1000)


def to_uuid(message: Any) -> UUID:
    """A unique_identifier_msgs/UUID."""
    return UUID(bytes=bytes(bytearray(message.uuid)))


def to_pose(frame_id: str, message: Any) -> Pose | None:
    """A geometry_msgs/PoseWithCovariance; None without a frame (not known)."""
    if not frame_id:
        return None
    position, orientation = message.pose.position, message.pose.orientation
    return Pose(
        frame_id=frame_id,
        position=Position(x=position.x, y=position.y, z=position.z),
        orientation=Orientation(x=orientation.x, y=orientation.y, z=orientation.z, w=orientation.w),
        covariance=tuple(float(value) for value in message.covariance),
    )


def to_evidence(message: Any) -> EvidenceReference:
    """An Evidence message."""
    return EvidenceReference(
        sha256=message.sha256,
        media_type=message.media_type,
        size_bytes=message.size_bytes,
        role=message.role,
        retention=message.retention or "routine",
    )


def to_attributes(messages: Any) -> dict[str, str]:
    """A list of diagnostic_msgs/KeyValue."""
    return {item.key: item.value for item in messages}


def detection(message: Any) -> OutgoingEvent:
    """A Detection message.

    Raises:
        InputError: it does not fit the contract; the text names the field.
    """
    try:
        body = Detection(
            uuid=to_uuid(message.uuid),
            stamp=to_time(message.header.stamp),
            frame_id=message.header.frame_id,
            kind=message.kind,
            severity=message.severity,
            confidence=min(1.0, max(0.0, float(message.confidence))) if math.isfinite(message.confidence) else 0.0,
            value=message.value,
            unit=message.unit,
            standard_uncertainty=message.standard_uncertainty,
            subject=message.subject,
            pose=to_pose(message.pose.header.frame_id, message.pose.pose),
            evidence=tuple(to_evidence(item) for item in message.evidence),
            rule_id=message.rule_id,
            rule_version=message.rule_version,
            attributes=to_attributes(message.attributes),
        )
    except ValidationError as error:
        raise InputError(f"detection {message.kind!r}", first_fault(error)) from error
    return OutgoingEvent(body.uuid, body)


def incident(message: Any) -> OutgoingEvent:
    """An Incident message. Each of its versions counts once: its id is made of uuid, time and state.

    Raises:
        InputError: it does not fit the contract.
    """
    try:
        body = Incident(
            uuid=to_uuid(message.uuid),
            stamp=to_time(message.header.stamp),
            state=message.state,
            kind=message.kind,
            grade=message.grade,
            subject=message.subject,
            confidence=message.confidence,
            # Its header always names the frame; a place that is not known has no covariance (Incident.msg).
            pose=to_pose(message.header.frame_id, message.pose) if any(message.pose.covariance) else None,
            detections=tuple(to_uuid(item) for item in message.detections),
            history=tuple(
                IncidentTransition.model_validate(
                    {
                        "stamp": to_time(step.stamp),
                        "from_state": step.from_state,
                        "to_state": step.to_state,
                        "actor": step.actor,
                        "reason": step.reason,
                        "rule_version": step.rule_version,
                    }
                )
                for step in message.history
            ),
            expires=to_time(message.expires) if message.expires.sec else None,
            summary_key=message.summary_key,
            attributes=to_attributes(message.attributes),
        )
    except ValidationError as error:
        raise InputError(f"incident {message.kind!r}", first_fault(error)) from error
    return _once(body, str(body.uuid), body.stamp.isoformat(), body.state, str(len(body.detections)))


def fault(message: Any) -> OutgoingEvent:
    """A Fault message.

    Raises:
        InputError: it does not fit the contract.
    """
    try:
        body = Fault(
            stamp=to_time(message.header.stamp),
            code=message.code,
            severity=message.severity,
            source=message.source,
            text=message.text,
            active=message.active,
        )
    except ValidationError as error:
        raise InputError(f"fault {message.code!r}", first_fault(error)) from error
    return _once(body, body.code, body.source, body.stamp.isoformat(), str(body.active))


def order_progress(message: Any) -> OutgoingEvent:
    """An OrderProgress message.

    Raises:
        InputError: it does not fit the contract.
    """
    try:
        body = OrderProgress(
            order_id=message.order_id,
            revision=message.revision,
            stamp=to_time(message.header.stamp),
            state=message.state,
            reason=message.reason,
            steps=tuple(
                OrderStepResult(
                    id=step.id,
                    kind=step.kind,
                    state=step.state,
                    result=step.result,
                    evidence=tuple(to_evidence(item) for item in step.evidence),
                )
                for step in message.steps
            ),
        )
    except ValidationError as error:
        raise InputError(f"order progress {message.order_id!r}", first_fault(error)) from error
    return _once(body, body.order_id, str(body.revision), body.stamp.isoformat(), body.model_dump_json())


def screening_summary(start: datetime, end: datetime, tracks: dict[str, tuple[bool, bool]]) -> OutgoingEvent | None:
    """The people screened in an interval, by track: (reading obtained, alarm); None when there were none."""
    if not tracks:
        return None
    ok = sum(1 for read, _ in tracks.values() if read)
    body = ScreeningSummary(
        start=start,
        end=end,
        people=len(tracks),
        ok=ok,
        indeterminate=len(tracks) - ok,
        alarms=sum(1 for _, alarm in tracks.values() if alarm),
    )
    return _once(body, start.isoformat(), end.isoformat(), str(len(tracks)))


def node_status(message: Any) -> NodeStatus:
    """A NodeHealth message."""
    return NodeStatus(
        node=message.node,
        state=message.state,
        responding=message.responding,
        restarts=message.restarts,
        last_fault=message.last_fault[:4000],
    )


def tracked(message: Any) -> TrackedPerson:
    """A Person message, without anything that identifies the person."""
    return TrackedPerson.model_validate(
        {
            "track": message.track,
            "kind": _KINDS[message.kind] if message.kind < len(_KINDS) else "person",
            "x": message.pose.pose.position.x,
            "y": message.pose.pose.position.y,
        }
    )


def _once(body: Event, *parts: str) -> OutgoingEvent:
    """An event whose messages carry no id of their own: the same content is the same event."""
    return OutgoingEvent(uuid5(NAMESPACE_OID, "\x1f".join((body.TYPE, *parts))), body)
