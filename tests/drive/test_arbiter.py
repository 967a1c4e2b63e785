from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inspection_robot.drive.arbiter import (
    STILL,
    Decision,
    Inputs,
    Limits,
    Received,
    Source,
    State,
    Velocity,
    decide,
)
from inspection_robot.drive.clearance import Points

LIMITS = Limits()
PERIOD_S = 0.05
FORWARD = Velocity(0.5, 0.0)
AT = {Source.TELEOP: Velocity(0.1), Source.INTERCEPT: Velocity(0.2), Source.NAVIGATION: Velocity(0.3)}


def inputs(now_s: float = 10.0, **changes: object) -> Inputs:
    """Everything fresh, nothing in the way, navigation wants to go."""
    values: dict[str, object] = {
        "now_s": now_s, "scan_at_s": now_s, "odometry_at_s": now_s, "people_at_s": now_s,
        "commands": {Source.NAVIGATION: Received(FORWARD, now_s)},
    }  # fmt: skip
    return Inputs(**(values | changes))  # type: ignore[arg-type]  # tests name the fields they change


def settle(limits: Limits = LIMITS, state: State | None = None, seconds: float = 3.0, **changes: object) -> Decision:
    """Run with the same situation (kept fresh) until the ramps have ended."""
    state = state or State(at_s=10.0)
    decision = None
    for tick in range(1, round(seconds / PERIOD_S) + 1):
        now_s = 10.0 + tick * PERIOD_S
        situation = inputs(now_s, **changes)
        if "commands" in changes:
            kept = {source: Received(received.velocity, now_s) for source, received in situation.commands.items()}
            situation = inputs(now_s, **(changes | {"commands": kept}))
        state, decision = decide(limits, state, situation)
    assert decision is not None
    return decision


# S1: emergency stop


def test_the_emergency_stop_is_at_once_and_beats_everything() -> None:
    moving = State(Velocity(0.8, 1.0), at_s=9.95)
    commands = {source: Received(FORWARD, 10.0) for source in Source}
    state, decision = decide(LIMITS, moving, inputs(emergency_stop=True, commands=commands))
    assert (decision.velocity, decision.source, decision.reason) == (STILL, None, "emergency_stop")
    assert decision.emergency_stop and state.velocity == STILL


def test_after_release_the_robot_speeds_up_from_standing() -> None:
    state, _ = decide(LIMITS, State(Velocity(0.8), at_s=9.95), inputs(emergency_stop=True))
    _, decision = decide(LIMITS, state, inputs(10.05))
    assert 0 < decision.velocity.linear <= LIMITS.acceleration * PERIOD_S + 1e-9


# S2, S3: priority, time-outs, hold, deadman


@pytest.mark.parametrize("present", [set(c) for n in range(4) for c in itertools.combinations(Source, n)])
def test_the_highest_fresh_source_drives(present: set[Source]) -> None:
    decision = settle(commands={source: Received(AT[source], 0.0) for source in present})
    expected = next((source for source in Source if source in present), None)
    assert decision.source is expected
    assert decision.velocity.linear == pytest.approx(AT[expected].linear if expected else 0.0)


@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize(("age_factor", "counts"), [(0.0, True), (0.99, True), (1.01, False), (-1.0, False)])
def test_a_command_counts_until_its_timeout_and_never_from_the_future(
    source: Source, age_factor: float, counts: bool
) -> None:
    received = Received(FORWARD, 10.0 - age_factor * LIMITS.timeout_s(source) * (1 if age_factor >= 0 else 10))
    _, decision = decide(LIMITS, State(at_s=9.95), inputs(commands={source: received}))
    assert (decision.source is source) is counts


def test_a_source_that_falls_silent_is_braked_and_not_dropped() -> None:
    moving = State(Velocity(0.5), at_s=9.95)
    _state, decision = decide(LIMITS, moving, inputs(commands={}))
    assert decision.source is None
    assert decision.velocity.linear == pytest.approx(0.5 - LIMITS.deceleration * PERIOD_S)


def test_others_wait_after_teleoperation() -> None:
    commands = {Source.TELEOP: Received(Velocity(0.2), 10.0), Source.NAVIGATION: Received(FORWARD, 10.0)}
    state, _ = decide(LIMITS, State(at_s=9.95), inputs(commands=commands))
    sources = []
    for tick in range(1, 40):
        now_s = 10.0 + tick * PERIOD_S
        later = {Source.TELEOP: commands[Source.TELEOP], Source.NAVIGATION: Received(FORWARD, now_s)}
        state, decision = decide(LIMITS, state, inputs(now_s, commands=later))
        sources.append((round(now_s - 10.0, 2), decision.source))
    first = next(age for age, source in sources if source is Source.NAVIGATION)
    assert LIMITS.teleop_hold_s <= first <= LIMITS.teleop_timeout_s + LIMITS.teleop_hold_s + 2 * PERIOD_S


