from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.interception.checklist import (
    Checklist,
    ChecklistError,
    OrderState,
    Step,
    StepKind,
    StepState,
    accept,
    cancel,
    complete,
    expire,
    fail,
    skip,
)

STEPS = (
    Step("1", StepKind.GO_TO, True),
    Step("2", StepKind.CONTAINER_NUMBER, True),
    Step("3", StepKind.PHOTO, False),
    Step("4", StepKind.RESULT, True),
)


def order(expires_s: float = 0.0) -> Checklist:
    return accept("o1", 1, expires_s, STEPS, 0.0)


def test_steps_are_walked_in_their_order_to_the_end() -> None:
    now = complete(order(), "1", "", [], 1.0)
    assert now.state is OrderState.RUNNING
    with pytest.raises(ChecklistError, match="another step"):
        complete(now, "4", "released", [], 1.0)
    now = complete(now, "2", "CSQU 305438 3", [], 2.0)
    now = skip(now, "3", "no light", 3.0)
    now = complete(now, "4", "released", ["ab" * 32], 4.0)
    assert now.state is OrderState.DONE
    assert [step.state for step in now.steps] == [StepState.DONE, StepState.DONE, StepState.SKIPPED, StepState.DONE]
    assert now.steps[1].result == "CSQU3054383"


def test_a_container_number_is_checked_at_the_container() -> None:
    now = complete(order(), "1", "", [], 1.0)
    with pytest.raises(ChecklistError, match="check digit"):
        complete(now, "2", "CSQU3054389", [], 1.0)
    assert complete(now, "2", "C5QU3O54383", [], 1.0).steps[1].result == "CSQU3054383"


def test_a_photo_step_needs_a_picture_and_a_required_step_cannot_be_skipped() -> None:
    now = complete(complete(order(), "1", "", [], 1.0), "2", "CSQU3054383", [], 1.0)
    with pytest.raises(ChecklistError, match="picture"):
        complete(now, "3", "", [], 1.0)
    with pytest.raises(ChecklistError, match="required"):
        skip(order(), "1", "too far", 1.0)
    with pytest.raises(ChecklistError, match="reason"):
        skip(now, "3", "  ", 1.0)


def test_a_required_step_that_fails_ends_the_order_and_an_optional_one_does_not() -> None:
    assert fail(order(), "1", "no way", 1.0).state is OrderState.FAILED
    now = complete(complete(order(), "1", "", [], 1.0), "2", "CSQU3054383", [], 1.0)
    assert fail(now, "3", "camera dark", 1.0).state is OrderState.RUNNING


def test_an_expired_or_cancelled_order_takes_no_more_results() -> None:
    assert expire(order(10.0), 9.0).state is OrderState.ACCEPTED
    assert expire(order(10.0), 10.0).state is OrderState.EXPIRED
    with pytest.raises(ChecklistError, match="expired"):
        complete(order(10.0), "1", "", [], 11.0)
    with pytest.raises(ChecklistError, match="ended"):
        complete(cancel(order(), "officer"), "1", "", [], 1.0)


@pytest.mark.parametrize("steps", [(), (STEPS[0], STEPS[0])])
def test_an_order_without_steps_or_with_doubled_ids_is_refused(steps: tuple[Step, ...]) -> None:
    with pytest.raises(ChecklistError):
        accept("o1", 1, 0.0, steps, 0.0)


@given(st.lists(st.tuples(st.sampled_from(["complete", "skip", "fail"]), st.sampled_from("1234"), st.text(max_size=5))))
def test_whatever_is_asked_no_finished_order_has_a_required_step_open(calls: list[tuple[str, str, str]]) -> None:
    now = order()
    for call, step, text in calls:
        try:
            if call == "complete":
                now = complete(now, step, text or "CSQU3054383", ["ab"], 1.0)
            else:
                now = {"skip": skip, "fail": fail}[call](now, step, text, 1.0)
        except ChecklistError:
            continue
    if now.state is OrderState.DONE:
        assert all(step.state is StepState.DONE for step in now.steps if step.required)
    assert (now.current is None) == (now.state in (OrderState.DONE, OrderState.FAILED))
