"""An inspection order as a checklist that the robot walks through beside the officer: pure, no clock, no motion.

Required steps must be done in order or the order fails; optional ones may be skipped. Container numbers are checked
as they come in, so that a wrong digit is seen at the container and not in the office.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from inspection_robot.documents.checked import PayloadError
from inspection_robot.documents.container import parse_container, repair_container

RESULT_LIMIT = 2000


class StepState(StrEnum):
    """How a step stands (OrderStep.msg)."""

    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class OrderState(StrEnum):
    """How an order stands (OrderProgress.msg)."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class StepKind(StrEnum):
    """What a step asks for (OrderStep.msg)."""

    GO_TO = "go_to"
    CONTAINER_NUMBER = "container_number"
    SEAL = "seal"
    GOODS = "goods"
    PACKAGING = "packaging"
    CONTAINER = "container"
    SENSOR_SWEEP = "sensor_sweep"
    PHOTO = "photo"
    RESULT = "result"


NEEDS_PICTURE = frozenset({StepKind.GOODS, StepKind.PACKAGING, StepKind.CONTAINER, StepKind.PHOTO})
OFFICERS = frozenset({StepKind.SEAL, StepKind.RESULT})
LEFT_TO_OFFICER = "reason.left_to_officer"


class ChecklistError(Exception):
    """The order or an answer to it cannot be used; the text says why."""


@dataclass(frozen=True)
class Step:
    """One step; `evidence` are SHA-256 digests of what was stored for it."""

    id: str
    kind: StepKind
    required: bool
    state: StepState = StepState.OPEN
    result: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checklist:
    """An order under way.

    Attributes:
        order_id: of the center.
        revision: a higher one replaces the order.
        expires_s: after this nothing more is begun [s]; 0 for never.
        steps: in the order they are walked.
        state: of the whole.
        reason: why it ended, or empty.
    """

    order_id: str
    revision: int
    expires_s: float
    steps: tuple[Step, ...]
    state: OrderState = OrderState.ACCEPTED
    reason: str = ""

    @property
    def current(self) -> Step | None:
        """The first open step while the order runs; nothing when it has ended."""
        if self.state not in (OrderState.ACCEPTED, OrderState.RUNNING):
            return None
        return next((step for step in self.steps if step.state is StepState.OPEN), None)


def accept(order_id: str, revision: int, expires_s: float, steps: Sequence[Step], now_s: float) -> Checklist:
    """Take an order on.

    Raises:
        ChecklistError: no steps, two steps of one id, or expired already.
    """
    if not steps:
        raise ChecklistError("the order has no steps")
    if len({step.id for step in steps}) != len(steps):
        raise ChecklistError("two steps have the same id")
    if expires_s and now_s >= expires_s:
        raise ChecklistError("the order has expired")
    return Checklist(order_id, revision, expires_s, tuple(steps))


def complete(order: Checklist, step_id: str, result: str, evidence: Sequence[str], now_s: float) -> Checklist:
    """A step's result.

    Raises:
        ChecklistError: it is not this step's turn, the picture is missing, or the container number cannot be one.
    """
    step = _turn(order, step_id, now_s)
    text = result.strip()[:RESULT_LIMIT]
    if step.kind in NEEDS_PICTURE and not evidence:
        raise ChecklistError(f"{step.kind.value} needs a picture")
    if step.kind is StepKind.CONTAINER_NUMBER:
        text = _container_number(text)
    if step.kind in (StepKind.SEAL, StepKind.RESULT) and not text:
        raise ChecklistError(f"{step.kind.value} needs an answer")
    return _advance(order, replace(step, state=StepState.DONE, result=text, evidence=tuple(evidence)))


def skip(order: Checklist, step_id: str, reason: str, now_s: float) -> Checklist:
    """Leave a step out.

    Raises:
        ChecklistError: it is not this step's turn, it is required, or no reason is given.
    """
    step = _turn(order, step_id, now_s)
    if step.required:
        raise ChecklistError("a required step cannot be skipped")
    if not reason.strip():
        raise ChecklistError("skipping needs a reason")
    return _advance(order, replace(step, state=StepState.SKIPPED, result=reason.strip()[:RESULT_LIMIT]))


def leave_to_officer(order: Checklist, step_id: str, now_s: float) -> Checklist:
    """Pass over a step that only the officer can do; the handheld reports it to the center.

    Raises:
        ChecklistError: it is not this step's turn, or the robot can do it.
    """
    step = _turn(order, step_id, now_s)
    if step.kind not in OFFICERS:
        raise ChecklistError(f"{step.kind.value} is the robot's")
    return _advance(order, replace(step, state=StepState.SKIPPED, result=LEFT_TO_OFFICER))


def fail(order: Checklist, step_id: str, reason: str, now_s: float) -> Checklist:
    """A step that cannot be done: a required one ends the order, an optional one is passed over.

    Raises:
        ChecklistError: it is not this step's turn.
    """
    step = _turn(order, step_id, now_s)
    changed = _advance(order, replace(step, state=StepState.FAILED, result=reason.strip()[:RESULT_LIMIT]))
    return replace(changed, state=OrderState.FAILED, reason=reason.strip()) if step.required else changed


def cancel(order: Checklist, reason: str) -> Checklist:
    """End the order from outside; what was done stays."""
    if order.state in (OrderState.ACCEPTED, OrderState.RUNNING):
        return replace(order, state=OrderState.CANCELLED, reason=reason)
    return order


def expire(order: Checklist, now_s: float) -> Checklist:
    """End the order when its time is over."""
    if order.expires_s and now_s >= order.expires_s and order.current is not None:
        return replace(order, state=OrderState.EXPIRED, reason="reason.time_out")
    return order


def _turn(order: Checklist, step_id: str, now_s: float) -> Step:
    if expire(order, now_s).state is OrderState.EXPIRED:
        raise ChecklistError("the order has expired")
    current = order.current
    if current is None:
        raise ChecklistError("the order has ended")
    if current.id != step_id:
        raise ChecklistError("another step comes first")
    return current


def _advance(order: Checklist, step: Step) -> Checklist:
    steps = tuple(step if other.id == step.id else other for other in order.steps)
    done = all(other.state is not StepState.OPEN for other in steps)
    return replace(order, steps=steps, state=OrderState.DONE if done else OrderState.RUNNING)


def _container_number(text: str) -> str:
    try:
        parsed = parse_container(text)
    except PayloadError:
        parsed = None
    if parsed is not None and parsed.valid:
        return parsed.fields["number"]
    repaired = repair_container(text)
    if repaired is None:
        raise ChecklistError("not a container number: the check digit does not hold")
    return repaired
