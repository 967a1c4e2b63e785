"""The incident: one case about one subject, as a state machine without clocks, threads or middleware.

What may happen in which state is the table :data:`TRANSITIONS`; every pair of state and event that is not in it is
refused with a reason. Three properties hold by construction and are tested over random histories:

- `approaching` is entered from `approved` only, and `approved` only by an officer with a name;
- an officer cannot approve an approach when the evidence grade does not permit one;
- every open state has a time limit and every incident a last moment, so that each incident ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from inspection_robot.interception.grades import PERMISSIONS, Grade, Permission


class State(StrEnum):
    """States of an incident (Incident.msg)."""

    SUSPECTED = "suspected"
    VERIFYING = "verifying"
    AWAITING_OFFICER = "awaiting_officer"
    APPROVED = "approved"
    APPROACHING = "approaching"
    CONTACT = "contact"
    HANDED_OVER = "handed_over"
    DISMISSED = "dismissed"
    LOST = "lost"
    EXPIRED = "expired"


OPEN_STATES = (
    State.SUSPECTED, State.VERIFYING, State.AWAITING_OFFICER, State.APPROVED, State.APPROACHING, State.CONTACT,
)  # fmt: skip


class EventKind(StrEnum):
    """What can happen to an incident."""

    VERIFICATION_BEGAN = "verification_began"
    CONFIRMED = "confirmed"
    """The second look agrees, or the first needs none."""
    REFUTED = "refuted"
    """The second look disagrees."""
    OFFICER_APPROVED = "officer_approved"
    OFFICER_DISMISSED = "officer_dismissed"
    OFFICER_TOOK_OVER = "officer_took_over"
    OFFICER_ABORTED = "officer_aborted"
    APPROACH_BEGAN = "approach_began"
    REACHED = "reached"
    """The robot stands at the distance for speaking."""
    OBJECTED = "objected"
    """The person objects or walks away: the robot never follows."""
    APPROACH_FAILED = "approach_failed"
    """No safe way, emergency stop, or Nav2 gave up."""
    SUBJECT_LOST = "subject_lost"
    TIME_OUT = "time_out"


TRANSITIONS: dict[tuple[State, EventKind], State] = {
    (State.SUSPECTED, EventKind.VERIFICATION_BEGAN): State.VERIFYING,
    (State.SUSPECTED, EventKind.CONFIRMED): State.AWAITING_OFFICER,
    (State.SUSPECTED, EventKind.REFUTED): State.DISMISSED,
    (State.SUSPECTED, EventKind.OFFICER_DISMISSED): State.DISMISSED,
    (State.SUSPECTED, EventKind.OFFICER_TOOK_OVER): State.HANDED_OVER,
    (State.SUSPECTED, EventKind.TIME_OUT): State.EXPIRED,
    (State.VERIFYING, EventKind.CONFIRMED): State.AWAITING_OFFICER,
    (State.VERIFYING, EventKind.REFUTED): State.DISMISSED,
    (State.VERIFYING, EventKind.SUBJECT_LOST): State.LOST,
    (State.VERIFYING, EventKind.OFFICER_DISMISSED): State.DISMISSED,
    (State.VERIFYING, EventKind.OFFICER_TOOK_OVER): State.HANDED_OVER,
    (State.VERIFYING, EventKind.TIME_OUT): State.EXPIRED,
    (State.AWAITING_OFFICER, EventKind.OFFICER_APPROVED): State.APPROVED,
    (State.AWAITING_OFFICER, EventKind.OFFICER_DISMISSED): State.DISMISSED,
    (State.AWAITING_OFFICER, EventKind.OFFICER_TOOK_OVER): State.HANDED_OVER,
    (State.AWAITING_OFFICER, EventKind.TIME_OUT): State.EXPIRED,
    (State.APPROVED, EventKind.APPROACH_BEGAN): State.APPROACHING,
    (State.APPROVED, EventKind.APPROACH_FAILED): State.AWAITING_OFFICER,
    (State.APPROVED, EventKind.OFFICER_ABORTED): State.AWAITING_OFFICER,
    (State.APPROVED, EventKind.OFFICER_DISMISSED): State.DISMISSED,
    (State.APPROVED, EventKind.OFFICER_TOOK_OVER): State.HANDED_OVER,
    (State.APPROVED, EventKind.SUBJECT_LOST): State.LOST,
    (State.APPROVED, EventKind.TIME_OUT): State.EXPIRED,
    (State.APPROACHING, EventKind.REACHED): State.CONTACT,
    (State.APPROACHING, EventKind.OBJECTED): State.AWAITING_OFFICER,
    (State.APPROACHING, EventKind.APPROACH_FAILED): State.AWAITING_OFFICER,
    (State.APPROACHING, EventKind.OFFICER_ABORTED): State.AWAITING_OFFICER,
    (State.APPROACHING, EventKind.OFFICER_DISMISSED): State.DISMISSED,
    (State.APPROACHING, EventKind.OFFICER_TOOK_OVER): State.HANDED_OVER,
    (State.APPROACHING, EventKind.SUBJECT_LOST): State.LOST,
    (State.APPROACHING, EventKind.TIME_OUT): State.LOST,
    (State.CONTACT, EventKind.OBJECTED): State.AWAITING_OFFICER,
    (State.CONTACT, EventKind.OFFICER_ABORTED): State.AWAITING_OFFICER,
    (State.CONTACT, EventKind.OFFICER_DISMISSED): State.DISMISSED,
    (State.CONTACT, EventKind.OFFICER_TOOK_OVER): State.HANDED_OVER,
    (State.CONTACT, EventKind.SUBJECT_LOST): State.LOST,
    (State.CONTACT, EventKind.TIME_OUT): State.EXPIRED,
}
OFFICER_EVENTS = frozenset(
    {
        EventKind.OFFICER_APPROVED,
        EventKind.OFFICER_DISMISSED,
        EventKind.OFFICER_TOOK_OVER,
        EventKind.OFFICER_ABORTED,
    }
)
NEED_REASON = frozenset({EventKind.OFFICER_DISMISSED, EventKind.OFFICER_ABORTED})


class RefusalError(Exception):
    """The event cannot happen now; the text is a message key of `config/text/*/interception.yaml`."""


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        kind: what.
        time_s: when, on the node's clock [s].
        actor: officer, or `robot:<rule>`.
        reason: message key or the officer's words.
    """

    kind: EventKind
    time_s: float
    actor: str
    reason: str = ""


