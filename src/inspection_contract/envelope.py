"""The envelope of every event: CloudEvents 1.0 in its JSON format, with the `sequence` extension.

`source` names the robot and its outbox (`urn:inspection:robot:<name>:<outbox>`); `sequence` counts that outbox's events
from 1 without a gap. Order, and what counts as the same event, come from these two and never from a clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inspection_contract.canonical import canonical_bytes
from inspection_contract.events import EVENT_TYPES, Event
from inspection_contract.fields import ROBOT_NAME_PATTERN, Time, Word

BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"
EVENT_MEDIA_TYPE = "application/cloudevents+json"
MAXIMUM_BATCH_EVENTS = 1000
MAXIMUM_BATCH_BYTES = 8 * 2**20
MAXIMUM_EVENT_BYTES = 256 * 2**10
MAXIMUM_EVIDENCE_BYTES = 64 * 2**20
_SOURCE = re.compile(
    rf"urn:inspection:robot:({ROBOT_NAME_PATTERN[1:-1]}):([0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}})"
)


class CloudEvent(BaseModel):
    """One event in its envelope."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: Annotated[str, Field(max_length=200)]
    type: Word
    time: Time
    """When the bridge accepted it, by the robot's wall clock; frozen from then on."""
    subject: Word = ""
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Word
    sequence: Annotated[str, Field(pattern=r"^[0-9]{20}$")]
    data: dict[str, Any]

    @property
    def number(self) -> int:
        """The sequence as a number."""
        return int(self.sequence)

    def body(self) -> Event:
        """The typed event inside.

        Raises:
            ValueError: a type or schema this version does not know, or data that does not fit it.
        """
        return read_body(self.type, self.data)


def source_name(robot: str, outbox: UUID) -> str:
    """`source` of what an outbox sends."""
    return f"urn:inspection:robot:{robot}:{outbox}"


def parse_source(source: str) -> tuple[str, UUID]:
    """Robot name and outbox of a `source`.

    Raises:
        ValueError: not a robot's source.
    """
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise ValueError("source is not urn:inspection:robot:<name>:<outbox>")
    return match[1], UUID(match[2])


def schema_name(event_type: str) -> str:
    """`dataschema` of an event or command type."""
    return f"urn:inspection:schema:{event_type}"


def read_body(event_type: str, data: object) -> Event:
    """Data as the typed event that `event_type` names.

    Raises:
        ValueError: an unknown type, or data that does not fit it (one line).
    """
    model = EVENT_TYPES.get(event_type)
    if model is None:
        raise ValueError(f"unknown event type {event_type[:100]!r}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ValueError(first_fault(error)) from error


def first_fault(error: ValidationError) -> str:
    """The first fault of a validation error in one line: where, and what."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])[:200]
    return f"{place}: {fault['msg']}" if place else fault["msg"]


def wrap(event: Event, *, id: UUID, source: str, sequence: int, time: Time) -> dict[str, Any]:  # noqa: A002 - CloudEvents' name
    """An event in its envelope, as JSON values ready for `canonical_bytes`."""
    envelope = CloudEvent(
        id=id,
        source=source,
        type=event.TYPE,
        time=time,
        subject=str(getattr(event, "subject", "")),
        dataschema=schema_name(event.TYPE),
        sequence=f"{sequence:020d}",
        data=event.model_dump(mode="json"),
    )
    dumped: dict[str, Any] = envelope.model_dump(mode="json")
    if not dumped["subject"]:
        del dumped["subject"]  # CloudEvents: an attribute is present with a value, or absent.
    return dumped


def join_batch(events: Sequence[bytes]) -> bytes:
    """Canonical events as one canonical batch: the body that is sent and signed."""
    return b"[" + b",".join(events) + b"]"


def write_event(event: Event, *, id: UUID, source: str, sequence: int, time: Time) -> bytes:  # noqa: A002 - CloudEvents' name
    """Canonical bytes of an event in its envelope: what the outbox keeps and every later signature covers."""
    return canonical_bytes(wrap(event, id=id, source=source, sequence=sequence, time=time))