@pytest.mark.parametrize(("held_at_s", "drives"), [(10.0, True), (9.8, True), (9.6, False), (-math.inf, False)])
def test_with_a_deadman_teleoperation_counts_only_while_it_is_held(held_at_s: float, drives: bool) -> None:
    limits = Limits(deadman_required=True)
    commands = {Source.TELEOP: Received(FORWARD, 10.0)}
    _, decision = decide(limits, State(at_s=9.95), inputs(commands=commands, deadman_at_s=held_at_s))
    assert (decision.source is Source.TELEOP) is drives
    assert (decision.velocity.linear > 0) is drives


@pytest.mark.parametrize("linear", [math.nan, math.inf, -math.inf])
def test_a_command_that_is_no_number_is_a_stop(linear: float) -> None:
    moving = State(Velocity(0.3), at_s=9.95)
    commands = {Source.TELEOP: Received(Velocity(linear, 0.0), 10.0), Source.NAVIGATION: Received(FORWARD, 10.0)}
    _, decision = decide(LIMITS, moving, inputs(commands=commands))
    assert decision.source is Source.TELEOP
    assert 0 <= decision.velocity.linear < 0.3


# S4: people


def person(distance: float, angle: float = math.pi) -> Points:
    """Somebody whose hull is that far from the robot's, behind it unless said otherwise."""
    centre = distance + LIMITS.robot_radius + LIMITS.person_radius
    return np.array([[centre * math.cos(angle), centre * math.sin(angle)]])


def test_the_nearer_a_person_the_slower() -> None:
    caps = [settle(people=person(distance)).speed_limit for distance in (4.0, 3.0, 2.0, 1.0, 0.5, 0.1)]
    assert caps == sorted(caps, reverse=True)
    assert (caps[0], caps[-1]) == (LIMITS.linear, LIMITS.beside_people_linear)


def test_nobody_is_approached_nearer_than_the_clearance() -> None:
    decision = settle(people=person(LIMITS.person_clearance - 0.01, angle=0.0))
    assert (decision.velocity.linear, decision.protective_stop, decision.reason) == (0.0, True, "person_ahead")


def test_a_person_who_comes_close_can_be_left() -> None:
    close = person(0.1, angle=0.0)
    away = settle(people=close, commands={Source.NAVIGATION: Received(Velocity(-0.3), 0.0)})
    assert away.velocity.linear == pytest.approx(-LIMITS.beside_people_linear)


def test_where_people_are_unknown_the_robot_creeps() -> None:
    decision = settle(people_at_s=-math.inf)
    assert (decision.velocity.linear, decision.reason) == (LIMITS.unseen_people_linear, "people_unknown")
    assert math.isnan(decision.nearest_person_m)


# S5: scan and odometry


@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize("lost", ["scan_at_s", "odometry_at_s"])
def test_without_scan_or_odometry_nothing_drives_by_itself(source: Source, lost: str) -> None:
    decision = settle(commands={source: Received(FORWARD, 0.0)}, **{lost: -math.inf})
    if source is not Source.TELEOP:
        assert (decision.velocity.linear, decision.protective_stop) == (0.0, True)
    elif lost == "scan_at_s":
        assert decision.velocity.linear == LIMITS.blind_linear
    else:
        assert decision.velocity.linear == pytest.approx(0.5)


def test_before_a_wall_the_robot_can_still_turn_and_back_off() -> None:
    wall = np.column_stack([np.full(41, 0.35), np.linspace(-1, 1, 41)])
    ahead = settle(obstacles=wall, commands={Source.NAVIGATION: Received(Velocity(0.5, 1.0), 0.0)})
    assert ahead.velocity == Velocity(0.0, LIMITS.blocked_angular)
    assert (ahead.protective_stop, ahead.reason) == (True, "obstacle")
    back = settle(obstacles=wall, commands={Source.NAVIGATION: Received(Velocity(-0.2), 0.0)})
    assert back.velocity.linear == pytest.approx(-0.2)


