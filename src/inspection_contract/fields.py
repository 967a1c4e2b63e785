"""Field types that events and commands share: numbers that may be unknown, names, digests, places."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

ROBOT_NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
SHA256_PATTERN = r"^[0-9a-f]{64}$"
MEDIA_TYPE_PATTERN = r"^[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}$"


def _unknown_when_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _read_time(value: Any) -> datetime:
    # pydantic also takes numbers, as seconds or milliseconds by their size: too clever for a record.
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("must be an RFC 3339 time with its zone")
    if value.tzinfo is UTC:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


def _without_nul(value: str) -> str:
    # PostgreSQL cannot store it. Lone surrogates, which UTF-8 does not have, pydantic refuses by itself.
    if "\x00" in value:
        raise ValueError("must not contain U+0000")
    return value


def _write_time(value: datetime) -> str:
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


def not_a_number_when_unknown(value: float | None) -> float:
    """The way back into a ROS message, where an unknown number is NaN."""
    return math.nan if value is None else value


Number = Annotated[float, Field(allow_inf_nan=False)]
"""A finite number."""
UnknownNumber = Annotated[Number | None, BeforeValidator(_unknown_when_nan)]
"""A finite number, or null when not known (NaN in ROS messages)."""
Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Time = Annotated[
    AwareDatetime, BeforeValidator(_read_time), PlainSerializer(_write_time, return_type=str, when_used="json")
]
"""UTC; written as RFC 3339 with microseconds, so that texts order like times."""
_PRINTABLE: dict[str, Any] = {"pattern": r"^[^\u0000]*$"}
Text = Annotated[str, Field(max_length=4000, json_schema_extra=_PRINTABLE), AfterValidator(_without_nul)]
Word = Annotated[str, Field(max_length=200, json_schema_extra=_PRINTABLE), AfterValidator(_without_nul)]
RobotName = Annotated[str, Field(pattern=ROBOT_NAME_PATTERN)]
"""A robot's name: also its ROS namespace."""
Sha256 = Annotated[str, Field(pattern=SHA256_PATTERN)]
Attributes = Annotated[dict[Word, Text], Field(max_length=64)]


class Model(BaseModel):
    """What every event and command is: immutable, and without fields nobody defined."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Position(Model):
    """A point [m]."""

    x: Number = 0.0
    y: Number = 0.0
    z: Number = 0.0


class Orientation(Model):
    """A unit quaternion."""

    x: Number = 0.0
    y: Number = 0.0
    z: Number = 0.0
    w: Number = 1.0


class Pose(Model):
    """A pose with covariance: row-major 6×6 over x, y, z, rotations about X, Y, Z [m, rad]; empty when not known."""

    frame_id: Word = "map"
    position: Position = Position()
    orientation: Orientation = Orientation()
    covariance: Annotated[tuple[Number, ...], Field(max_length=36)] = ()


class EvidenceReference(Model):
    """One stored piece of evidence: its bytes are found under their hash."""

    sha256: Sha256
    media_type: Annotated[str, Field(pattern=MEDIA_TYPE_PATTERN)]
    size_bytes: Annotated[int, Field(ge=0, le=2**40)]
    role: Word = ""
    retention: Word = "routine"
