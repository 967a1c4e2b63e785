"""The short way in: envelopes and detections exactly as bridges write them, read and checked by msgspec.

Reading is most of what the center does. What is written in the normal form (every field there, lower-case UUIDs, times
in UTC with microseconds, no escaped characters) is read here at a tenth of the work. Whatever else arrives is answered
`None` and goes through the contract's own models: they alone refuse, and this way takes only what they take too.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Raw

from inspection_contract.events import KIND_LENGTH, KIND_PATTERN
from inspection_contract.fields import MEDIA_TYPE_PATTERN, SHA256_PATTERN

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_KIND = re.compile(KIND_PATTERN)
_OBJECT = ord("{")
_Word = Annotated[str, Meta(max_length=200)]
_Text = Annotated[str, Meta(max_length=4000)]
_Attributes = Annotated[dict[_Word, _Text], Meta(max_length=64)]


class DetectionRow(NamedTuple):
    """What the detection table keeps of a detection, apart from who sent it and when it came."""

    uuid: str
    stamp: str
    kind: str
    severity: int
    confidence: float
    value: float | None
    unit: str
    standard_uncertainty: float | None
    subject: str
    x: float | None
    y: float | None
    rule_id: str
    rule_version: str
    evidence: str
    attributes: str


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """An event's envelope, its data as the bytes that came."""

    specversion: Literal["1.0"]
    id: str
    source: _Word
    type: _Word
    time: str
    datacontenttype: Literal["application/json"]
    dataschema: _Word
    sequence: Annotated[str, Meta(min_length=20, max_length=20)]
    data: Raw
    subject: _Word = ""


class _Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    x: float
    y: float
    z: float


class _Orientation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    x: float
    y: float
    z: float
    w: float


class _Pose(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    frame_id: _Word
    position: _Position
    orientation: _Orientation
    covariance: Annotated[list[float], Meta(max_length=36)]


class _Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    sha256: Annotated[str, Meta(pattern=SHA256_PATTERN)]
    media_type: Annotated[str, Meta(pattern=MEDIA_TYPE_PATTERN)]
    size_bytes: Annotated[int, Meta(ge=0, le=2**40)]
    role: _Word
    retention: _Word


class PlainDetection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The contract's detection with every field there."""

    uuid: str
    stamp: str
    frame_id: _Word
    kind: Annotated[str, Meta(max_length=KIND_LENGTH)]
    severity: Annotated[int, Meta(ge=0, le=4)]
    confidence: Annotated[float, Meta(ge=0.0, le=1.0)]
    value: float | None
    unit: _Word
    standard_uncertainty: float | None
    subject: _Word
    pose: _Pose | None
    evidence: Raw
    rule_id: _Word
    rule_version: _Word
    attributes: Raw


_ENVELOPES = msgspec.json.Decoder(list[Envelope])
_DETECTION = msgspec.json.Decoder(PlainDetection)
_EVIDENCE = msgspec.json.Decoder(Annotated[list[_Evidence], Meta(max_length=32)])
_ATTRIBUTES = msgspec.json.Decoder(_Attributes)


def read_envelopes(content: bytes) -> list[Envelope] | None:
    """The envelopes of a batch; None when any is not in the normal form."""
    if rb"\u0000" in content:
        return None
    try:
        envelopes = _ENVELOPES.decode(content)
    except (msgspec.DecodeError, UnicodeError):
        return None
    for envelope in envelopes:
        digits = envelope.sequence
        in_form = digits.isascii() and digits.isdigit() and _is_uuid(envelope.id) and _is_time(envelope.time)
        if not in_form or memoryview(envelope.data)[0] != _OBJECT:
            return None
    return envelopes


def read_detection(data: bytes) -> DetectionRow | None:
    """A detection; None when it is not in the normal form."""
    if b"\\" in data:
        return None
    try:
        found = _DETECTION.decode(data)
        evidence = bytes(found.evidence)
        if evidence != b"[]":
            _EVIDENCE.decode(evidence)
        attributes = bytes(found.attributes)
        if attributes != b"{}":
            _ATTRIBUTES.decode(attributes)
    except (msgspec.DecodeError, UnicodeError):
        return None
    if not (_is_uuid(found.uuid) and _is_time(found.stamp) and _is_kind(found.kind)):
        return None
    position = found.pose.position if found.pose is not None else None
    return DetectionRow(
        found.uuid,
        found.stamp,
        found.kind,
        found.severity,
        found.confidence,
        found.value,
        found.unit,
        found.standard_uncertainty,
        found.subject,
        None if position is None else position.x,
        None if position is None else position.y,
        found.rule_id,
        found.rule_version,
        evidence.decode(),
        attributes.decode(),
    )


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


@lru_cache(1024)
def _is_kind(text: str) -> bool:
    return _KIND.fullmatch(text) is not None