def test_a_limit_keeps_the_arc() -> None:
    decision = settle(people_at_s=-math.inf, commands={Source.NAVIGATION: Received(Velocity(0.6, 0.6), 0.0)})
    assert decision.velocity.linear == pytest.approx(0.3)
    assert decision.velocity.angular == pytest.approx(0.3)


# S6: for every input, whatever it is

finite = st.floats(-5, 5)
ages = st.sampled_from([0.0, 0.2, 0.4, 2.0, -1.0, math.inf])
points = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), max_size=6).map(
    lambda found: np.array(found, dtype=np.float64).reshape(-1, 2)
)


@settings(max_examples=400)
@given(
    st.floats(0, 0.8), finite, st.dictionaries(st.sampled_from(Source), st.tuples(st.floats(), st.floats(), ages)),
    ages, ages, ages, ages, points, points, st.booleans(), st.booleans(),
)  # fmt: skip
def test_no_output_exceeds_a_limit(
    before: float, turning: float, commands: dict[Source, tuple[float, float, float]], scan: float, odometry: float,
    people: float, deadman: float, obstacles: Points, crowd: Points, stop: bool, required: bool,
) -> None:  # fmt: skip
    limits = Limits(deadman_required=required)
    turning = max(-limits.angular, min(limits.angular, turning))
    situation = Inputs(
        10.0, stop, {source: Received(Velocity(v, w), 10.0 - age) for source, (v, w, age) in commands.items()},
        10.0 - deadman, 10.0 - scan, obstacles, 10.0 - odometry, 10.0 - people, crowd,
    )  # fmt: skip
    state, decision = decide(limits, State(Velocity(before, turning), 9.95), situation)
    velocity = decision.velocity
    assert velocity.is_finite and state.velocity == velocity
    if stop:
        assert velocity == STILL
        return
    braked = max(0.0, before - limits.deceleration * PERIOD_S)
    assert abs(velocity.linear) <= max(decision.speed_limit, braked) + 1e-9
    assert abs(velocity.linear) <= limits.linear + 1e-9 and velocity.linear >= -limits.reverse - 1e-9
    assert abs(velocity.angular) <= limits.angular + 1e-9
    assert abs(velocity.linear) - before <= limits.acceleration * PERIOD_S + 1e-9
    assert abs(velocity.angular - turning) <= limits.angular_acceleration * PERIOD_S + 1e-9
    if decision.source is None:
        assert velocity.linear <= braked + 1e-9
    if decision.protective_stop:
        assert velocity.linear <= braked + 1e-9


# S7: braking distance, in a closed loop with a late scan


@settings(max_examples=100, deadline=None)
@example(1.0, 0.0, 2.0, 3, 0.0)
@given(
    st.floats(0.1, 2.0), st.floats(-1.0, 1.0), st.floats(0.5, 5.0), st.integers(0, 3), st.floats(-0.6, 0.6),
)  # fmt: skip
def test_the_robot_stops_before_whatever_stands_in_its_way(
    speed: float, turn: float, distance: float, scan_delay: int, offset: float
) -> None:
    posts = np.array([[distance, offset + shift] for shift in (-0.2, -0.1, 0.0, 0.1, 0.2)])
    posts = posts[np.hypot(posts[:, 0], posts[:, 1]) > LIMITS.robot_radius + LIMITS.obstacle_margin]
    x = y = yaw = 0.0
    state = State(at_s=0.0)
    scans = [(posts, 0.0)] * (scan_delay + 1)
    for tick in range(1, 300):
        now_s = tick * PERIOD_S
        if tick % 2 == 0:  # a scan every 0.1 s, which arrives up to 0.3 s later
            gap = posts - [x, y]
            turned = np.column_stack(
                [gap @ [math.cos(yaw), math.sin(yaw)], gap @ [-math.sin(yaw), math.cos(yaw)]]
            )  # fmt: skip
            scans = [*scans[1:], (turned, now_s)]
        obstacles, taken_s = scans[0]
        commands = {Source.NAVIGATION: Received(Velocity(speed, turn), now_s)}
        situation = inputs(now_s, obstacles=obstacles, scan_at_s=taken_s, commands=commands)
        state, decision = decide(LIMITS, state, situation)
        x += decision.velocity.linear * math.cos(yaw) * PERIOD_S
        y += decision.velocity.linear * math.sin(yaw) * PERIOD_S
        yaw += decision.velocity.angular * PERIOD_S
        if len(posts):
            assert np.hypot(posts[:, 0] - x, posts[:, 1] - y).min() >= LIMITS.robot_radius, "the hull touched a post"
