"""What robots report: one model an event type, each with the fields of its ROS message."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from inspection_contract.fields import (
    Attributes,
    EvidenceReference,
    Model,
    Number,
    Pose,
    Probability,
    Text,
    Time,
    UnknownNumber,
    Word,
)

PERSONAL_PREFIX = "personal."
"""Attributes whose names begin like this are personal data of the event's subject: the center seals them."""


class Severity(IntEnum):
    """How much attention a finding wants (Detection.msg)."""

    INFO = 0
    NOTICE = 1
    WARNING = 2
    ALARM = 3
    EMERGENCY = 4


KIND_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$"
KIND_LENGTH = 100
Kind = Annotated[str, Field(pattern=KIND_PATTERN, max_length=KIND_LENGTH)]
"""Dotted name of a finding: `<capability>.<what>`."""
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
IncidentState = Literal[
    "suspected", "verifying", "awaiting_officer", "approved", "approaching",
    "contact", "handed_over", "dismissed", "lost", "expired",
]  # fmt: skip
OPEN_INCIDENT_STATES: tuple[str, ...] = (
    "suspected", "verifying", "awaiting_officer", "approved", "approaching", "contact",
)  # fmt: skip


class Event(Model):
    """Base of all events; `TYPE` is the CloudEvents type."""

    TYPE: ClassVar[str]


class Detection(Event):
    """One finding of one sensor about one subject (Detection.msg)."""

    TYPE: ClassVar[str] = "inspection.detection.v1"

    uuid: UUID
    stamp: Time
    """When it was measured, by the node's clock."""
    frame_id: Word = ""
    kind: Kind
    severity: Severity
    confidence: Probability
    value: UnknownNumber = None
    unit: Word = ""
    standard_uncertainty: UnknownNumber = None
    subject: Word = ""
    pose: Pose | None = None
    evidence: Annotated[tuple[EvidenceReference, ...], Field(max_length=32)] = ()
    rule_id: Word = ""
    rule_version: Word = ""
    attributes: Attributes = Field(default_factory=dict)


class IncidentTransition(Model):
    """One step in an incident's history (IncidentTransition.msg)."""

    stamp: Time
    from_state: Word
    to_state: IncidentState
    actor: Word
    reason: Text = ""
    rule_version: Word = ""


class Incident(Event):
    """One case about one subject as it stands now (Incident.msg); a later event with the same uuid replaces it."""

    TYPE: ClassVar[str] = "inspection.incident.v1"

    uuid: UUID
    stamp: Time
    state: IncidentState
    kind: Kind
    grade: Literal["A", "B", "C", "D", "E", ""] = ""
    subject: Word = ""
    confidence: Probability
    pose: Pose | None = None
    detections: Annotated[tuple[UUID, ...], Field(max_length=1000)] = ()
    history: Annotated[tuple[IncidentTransition, ...], Field(max_length=1000)] = ()
    expires: Time | None = None
    summary_key: Word = ""
    attributes: Attributes = Field(default_factory=dict)


class NodeStatus(Model):
    """One supervised process of the robot (NodeHealth.msg)."""

    node: Word
    state: Word
    responding: bool
    restarts: Count = 0
    last_fault: Text = ""


class TrackedPerson(Model):
    """One track of the people node, without anything that identifies the person (Person.msg)."""

    track: Word
    kind: Literal["person", "luggage", "vehicle"] = "person"
    x: Number
    y: Number


class RobotStatus(Event):
    """How the robot is: sent every few seconds, only the newest counts."""

    TYPE: ClassVar[str] = "inspection.robot_status.v1"

    stamp: Time
    ready: bool
    battery: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    pose: Pose | None = None
    patrol_state: Word = ""
    emergency_stop: bool = False
    speed_limit_m_s: UnknownNumber = None
    nodes: Annotated[tuple[NodeStatus, ...], Field(max_length=64)] = ()
    people: Annotated[tuple[TrackedPerson, ...], Field(max_length=500)] = ()
    outbox_findings: Count = 0
    outbox_evidence: Count = 0
    outbox_bytes: Count = 0
    oldest_unsent_s: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    watchlist_version: Word = ""
    rules_version: Word = ""


class Fault(Event):
    """Something is wrong with the robot itself (Fault.msg)."""

    TYPE: ClassVar[str] = "inspection.fault.v1"

    stamp: Time
    code: Word
    severity: Annotated[int, Field(ge=0, le=3)]
    source: Word
    text: Text
    active: bool


class OrderStepResult(Model):
    """How one step of an order stands (OrderStep.msg)."""

    id: Word
    kind: Word
    state: Literal["open", "done", "skipped", "failed"]
    result: Text = ""
    evidence: Annotated[tuple[EvidenceReference, ...], Field(max_length=32)] = ()


class OrderProgress(Event):
    """How far an order is (OrderProgress.msg)."""

    TYPE: ClassVar[str] = "inspection.order_progress.v1"

    order_id: Word
    revision: Count
    stamp: Time
    state: Literal["accepted", "running", "done", "failed", "cancelled", "expired"]
    reason: Text = ""
    steps: Annotated[tuple[OrderStepResult, ...], Field(max_length=200)] = ()


class Transcript(Event):
    """What was asked and what the robot answered (Utterance.msg, Answer.msg). Personal data."""

    TYPE: ClassVar[str] = "inspection.transcript.v1"

    stamp: Time
    session: Word
    speaker: Literal["traveller", "robot"]
    language: Word
    text: Text
    confidence: Probability = 1.0
    answer_id: Word = ""
    refused: bool = False


class ScreeningSummary(Event):
    """How many people were screened in an interval, by outcome: the denominator of every rate."""

    TYPE: ClassVar[str] = "inspection.screening_summary.v1"

    start: Time
    end: Time
    people: Count
    ok: Count
    indeterminate: Count
    alarms: Count


class CommandOutcome(Event):
    """What became of a command on the robot: the acknowledgement that counts."""

    TYPE: ClassVar[str] = "inspection.command_outcome.v1"

    command_id: UUID
    stamp: Time
    state: Literal["applied", "rejected", "expired", "superseded"]
    reason: Text = ""


EVENT_TYPES: dict[str, type[Event]] = {
    model.TYPE: model
    for model in (
        Detection,
        Incident,
        RobotStatus,
        Fault,
        OrderProgress,
        Transcript,
        ScreeningSummary,
        CommandOutcome,
    )
}
