"""Every state against every deed; who may have which duties; what steps come to; codes on items."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_center.declarations import separation
from inspection_center.declarations.deadlines import look_at_steps
from inspection_center.declarations.item_codes import read_code, vin_check_digit
from inspection_center.declarations.officers import PERMISSION_OF
from inspection_center.declarations.states import (
    DUTIES,
    FINAL_STATES,
    RELEASED_STATES,
    TRANSITIONS,
    Deed,
    Duty,
    State,
    after,
)
from inspection_center.problems import Conflict

# Written out by hand, apart from the table: what must be so whatever the table says.
INSPECTION = {State.SELECTED, State.ORDERED, State.INSPECTING, State.INSPECTED}
GOODS_MAY_LEAVE_AFTER = {
    (State.IN_REVIEW, Deed.PASS_DOCUMENTS),
    (State.INSPECTED, Deed.RELEASE),
    (State.INSPECTED, Deed.RELEASE_WITH_FOLLOW_UP),
    (State.HELD, Deed.RELEASE),
    (State.HELD, Deed.RELEASE_WITH_FOLLOW_UP),
}
VINS = ["1M8GDM9AXKP042788", "1HGCM82633A004352", "11111111111111111"]
DUTY_NAMES: tuple[Duty, ...] = ("documents", "dispatch", "goods", "decision")


@pytest.mark.parametrize(("state", "deed"), list(itertools.product(State, Deed)))
def test_each_deed_in_each_state_leads_on_or_is_refused_with_what_is_possible(state: State, deed: Deed) -> None:
    if deed in TRANSITIONS[state]:
        assert after(state, deed) is TRANSITIONS[state][deed]
        return
    with pytest.raises(Conflict) as refused:
        after(state, deed)
    assert str(state) in str(refused.value)
    assert all(str(possible) in str(refused.value) for possible in TRANSITIONS[state])


def test_goods_leave_only_after_their_documents_or_their_inspection_were_decided_on() -> None:
    entries = {
        (state, deed)
        for state, deeds in TRANSITIONS.items()
        for deed, following in deeds.items()
        if following in RELEASED_STATES and state not in RELEASED_STATES
    }
    assert entries == GOODS_MAY_LEAVE_AFTER


def test_what_was_selected_for_inspection_is_released_only_after_the_steps_are_finished() -> None:
    reachable = {State.SELECTED}
    while True:
        more = {
            following for state in reachable - {State.INSPECTED} for following in TRANSITIONS[state].values()
        } | reachable
        if more == reachable:
            break
        reachable = more
    assert reachable == INSPECTION


def test_every_state_is_reached_and_every_one_but_the_final_ones_is_left() -> None:
    reached = {State.RECEIVED} | {following for deeds in TRANSITIONS.values() for following in deeds.values()}
    assert reached == set(State)
    assert {state for state, deeds in TRANSITIONS.items() if not deeds} == FINAL_STATES


def test_every_deed_of_an_officer_has_a_permission_and_every_duty_is_of_an_officer() -> None:
    by_center = {Deed.SCORE, Deed.REVIEW, Deed.BEGIN, Deed.FINISH}
    assert {Deed(name) for name in PERMISSION_OF} == set(Deed) - by_center
    assert not by_center & set(DUTIES)


@given(
    history=st.lists(st.tuples(st.sampled_from(DUTY_NAMES), st.sampled_from(["li", "wang", "chen"])), max_size=12),
)
def test_nobody_ever_has_two_duties_that_exclude_each_other(history: list[tuple[Duty, str]]) -> None:
    held: list[tuple[Duty, str]] = []
    for duty, person in history:
        others = {one for one, holder in held if holder == person} - {duty}
        excluded = any(frozenset({duty, one}) in separation.EXCLUSIVE for one in others)
        if excluded:
            with pytest.raises(Conflict, match=person):
                separation.check(held, duty, person)
            continue
        separation.check(held, duty, person)
        held.append((duty, person))
    for person in {holder for _, holder in held}:
        duties = {duty for duty, holder in held if holder == person}
        assert not (
            {"documents", "goods"} <= duties or {"goods", "decision"} <= duties or {"dispatch", "goods"} <= duties
        )


@pytest.mark.parametrize(
    ("states", "finished", "outcome", "left_out"),
    [
        (("done", "done", "done"), True, "passed", ()),
        (("done", "failed", "done"), True, "failed", ()),
        (("done", "skipped", "done"), True, "incomplete", ("goods",)),
        (("done", "open", "done"), True, "incomplete", ("goods",)),
        (("done", "open", "open"), False, "passed", ()),
        (("done", "done", "skipped"), True, "passed", ()),
    ],
)
def test_steps_come_to_a_result(
    states: tuple[str, ...], finished: bool, outcome: str, left_out: tuple[str, ...]
) -> None:
    kinds = ("seal", "goods", "sensor_sweep")
    steps = [{"kind": kind, "state": state} for kind, state in zip(kinds, states, strict=True)]
    looked = look_at_steps(steps, finished, frozenset({"sensor_sweep"}))
    assert (looked.outcome, looked.skipped) == (outcome, left_out)


@pytest.mark.parametrize("vin", VINS)
def test_genuine_vehicle_numbers_are_taken(vin: str) -> None:
    assert read_code("vin", f" {vin.lower()} ") == vin


@given(st.sampled_from(VINS), st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPRSTUVWXYZ"))
def test_a_changed_character_of_a_vehicle_number_is_told_by_the_check_digit(vin: str, place: int, other: str) -> None:
    changed = vin[:place] + other + vin[place + 1 :]
    if changed[8] == vin_check_digit(changed):
        assert read_code("vin", changed) == changed
    else:
        with pytest.raises(ValueError, match="check digit"):
            read_code("vin", changed)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("vin", "1M8GDM9AXKP04278"), ("vin", "IOQ8GDM9AXKP04278"), ("lot", "a"), ("lot", "a b/<c"), ("", "x")],
)
def test_malformed_codes_are_refused(kind: str, code: str) -> None:
    with pytest.raises(ValueError):
        read_code(kind, code)
