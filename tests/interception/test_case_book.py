from __future__ import annotations

import itertools
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.interception.association import TrackPoint, associate, subject_of
from inspection_robot.interception.case_book import CaseBook, Task
from inspection_robot.interception.fusion import Finding, FindingError, checked, fused_confidence, fused_grade
from inspection_robot.interception.grades import Grade
from inspection_robot.interception.incident import Event, EventKind, State
from inspection_robot.interception.kinds import load_kinds

TABLE = load_kinds()
numbers = itertools.count(1)


def finding(kind: str = "thermal.fever", time_s: float = 100.0, **changes: object) -> Finding:
    made = Finding(UUID(int=next(numbers)), kind, 3, 0.9, time_s)
    return replace(made, **changes)


def book() -> CaseBook:
    return CaseBook(TABLE, lambda: UUID(int=next(numbers)))


def track(name: str, x: float, y: float, spread: float = 0.05) -> TrackPoint:
    return TrackPoint(name, np.array([x, y]), np.eye(2) * spread)


def test_fever_and_smell_of_one_person_are_one_incident_and_of_two_people_two() -> None:
    one = book()
    one.add(finding(subject="t1"), [], 100.0)
    one.add(finding("odor.meat", subject="t1"), [], 101.0)
    assert [case.hypotheses for case in one.cases()] == [{"fever", "controlled_goods"}]
    assert one.cases()[0].incident.kind == "thermal.fever"
    two = book()
    two.add(finding(subject="t1"), [], 100.0)
    two.add(finding("odor.meat", subject="t2"), [], 101.0)
    assert len(two.cases()) == 2


def test_a_finding_between_two_people_is_laid_to_nobody() -> None:
    tracks = [track("t1", 0.0, 0.5), track("t2", 0.0, -0.5)]
    assert subject_of(associate((0.0, 0.0), ((0.5, 0.0), (0.0, 0.5)), tracks)) == ""
    assert subject_of(associate((0.0, 0.45), ((0.05, 0.0), (0.0, 0.05)), tracks)) == "t1"
    assert subject_of(associate((9.0, 9.0), None, tracks)) == ""


@given(
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(1e-3, 10.0)), max_size=8),
)
def test_probabilities_of_all_tracks_and_of_nobody_sum_to_one(
    position: tuple[float, float], places: list[tuple[float, float, float]]
) -> None:
    tracks = [track(f"t{i}", x, y, spread) for i, (x, y, spread) in enumerate(places)]
    probabilities = associate(position, None, tracks)
    assert sum(probabilities.values()) == pytest.approx(1.0)
    assert "" in probabilities


def test_an_alarm_waits_for_the_officer_at_once_and_a_weaker_finding_for_a_second_look() -> None:
    alarms = book()
    outcome = alarms.add(finding(subject="t1", severity=3), [], 100.0)
    assert outcome.changed[-1].incident.state is State.AWAITING_OFFICER
    assert outcome.changed[-1].incident.grade is Grade.B
    weaker = book()
    outcome = weaker.add(finding(subject="t1", severity=2), [], 100.0)
    assert [task for task, _ in outcome.tasks] == [Task.VERIFY]
    assert outcome.changed[-1].incident.state is State.VERIFYING
    outcome = weaker.add(finding(subject="t1", severity=2, time_s=103.0), [], 103.0)
    assert outcome.changed[-1].incident.state is State.AWAITING_OFFICER
    assert outcome.changed[-1].incident.grade is Grade.B


def test_the_same_finding_told_twice_counts_once() -> None:
    cases = book()
    first = finding(subject="t1", severity=2)
    cases.add(first, [], 100.0)
    assert cases.add(first, [], 101.0).changed == ()
    assert cases.cases()[0].incident.state is State.VERIFYING


def test_a_second_look_that_never_comes_lets_the_incident_expire_and_be_forgotten() -> None:
    cases = book()
    cases.add(finding(subject="t1", severity=2), [], 100.0)
    assert cases.tick(120.0).changed == ()
    assert [case.incident.state for case in cases.tick(150.0).changed] == [State.EXPIRED]
    cases.tick(1000.0)
    assert not cases.cases()


def test_a_dismissed_subject_opens_no_new_incident_of_the_same_hypothesis_for_a_while() -> None:
    cases = book()
    opened = cases.add(finding(subject="t1"), [], 100.0).changed[-1].incident
    cases.happen(opened.uuid, Event(EventKind.OFFICER_DISMISSED, 110.0, "officer 7", "checked"))
    assert cases.add(finding(subject="t1", time_s=120.0), [], 120.0).changed == ()
    assert cases.add(finding("radiation.rise", subject="t1", time_s=121.0), [], 121.0).changed
    assert cases.add(finding(subject="t1", time_s=500.0), [], 500.0).changed


def test_a_case_about_a_camera_id_goes_over_to_the_persons_track_and_follows_it() -> None:
    cases = book()
    cases.add(finding(subject="thermal/4"), [], 100.0)
    cases.rename({"thermal/4": "t9"})
    cases.follow({"t9": track("t9", 3.0, 4.0)})
    assert cases.cases()[0].incident.subject == "t9"
    assert cases.cases()[0].position == (3.0, 4.0)
    cases.add(finding("odor.meat", subject="t9"), [], 102.0)
    assert len(cases.cases()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"time_s": float("nan")},
        {"time_s": float("inf")},
        {"time_s": 200.0},
        {"time_s": -500.0},
        {"confidence": float("nan")},
        {"confidence": 1.5},
    ],
)
def test_a_finding_with_a_broken_time_or_confidence_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(FindingError):
        book().add(finding(**changes), [], 100.0)


@given(st.lists(st.floats(), min_size=6, max_size=6))
def test_a_broken_place_or_covariance_is_left_out_and_never_spreads(values: list[float]) -> None:
    x, y, xx, xy, yx, yy = values
    clean = checked(finding(position=(x, y), covariance=((xx, xy), (yx, yy))), 100.0)
    if clean.position is not None:
        assert np.isfinite(clean.position).all()
    if clean.covariance is not None:
        assert np.linalg.eigvalsh(np.array(clean.covariance)).min() > -1e-9


def test_kinds_that_the_table_does_not_know_and_weak_findings_open_nothing() -> None:
    assert book().add(finding("voice.hello"), [], 100.0).changed == ()
    assert book().add(finding(severity=1), [], 100.0).changed == ()


@given(st.lists(st.tuples(st.sampled_from([rule.prefix for rule in TABLE.rules]), st.floats(0.0, 1.0)), max_size=8))
def test_more_evidence_never_lowers_the_grade_and_confidence_stays_a_probability(
    pairs: list[tuple[str, float]],
) -> None:
    findings = [(finding(kind, confidence=p), TABLE.rule_of(kind)) for kind, p in pairs]
    known = [(f, rule) for f, rule in findings if rule is not None]
    grades = [fused_grade(known[:count]) for count in range(1, len(known) + 1)]
    assert grades == sorted(grades, reverse=True)
    assert 0.0 <= fused_confidence(known) <= 1.0


def test_independent_kinds_of_one_hypothesis_strengthen_each_other_and_repeats_do_not() -> None:
    def sure(*kinds: str) -> float:
        return fused_confidence([(finding(kind, confidence=0.6), TABLE.rule_of(kind)) for kind in kinds])  # type: ignore[misc]

    assert sure("document.watchlist_name", "document.watchlist") > sure("document.watchlist")
    assert sure("odor.meat", "odor.meat") == pytest.approx(sure("odor.meat"))
