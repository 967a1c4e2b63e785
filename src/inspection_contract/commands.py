"""What the center tells robots: one model a command type. Each travels signed, with an expiry, and is applied once."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, model_validator

from inspection_contract.events import Count
from inspection_contract.fields import Attributes, Model, Pose, RobotName, Sha256, Text, Time, Word
from inspection_contract.knowledge import Entry, Identifier, Source


class Command(Model):
    """Base of all command bodies; `TYPE` is the CloudEvents type."""

    TYPE: ClassVar[str]


class OrderStep(Model):
    """One step of an order (OrderStep.msg)."""

    id: Word
    kind: Literal[
        "go_to", "container_number", "seal", "goods", "packaging", "container", "sensor_sweep", "photo", "result",
    ]  # fmt: skip
    instruction_key: Word = ""
    required: bool = True


class Order(Command):
    """An order (Order.msg). The same id with a higher revision replaces it."""

    TYPE: ClassVar[str] = "inspection.order.v1"

    order_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    revision: Count = 1
    kind: Literal["inspection", "patrol", "dispatch", "recalibrate", "return_to_dock"]
    place: Pose | None = None
    place_name: Word = ""
    officer: Word
    steps: Annotated[tuple[OrderStep, ...], Field(max_length=200)] = ()


class SpeechPriority(IntEnum):
    """What interrupts what (Speak.action)."""

    ADVERTISEMENT = 0
    ANSWER = 1
    INTERCEPTION = 2
    EMERGENCY = 3


class Announcement(Command):
    """Words of the center for travellers (Announcement.msg)."""

    TYPE: ClassVar[str] = "inspection.announcement.v1"

    announcement_id: UUID
    priority: SpeechPriority = SpeechPriority.ANSWER
    text_zh: Text = ""
    text_en: Text = ""

    @model_validator(mode="after")
    def _says_something(self) -> Announcement:
        if not (self.text_zh.strip() or self.text_en.strip()):
            raise ValueError("an announcement needs words")
        return self


class Decision(IntEnum):
    """What an officer decides about an incident (DecideIncident.srv)."""

    APPROVE = 0
    DISMISS = 1
    HAND_OVER = 2
    ABORT = 3


class IncidentDecision(Command):
    """An officer's decision about an incident (DecideIncident.srv)."""

    TYPE: ClassVar[str] = "inspection.incident_decision.v1"

    incident: UUID
    decision: Decision
    officer: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Text = ""

    @model_validator(mode="after")
    def _reason_when_needed(self) -> IncidentDecision:
        if self.decision in (Decision.DISMISS, Decision.ABORT) and not self.reason.strip():
            raise ValueError("dismissing or aborting needs a reason")
        return self


class WatchlistEntry(Model):
    """One watched person or thing, as one robot may hold it.

    `digest` is HMAC-SHA-256 of the normalised identifier under the robot's own key: without that key it says nothing.
    Names cannot be matched by digest; `sealed_name` is the name sealed to the robot's key
    (`inspection_contract.sealing`) and stays sealed at rest.
    """

    id: Word
    kind: Literal["document_number", "bag_tag", "container", "vehicle", "name"]
    digest: Sha256 | Literal[""] = ""
    sealed_name: Annotated[str, Field(max_length=2000, pattern=r"^[A-Za-z0-9_-]*$")] = ""
    birth_date_digest: Sha256 | Literal[""] = ""
    advice_key: Word = ""
    expires: Time | None = None


class WatchlistUpdate(Command):
    """A whole watch-list (`base_version` empty) or what changed since `base_version`."""

    TYPE: ClassVar[str] = "inspection.watchlist_update.v1"

    version: Word
    base_version: Word = ""
    list_expires: Time
    entries: Annotated[tuple[WatchlistEntry, ...], Field(max_length=100_000)] = ()
    removed: Annotated[tuple[Word, ...], Field(max_length=100_000)] = ()


class Rule(Model):
    """One rule of the robot as data: which parameter of which capability gets which value."""

    id: Word
    capability: Word
    parameters: Attributes


class RulesUpdate(Command):
    """The whole set of rules in force."""

    TYPE: ClassVar[str] = "inspection.rules_update.v1"

    version: Word
    rules: Annotated[tuple[Rule, ...], Field(max_length=1000)] = ()


class KnowledgeUpdate(Command):
    """What differs from the answers a robot was shipped with; replaces the update before it, as a whole or not at all.

    An entry or source of the same id replaces the shipped one.
    """

    TYPE: ClassVar[str] = "inspection.knowledge_update.v1"

    version: Annotated[int, Field(ge=1, le=2**53 - 1)]
    """Greater than that of the update before it."""
    sources: dict[Identifier, Source] = Field(default_factory=dict, max_length=1000)
    entries: Annotated[tuple[Entry, ...], Field(max_length=2000)] = ()
    removed: Annotated[tuple[Identifier, ...], Field(max_length=2000)] = ()


class LiveViewRequest(Command):
    """Pictures on request only; they stop by themselves (LiveView.srv)."""

    TYPE: ClassVar[str] = "inspection.live_view_request.v1"

    camera: Literal["thermal", "rgb"]
    enable: bool
    rate_hz: Annotated[float, Field(gt=0.0, le=15.0)] = 2.0
    duration_s: Annotated[float, Field(gt=0.0, le=600.0)] = 60.0
    officer: Word = ""


COMMAND_TYPES: dict[str, type[Command]] = {
    model.TYPE: model
    for model in (Order, Announcement, IncidentDecision, WatchlistUpdate, RulesUpdate, KnowledgeUpdate, LiveViewRequest)
}


class SignedCommand(Model):
    """A command on its way to one robot.

    `signature` is Ed25519 over `inspection_contract.signatures.command_bytes`; the robot checks it with the key it
    learnt at enrolment, refuses what is expired, and applies each `id` once. `offset` is the stream's cursor.
    """

    offset: Count
    id: UUID
    robot: RobotName
    type: Word
    issued: Time
    expires: Time
    data: dict[str, object]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{86}$")]
