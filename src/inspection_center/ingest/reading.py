"""A batch of events read and judged: what can be stored, what must be quarantined, what is refused as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from inspection_contract.envelope import (
    MAXIMUM_BATCH_EVENTS,
    MAXIMUM_EVENT_BYTES,
    CloudEvent,
    first_fault,
    parse_source,
    read_body,
    schema_name,
)
from inspection_contract.events import Detection, Event, Incident, Severity

FUTURE_TOLERANCE = timedelta(seconds=60)
"""How far an event may be dated after the moment its robot sent it, by the robot's own clock."""
_ENVELOPES = TypeAdapter(list[CloudEvent])


class BatchError(Exception):
    """A batch that is refused as a whole; one line says why."""


@dataclass(frozen=True)
class ReadEvent:
    """One event: its envelope, and its body or the reason why it has none."""

    envelope: CloudEvent
    body: Event | None
    fault: str
    data: str
    """The body as it came, JSON."""


@dataclass(frozen=True)
class Batch:
    """A readable batch: one outbox's events, numbered without a gap."""

    robot: str
    outbox: str
    events: tuple[ReadEvent, ...]

    @property
    def concerns_alerts(self) -> bool:
        """Whether an alert may come of it."""
        return any(
            isinstance(event.body, Incident)
            or (isinstance(event.body, Detection) and event.body.severity >= Severity.ALARM)
            for event in self.events
        )

    @property
    def first(self) -> int:
        """Lowest sequence."""
        return self.events[0].envelope.number


def read_batch(content: bytes, robot: str, sent: datetime) -> Batch:
    """Read a CloudEvents JSON batch.

    Args:
        content: the request's body.
        robot: who is authenticated.
        sent: when the robot sent it, by the robot's clock.

    Raises:
        BatchError: not JSON, not events, another robot's, not one outbox's, or not consecutive.
    """
    try:
        values = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise BatchError(f"not JSON: {error}") from error
    if not isinstance(values, list) or not values:
        raise BatchError("not a list of events")
    if len(values) > MAXIMUM_BATCH_EVENTS:
        raise BatchError(f"more than {MAXIMUM_BATCH_EVENTS} events")
    try:
        envelopes = _ENVELOPES.validate_python(values)
    except ValidationError as error:
        raise BatchError(first_fault(error)) from error
    outbox = _check_source(envelopes, robot)
    numbers = [envelope.number for envelope in envelopes]
    if numbers[0] < 1 or numbers[-1] > 2**53 - 1 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise BatchError("sequence: not consecutive from at least 1")
    latest = sent + FUTURE_TOLERANCE
    return Batch(robot, outbox, tuple(_judge(envelope, latest) for envelope in envelopes))


def _check_source(envelopes: list[CloudEvent], robot: str) -> str:
    sources = {envelope.source for envelope in envelopes}
    if len(sources) > 1:
        raise BatchError("source: more than one")
    try:
        name, outbox = parse_source(sources.pop())
    except ValueError as error:
        raise BatchError(str(error)) from error
    if name != robot:
        raise BatchError("source: is another robot's")
    return str(outbox)


def _judge(envelope: CloudEvent, latest: datetime) -> ReadEvent:
    data = to_json(envelope.data).decode()
    fault = ""
    body: Event | None = None
    try:
        if len(data) > MAXIMUM_EVENT_BYTES:
            raise ValueError(f"data: longer than {MAXIMUM_EVENT_BYTES} bytes")
        body = read_body(envelope.type, envelope.data)
    except ValueError as error:
        fault = str(error)
    else:
        if envelope.time > latest:
            body, fault = None, f"time: {envelope.time.isoformat()} lies in the future of the robot's own clock"
        elif envelope.dataschema != schema_name(envelope.type):
            body, fault = None, "dataschema: not that of the type"
    return ReadEvent(envelope, body, fault, data.replace("\\u0000", "\\ufffd") if fault else data)
