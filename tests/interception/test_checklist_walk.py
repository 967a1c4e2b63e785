from __future__ import annotations

from inspection_robot.interception.checklist import (
    LEFT_TO_OFFICER,
    Checklist,
    ChecklistError,
    OrderState,
    Step,
    StepKind,
    StepState,
    accept,
)
from inspection_robot.interception.checklist_walk import walk


class FakeBody:
    """A robot that can do everything but what it is told to fail at."""

    def __init__(self, fails: str = "", cancel_after: int = 99) -> None:
        self._fails, self._left = fails, cancel_after
        self.time_s = 0.0

    def _may(self, what: str) -> None:
        self.time_s += 10.0
        if what == self._fails:
            raise ChecklistError(f"{what} failed")

    def now_s(self) -> float:
        return self.time_s

    def go_to_place(self) -> None:
        self._may("go_to_place")

    def take_picture(self) -> str:
        self._may("take_picture")
        return "ab" * 32

    def read_container_number(self) -> str:
        self._may("read_container_number")
        return "CSQU3054383"

    def sweep(self) -> str:
        self._may("sweep")
        return "radiation.rise"

    def cancelled(self) -> bool:
        self._left -= 1
        return self._left < 0


def order(expires_s: float = 0.0) -> Checklist:
    kinds = list(StepKind)
    steps = tuple(Step(kind.value, kind, kind is not StepKind.SENSOR_SWEEP) for kind in kinds)
    return accept("o1", 1, expires_s, steps, 0.0)


def test_the_robot_does_its_steps_and_leaves_the_officers_to_the_officer() -> None:
    told: list[Checklist] = []
    done = walk(order(), FakeBody(), told.append)
    states = {step.id: step.state for step in done.steps}
    assert done.state is OrderState.DONE
    assert {name for name, state in states.items() if state is StepState.SKIPPED} == {"seal", "result"}
    assert next(step.result for step in done.steps if step.id == "seal") == LEFT_TO_OFFICER
    assert next(step for step in done.steps if step.id == "photo").evidence == ("ab" * 32,)
    assert len(told) == len(done.steps) + 2


def test_an_optional_step_that_fails_is_passed_over_and_a_required_one_ends_the_order() -> None:
    swept = walk(order(), FakeBody("sweep"), lambda _: None)
    assert swept.state is OrderState.DONE
    assert next(step.state for step in swept.steps if step.id == "sensor_sweep") is StepState.FAILED
    stuck = walk(order(), FakeBody("go_to_place"), lambda _: None)
    assert (stuck.state, stuck.reason) == (OrderState.FAILED, "go_to_place failed")


def test_a_cancelled_and_an_expired_order_end_where_they_are() -> None:
    assert walk(order(), FakeBody(cancel_after=2), lambda _: None).state is OrderState.CANCELLED
    late = walk(order(25.0), FakeBody(), lambda _: None)
    assert late.state in (OrderState.EXPIRED, OrderState.FAILED)
    assert late.steps[-1].state is StepState.OPEN
