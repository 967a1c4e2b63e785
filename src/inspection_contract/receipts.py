"""What the center answers a robot."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from inspection_contract.events import Count, RobotStatus
from inspection_contract.fields import Model, RobotName, Text, Time

UPLOAD_OFFSET = "Upload-Offset"
"""Header: how many bytes of a piece of evidence are at the center, or where a piece begins."""
UPLOAD_COMPLETE = "Upload-Complete"
"""Header: `?1` with the last piece, and of evidence that is there whole (RFC 8941 boolean)."""


class QuarantinedEvent(Model):
    """An event that was kept, but not believed: an officer will look at it."""

    sequence: Count
    id: UUID
    reason: Text


class IngestReceipt(Model):
    """What became of a batch. Given only after the commit: `acknowledged` and all before it are durable."""

    acknowledged: Count
    """Highest sequence of this outbox that is stored."""
    stored: Count
    duplicates: Count
    quarantined: tuple[QuarantinedEvent, ...] = ()
    clock_offset_s: float = 0.0
    """Center's clock minus the robot's, as seen when the batch arrived [s]."""


class EnrolmentRequest(Model):
    """A robot introduces itself with the one-time code an officer gave out for it."""

    code: Annotated[str, Field(min_length=8, max_length=64)]
    public_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Enrolment(Model):
    """What the robot keeps from then on; `token` and `watchlist_key` are secrets and shown once."""

    robot: RobotName
    token: str
    center_key: str
    watchlist_key: str


class TokenRotation(Model):
    """A fresh token; the old one holds until `previous_expires`."""

    token: str
    previous_expires: Time


class StoredEvent(Model):
    """An event as the center's stream tells it: `number` is the cursor to go on from."""

    number: Count
    robot: RobotName
    sequence: Count
    type: str
    time: Time
    received: Time
    data: dict[str, object]


class RobotOverview(Model):
    """A robot as the center knows it; `status` is the last one it told, None before the first."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: RobotName
    status: RobotStatus | None
