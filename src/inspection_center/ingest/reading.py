"""A batch of events read and judged: what can be stored, what must be quarantined, what is refused as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from inspection_center.clock import text
from inspection_center.ingest.plain import DetectionRow, Envelope, read_detection, read_envelopes
from inspection_contract.envelope import (
    MAXIMUM_BATCH_EVENTS,
    MAXIMUM_EVENT_BYTES,
    CloudEvent,
    first_fault,
    parse_source,
    read_body,
    schema_name,
)
from inspection_contract.events import PERSONAL_PREFIX, Detection, Event, Incident, Severity, Transcript

FUTURE_TOLERANCE = timedelta(seconds=60)
"""How far an event may be dated after the moment its robot sent it, by the robot's own clock."""
_PERSONAL = f'"{PERSONAL_PREFIX}'.encode()
_ENVELOPES = TypeAdapter(list[CloudEvent])


class BatchError(Exception):
    """A batch that is refused as a whole; one line says why."""


class ReadEvent(NamedTuple):
    """One event: what the tables keep of it, or the fault that it has."""

    sequence: int
    id: str
    type: str
    time: str
    data: str
    """The body as it came, JSON."""
    detection: DetectionRow | None = None
    body: Event | None = None
    """Of any other type than a detection."""
    fault: str = ""
    personal: bool = False
    """Whether parts of it must be sealed before it is stored."""


@dataclass(frozen=True)
class Batch:
    """A readable batch: one outbox's events, numbered without a gap."""

    robot: str
    outbox: str
    events: Sequence[ReadEvent]

    @property
    def concerns_alerts(self) -> bool:
        """Whether an alert may come of it."""
        return any(
            isinstance(event.body, Incident)
            or (event.detection is not None and event.detection.severity >= Severity.ALARM)
            for event in self.events
        )

    @property
    def first(self) -> int:
        """Lowest sequence."""
        return self.events[0].sequence


def read_batch(content: bytes, robot: str, sent: datetime) -> Batch:
    """Read a CloudEvents JSON batch.

    Args:
        content: the request's body.
        robot: who is authenticated.
        sent: when the robot sent it, by the robot's clock.

    Raises:
        BatchError: not JSON, not events, another robot's, not one outbox's, or not consecutive.
    """
    envelopes: Sequence[Envelope] | Sequence[CloudEvent] | None = read_envelopes(content)
    if envelopes is None:
        envelopes = _read_carefully(content)
    if not envelopes:
        raise BatchError("not a list of events")
    if len(envelopes) > MAXIMUM_BATCH_EVENTS:
        raise BatchError(f"more than {MAXIMUM_BATCH_EVENTS} events")
    outbox = _check_source({envelope.source for envelope in envelopes}, robot)
    numbers = [int(envelope.sequence) for envelope in envelopes]
    if numbers[0] < 1 or numbers[-1] > 2**53 - 1 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise BatchError("sequence: not consecutive from at least 1")
    latest = text(sent + FUTURE_TOLERANCE)
    return Batch(robot, outbox, [_judge(envelope, latest) for envelope in envelopes])


def detection_row(body: Detection) -> DetectionRow:
    """What the detection table keeps of a detection."""
    position = body.pose.position if body.pose is not None else None
    return DetectionRow(
        str(body.uuid),
        text(body.stamp),
        body.kind,
        int(body.severity),
        body.confidence,
        body.value,
        body.unit,
        body.standard_uncertainty,
        body.subject,
        None if position is None else position.x,
        None if position is None else position.y,
        body.rule_id,
        body.rule_version,
        to_json(body.evidence).decode(),
        to_json(body.attributes).decode(),
    )


def _read_carefully(content: bytes) -> list[CloudEvent]:
    values = _read_json(content)
    if not isinstance(values, list):
        raise BatchError("not a list of events")
    if len(values) > MAXIMUM_BATCH_EVENTS:
        raise BatchError(f"more than {MAXIMUM_BATCH_EVENTS} events")
    try:
        return _ENVELOPES.validate_python(values)
    except ValidationError as error:
        raise BatchError(first_fault(error)) from error


def _read_json(content: bytes) -> Any:
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise BatchError(f"not JSON: {error}") from error


def _check_source(sources: set[str], robot: str) -> str:
    if len(sources) > 1:
        raise BatchError("source: more than one")
    try:
        name, outbox = parse_source(sources.pop())
    except ValueError as error:
        raise BatchError(str(error)) from error
    if name != robot:
        raise BatchError("source: is another robot's")
    return str(outbox)


def _judge(envelope: Envelope | CloudEvent, latest: str) -> ReadEvent:
    if isinstance(envelope, Envelope):
        raw, identity, time = bytes(envelope.data), envelope.id, envelope.time
        values = None
    else:
        values, identity, time = envelope.data, str(envelope.id), text(envelope.time)
        raw = to_json(values)
    number, kind = int(envelope.sequence), envelope.type
    in_order = time <= latest and envelope.dataschema == schema_name(kind) and len(raw) <= MAXIMUM_EVENT_BYTES
    if in_order and kind == Detection.TYPE and (row := read_detection(raw)) is not None:
        return ReadEvent(number, identity, kind, time, raw.decode(), row, personal=_PERSONAL in raw)
    values = _read_json(raw) if values is None else values
    body: Event | None = None
    fault = ""
    try:
        if len(raw) > MAXIMUM_EVENT_BYTES:
            raise ValueError(f"data: longer than {MAXIMUM_EVENT_BYTES} bytes")
        body = read_body(kind, values)
    except ValueError as error:
        fault = str(error)
    else:
        if time > latest:
            fault = f"time: {time} lies in the future of the robot's own clock"
        elif envelope.dataschema != schema_name(kind):
            fault = "dataschema: not that of the type"
    data = to_json(values).decode()
    if fault:
        return ReadEvent(number, identity, kind, time, data.replace("\\u0000", "\\ufffd"), fault=fault)
    if isinstance(body, Detection):
        return ReadEvent(number, identity, kind, time, data, detection_row(body), personal=_PERSONAL in data.encode())
    personal = isinstance(body, Transcript) or (isinstance(body, Incident) and _PERSONAL in data.encode())
    return ReadEvent(number, identity, kind, time, data, body=body, personal=personal)
