from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_trees.common import Status

from inspection_robot.interception.approach import Approach, ApproachParameters, Mover, Step, Verdict
from inspection_robot.interception.approach_tree import approach_tree

PARAMETERS = ApproachParameters()
STEP_S = 0.1


def person(x: float, y: float, vx: float = 0.0, vy: float = 0.0, unseen_s: float = 0.0) -> Mover:
    return Mover(np.array([x, y]), np.array([vx, vy]), unseen_s)


def walk(robot: tuple[float, float, float], subject: Mover, others: list[Mover], seconds: float = 60.0) -> list[Any]:
    """Drive the approach against people who keep their velocities; returns (robot, subject, others, step) over time."""
    approach, trace = Approach(PARAMETERS), []
    for tick in range(int(seconds / STEP_S)):
        step = approach.step(robot, subject, others, tick * STEP_S)
        trace.append((robot, subject, others, step))
        if step.verdict in (Verdict.REACHED, Verdict.OBJECTED, Verdict.LOST):
            break
        x, y, heading = robot
        heading += step.angular * STEP_S
        robot = (x + step.linear * np.cos(heading) * STEP_S, y + step.linear * np.sin(heading) * STEP_S, heading)
        subject = Mover(subject.position + subject.velocity * STEP_S, subject.velocity)
        others = [Mover(o.position + o.velocity * STEP_S, o.velocity) for o in others]
    return trace


def gap(robot: tuple[float, float, float], mover: Mover) -> float:
    return float(np.linalg.norm(mover.position - np.array(robot[:2])))


def test_it_comes_up_to_a_standing_person_and_stops_at_speaking_distance_facing_them() -> None:
    trace = walk((0.0, 0.0, 2.0), person(6.0, 3.0), [])
    robot, subject, _, step = trace[-1]
    assert step.verdict is Verdict.REACHED
    assert 1.2 <= gap(robot, subject) <= PARAMETERS.speaking_distance_m + PARAMETERS.reached_tolerance_m
    towards = np.arctan2(*(subject.position - np.array(robot[:2]))[::-1])
    assert abs((towards - robot[2] + np.pi) % (2 * np.pi) - np.pi) < 0.3


places = st.tuples(st.floats(-6, 6), st.floats(-6, 6))


@given(places, st.lists(places, max_size=4), st.floats(-3.1, 3.1))
@settings(max_examples=60, deadline=None)
def test_by_its_own_motion_it_never_comes_too_near_or_too_fast(
    subject: tuple[float, float], others: list[tuple[float, float]], heading: float
) -> None:
    crowd = [person(*place) for place in others]
    if gap((0, 0, 0), person(*subject)) < 2.0 or any(gap((0, 0, 0), o) < 1.5 for o in crowd):
        return
    for robot, target, bystanders, step in walk((0.0, 0.0, heading), person(*subject), crowd, 40.0):
        nearest = min(gap(robot, mover) for mover in [target, *bystanders])
        assert nearest >= PARAMETERS.stop_distance_m
        assert 0.0 <= step.linear <= PARAMETERS.speed_m_s
        if nearest < 3.0:
            assert step.linear <= 0.5
        assert abs(step.angular) <= PARAMETERS.turn_rad_s


@given(st.lists(places, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_bystanders_who_stand_are_passed_at_passing_distance_or_not_at_all(others: list[tuple[float, float]]) -> None:
    crowd = [person(*place) for place in others]
    if any(gap((-5, 0, 0), o) < 1.5 or gap((5, 0, 0), o) < 1.0 for o in crowd):
        return
    for robot, _, bystanders, step in walk((-5.0, 0.0, 0.0), person(5.0, 0.0), crowd, 40.0):
        for bystander in bystanders:
            away = bystander.position - np.array(robot[:2])
            ahead = float(away @ np.array([np.cos(robot[2]), np.sin(robot[2])]))
            if step.linear > 0.0 and ahead > 0.3:
                assert gap(robot, bystander) > PARAMETERS.passing_distance_m - 0.4


def test_it_never_follows_a_person_who_walks_away() -> None:
    trace = walk((0.0, 0.0, 0.0), person(3.0, 0.0, 1.2, 0.0), [])
    assert trace[-1][3].verdict is Verdict.OBJECTED
    assert gap((0.0, 0.0, 0.0), person(*trace[-1][0][:2])) < 1.2


def test_a_person_out_of_sight_is_lost_and_the_robot_stands() -> None:
    approach = Approach(PARAMETERS)
    assert approach.step((0, 0, 0), None, [], 0.0).verdict is Verdict.LOST
    step = approach.step((0, 0, 0), person(3, 0, unseen_s=4.0), [], 0.1)
    assert (step.verdict, step.linear, step.angular) == (Verdict.LOST, 0.0, 0.0)


def test_it_waits_while_somebody_stands_in_the_way() -> None:
    trace = walk((0.0, 0.0, 0.0), person(6.0, 0.0), [person(3.0, 0.2)], 20.0)
    assert trace[-1][3].verdict is Verdict.WAITING
    assert gap(trace[-1][0], trace[-1][2][0]) > PARAMETERS.passing_distance_m


class FakeBody:
    """Notes what the tree asks for; speaks for two ticks."""

    def __init__(self, steps: list[Verdict]) -> None:
        self.said: list[str] = []
        self.told: list[Verdict] = []
        self.stops = 0
        self._steps, self._left = steps, 0

    def say(self, key: str) -> None:
        self.said.append(key)
        self._left = 2

    def speaking(self) -> bool:
        self._left -= 1
        return self._left > 0

    def step(self) -> Step:
        verdict = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return Step(0.1, 0.0, verdict, 2.0)

    def stop(self) -> None:
        self.stops += 1

    def tell(self, verdict: Verdict) -> None:
        self.told.append(verdict)


def run_tree(body: FakeBody, ticks: int, patience: int = 5) -> Status:
    tree = approach_tree(body, "interception.fever", patience)
    for _ in range(ticks):
        tree.tick_once()
        if tree.status is not Status.RUNNING:
            break
    return tree.status  # type: ignore[no-any-return]


def test_the_tree_announces_comes_up_instructs_and_stays() -> None:
    body = FakeBody([Verdict.MOVING, Verdict.MOVING, Verdict.REACHED])
    assert run_tree(body, 20) is Status.RUNNING
    assert body.said == ["interception.approach", "interception.fever"]
    assert body.told == [Verdict.REACHED]


@pytest.mark.parametrize("end", [Verdict.OBJECTED, Verdict.LOST])
def test_the_tree_stands_still_and_tells_when_the_person_objects_or_is_lost(end: Verdict) -> None:
    body = FakeBody([Verdict.MOVING, end])
    assert run_tree(body, 20) is Status.FAILURE
    assert body.told == [end]
    assert body.said == ["interception.approach"]
    assert body.stops >= 1


def test_the_tree_gives_up_when_the_way_stays_shut() -> None:
    body = FakeBody([Verdict.WAITING])
    assert run_tree(body, 20, patience=5) is Status.FAILURE
    assert body.told == [Verdict.WAITING]
