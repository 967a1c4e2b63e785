from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.operator.marks import (
    FINDING_LIFE_S,
    MOST_FINDINGS,
    SEVERITY_COLOURS,
    Handle,
    Spot,
    Walker,
    marks_of_findings,
    marks_of_people,
    still_shown,
)
from inspection_robot.operator.texts import LANGUAGES, words


def spot(severity: int = 3, time_s: float = 0.0) -> Spot:
    return Spot("thermal.fever", severity, 1.0, 2.0, time_s, "38.9 Cel")


def test_a_walker_has_a_body_an_arrow_and_a_name() -> None:
    marks = marks_of_people([Walker("a1", False, 1.0, 2.0, 0.5, 1.2, 0.9)])
    assert [mark.shape for mark in marks] == ["cylinder", "arrow", "text"]
    assert marks[1].size[0] == pytest.approx(1.2)
    assert marks[2].text == "a1"


def test_who_stands_has_no_arrow_and_a_doubtful_track_is_paler() -> None:
    sure, doubtful = (marks_of_people([Walker("a", False, 0, 0, 0, 0.0, e)]) for e in (1.0, 0.3))
    assert [mark.shape for mark in sure] == ["cylinder", "text"]
    assert doubtful[0].colour[3] < sure[0].colour[3]


@given(st.integers(-3, 9))
def test_a_finding_has_the_colour_of_its_severity(severity: int) -> None:
    ball, label = marks_of_findings([spot(severity)])
    assert ball.colour == SEVERITY_COLOURS[min(max(severity, 0), 4)]
    assert label.text == "thermal.fever 38.9 Cel"


def test_old_findings_disappear_and_the_latest_stay() -> None:
    assert still_shown([spot(time_s=0.0)], FINDING_LIFE_S + 1) == []
    many = [spot(time_s=float(i) / 10) for i in range(MOST_FINDINGS + 20)]
    assert still_shown(many, 10.0) == many[-MOST_FINDINGS:]


@given(st.floats(-1e6, 1e6), st.floats(-10, 10))
def test_a_dragged_marker_never_asks_for_more_than_its_limits(pulled: float, turned: float) -> None:
    handle = Handle()
    v, w = handle.velocity(pulled, turned)
    assert abs(v) <= handle.speed_m_s and abs(w) <= handle.turn_rad_s
    assert v * pulled >= 0 and w * turned >= 0


def test_both_languages_have_the_same_words() -> None:
    assert {frozenset(words(language)) for language in LANGUAGES} == {frozenset({"drive", "stop", "release"})}
