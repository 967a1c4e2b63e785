"""Walk a checklist: what the robot does at each step. The body is a protocol, so that a test can be one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from inspection_robot.interception.checklist import (
    NEEDS_PICTURE,
    OFFICERS,
    Checklist,
    ChecklistError,
    OrderState,
    Step,
    StepKind,
    cancel,
    complete,
    expire,
    fail,
    leave_to_officer,
)


class OrderBody(Protocol):
    """What a walk needs of the robot. Each call may take its time and raises :class:`ChecklistError` when it fails."""

    def now_s(self) -> float:
        """Node's clock [s]."""

    def go_to_place(self) -> None:
        """Drive to the order's place."""

    def take_picture(self) -> str:
        """Store a picture as evidence; its SHA-256."""

    def read_container_number(self) -> str:
        """A container number in view."""

    def sweep(self) -> str:
        """Listen to all sensors for a while; the kinds of findings heard, as text."""

    def cancelled(self) -> bool:
        """Whether somebody wants the order to end."""


def walk(order: Checklist, body: OrderBody, tell: Callable[[Checklist], None]) -> Checklist:
    """Do every step in its order, telling after each; steps only the officer can do are left to him.

    Returns:
        The order as it ended.
    """
    tell(order)
    while (step := order.current) is not None:
        if body.cancelled():
            order = cancel(order, "reason.cancelled")
            break
        order = expire(order, body.now_s())
        if order.state is OrderState.EXPIRED:
            break
        try:
            order = _do(order, step, body)
        except ChecklistError as error:
            now_s = body.now_s()
            order = expire(order, now_s)
            if order.state is OrderState.EXPIRED:
                break
            order = fail(order, step.id, str(error), now_s)
        tell(order)
    tell(order)
    return order


def _do(order: Checklist, step: Step, body: OrderBody) -> Checklist:
    if step.kind in OFFICERS:
        return leave_to_officer(order, step.id, body.now_s())
    result, evidence = "", tuple[str, ...]()
    if step.kind is StepKind.GO_TO:
        body.go_to_place()
    elif step.kind is StepKind.CONTAINER_NUMBER:
        result, evidence = body.read_container_number(), (body.take_picture(),)
    elif step.kind is StepKind.SENSOR_SWEEP:
        result = body.sweep()
    elif step.kind in NEEDS_PICTURE:
        evidence = (body.take_picture(),)
    return complete(order, step.id, result, evidence, body.now_s())