@dataclass(frozen=True)
class Transition:
    """One step of an incident's history."""

    time_s: float
    from_state: State
    to_state: State
    actor: str
    reason: str
    rule_version: str


@dataclass(frozen=True)
class Limits:
    """Longest stay in each open state and longest life [s]."""

    suspected: float = 20.0
    verifying: float = 45.0
    awaiting_officer: float = 300.0
    approved: float = 60.0
    approaching: float = 120.0
    contact: float = 300.0
    life: float = 1800.0

    def of(self, state: State) -> float:
        """Limit of an open state [s]."""
        return float(getattr(self, state.value))


@dataclass(frozen=True)
class Incident:
    """One case.

    Attributes:
        uuid: its identity.
        state: where it stands.
        kind: leading detection kind.
        grade: best evidence so far.
        subject: track it is about, or empty.
        confidence: fused probability.
        opened_s: when it began [s].
        entered_s: when the present state began [s].
        limits: how long it may stay.
        rule_version: version of the table that made it.
        history: every step so far.
    """

    uuid: UUID
    state: State
    kind: str
    grade: Grade
    subject: str
    confidence: float
    opened_s: float
    entered_s: float
    limits: Limits
    rule_version: str
    history: tuple[Transition, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen."""
        return self.state in OPEN_STATES

    @property
    def expires_s(self) -> float:
        """When the present state ends by itself [s]; never after the incident's last moment."""
        if not self.is_open:
            return self.entered_s
        return min(self.entered_s + self.limits.of(self.state), self.opened_s + self.limits.life)


def apply(incident: Incident, event: Event) -> Incident:
    """The incident after an event.

    Raises:
        RefusalError: the table has no such step, an officer's name or reason is missing, the evidence does not permit
            an approach, or a time-out comes early.
    """
    if not incident.is_open:
        raise RefusalError("refused.closed")
    target = TRANSITIONS.get((incident.state, event.kind))
    if event.kind is EventKind.TIME_OUT:
        if event.time_s < incident.expires_s:
            raise RefusalError("refused.not_yet")
        if event.time_s >= incident.opened_s + incident.limits.life:
            target = State.EXPIRED
    if target is None:
        raise RefusalError("refused.not_in_this_state")
    if event.kind in OFFICER_EVENTS:
        if not event.actor.strip() or event.actor.startswith("robot:"):
            raise RefusalError("refused.officer_missing")
        if event.kind in NEED_REASON and not event.reason.strip():
            raise RefusalError("refused.reason_missing")
    if event.kind is EventKind.OFFICER_APPROVED and PERMISSIONS[incident.grade] is Permission.NOTIFY:
        raise RefusalError("refused.grade_too_low")
    step = Transition(event.time_s, incident.state, target, event.actor, event.reason, incident.rule_version)
    return replace(incident, state=target, entered_s=event.time_s, history=(*incident.history, step))


def state_table() -> list[tuple[State, EventKind, State | None]]:
    """Every open state with every event and where it leads; nothing where it is refused."""
    return [(state, event, TRANSITIONS.get((state, event))) for state in OPEN_STATES for event in EventKind]
