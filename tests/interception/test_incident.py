from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.interception.grades import PERMISSIONS, Grade, Permission, grade_of_hit
from inspection_robot.interception.incident import (
    OFFICER_EVENTS,
    OPEN_STATES,
    TRANSITIONS,
    Event,
    EventKind,
    Incident,
    Limits,
    RefusalError,
    State,
    apply,
    state_table,
)

ENDS = {State.HANDED_OVER, State.DISMISSED, State.LOST, State.EXPIRED}


def incident(state: State = State.SUSPECTED, grade: Grade = Grade.A) -> Incident:
    return Incident(UUID(int=1), state, "thermal.fever", grade, "t1", 0.9, 0.0, 0.0, Limits(), "1")


def event(kind: EventKind, time_s: float = 1.0, actor: str = "officer 7", reason: str = "seen") -> Event:
    if kind is EventKind.TIME_OUT:
        time_s = max(time_s, 1e4)
    return Event(kind, time_s, actor if kind in OFFICER_EVENTS else "robot:test", reason)


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("state", State)
def test_every_state_takes_or_refuses_every_event_as_the_table_says(state: State, kind: EventKind) -> None:
    before = incident(state)
    target = TRANSITIONS.get((state, kind))
    if target is None:
        with pytest.raises(RefusalError):
            apply(before, event(kind))
        return
    after = apply(before, event(kind, 2e4) if kind is EventKind.TIME_OUT else event(kind))
    # Beyond the longest life every open incident expires, wherever it stood.
    assert after.state is (State.EXPIRED if kind is EventKind.TIME_OUT else target)
    assert [(step.from_state, step.to_state) for step in after.history] == [(state, after.state)]


def test_the_table_has_no_step_out_of_an_end_and_every_open_state_can_time_out() -> None:
    assert not {state for state, _ in TRANSITIONS} & ENDS
    assert all((state, EventKind.TIME_OUT) in TRANSITIONS for state in OPEN_STATES)
    assert len(state_table()) == len(OPEN_STATES) * len(EventKind)


@pytest.mark.parametrize("state", OPEN_STATES)
def test_a_time_out_in_time_leads_where_the_table_says_and_one_too_early_is_refused(state: State) -> None:
    now = incident(state)
    limit = now.limits.of(state)
    with pytest.raises(RefusalError):
        apply(now, Event(EventKind.TIME_OUT, limit - 0.1, "robot:time"))
    assert apply(now, Event(EventKind.TIME_OUT, limit, "robot:time")).state is TRANSITIONS[state, EventKind.TIME_OUT]


histories = st.lists(
    st.tuples(st.sampled_from(EventKind), st.floats(0.0, 400.0), st.sampled_from(["officer 7", "", "robot:x", "  "])),
    max_size=40,
)


@given(histories, st.sampled_from(Grade))
@settings(max_examples=400)
def test_no_history_approaches_without_an_officers_approval_and_every_history_ends(
    steps: list[tuple[EventKind, float, str]], grade: Grade
) -> None:
    now, time_s = incident(grade=grade), 0.0
    for kind, wait, actor in steps:
        time_s += wait
        try:
            now = apply(now, Event(kind, time_s, actor, "why"))
        except RefusalError:
            continue
    for index, step in enumerate(now.history):
        if step.to_state is State.APPROACHING:
            approvals = [earlier for earlier in now.history[:index] if earlier.to_state is State.APPROVED]
            assert approvals and approvals[-1].actor.strip() and not approvals[-1].actor.startswith("robot:")
            assert now.history[index - 1].to_state is State.APPROVED
            assert PERMISSIONS[grade] is not Permission.NOTIFY
    for _ in range(2):
        if now.is_open:
            now = apply(now, Event(EventKind.TIME_OUT, max(time_s, now.expires_s), "robot:time"))
    assert now.state in ENDS


@given(histories)
def test_an_open_incident_never_outlives_its_last_moment(steps: list[tuple[EventKind, float, str]]) -> None:
    now, time_s = incident(), 0.0
    for kind, wait, _ in steps:
        time_s += wait
        try:
            now = apply(now, Event(kind, time_s, "officer 7", "why"))
        except RefusalError:
            continue
        assert now.expires_s <= now.opened_s + now.limits.life or not now.is_open


@pytest.mark.parametrize("grade", [Grade.D, Grade.E])
def test_a_name_or_a_smell_alone_never_permits_an_approach(grade: Grade) -> None:
    with pytest.raises(RefusalError, match="grade_too_low"):
        apply(incident(State.AWAITING_OFFICER, grade), event(EventKind.OFFICER_APPROVED))


@pytest.mark.parametrize("kind", [EventKind.OFFICER_DISMISSED, EventKind.OFFICER_ABORTED])
def test_dismissing_and_aborting_need_a_reason(kind: EventKind) -> None:
    with pytest.raises(RefusalError, match="reason_missing"):
        apply(incident(State.APPROACHING), event(kind, reason=" "))


def test_abort_and_objection_stop_the_approach_and_keep_the_incident() -> None:
    for kind in (EventKind.OFFICER_ABORTED, EventKind.OBJECTED, EventKind.APPROACH_FAILED):
        assert apply(incident(State.APPROACHING), event(kind)).state is State.AWAITING_OFFICER


def test_a_better_hit_never_has_a_worse_grade() -> None:
    assert grade_of_hit(True, True, True, 1.0) is Grade.A
    assert grade_of_hit(False, True, True, 0.0) is Grade.B
    assert grade_of_hit(False, False, True, 0.7) is Grade.C
    assert grade_of_hit(False, False, False, 1.0) is Grade.D
    assert grade_of_hit(False, False, True, 0.69) is None
    assert grade_of_hit(False, True, False, 0.0) is None
