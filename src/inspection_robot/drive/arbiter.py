"""The drive node's state machine: several velocity sources in, one safe velocity out. Pure.

Each rule has its number in docs/safety.md, and its tests in tests/drive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from inspection_robot.drive.clearance import Points, free_distance, stopping_speed


class Source(Enum):
    """Who wants the robot to move; in order of priority, the first wins."""

    TELEOP = "teleop"
    INTERCEPT = "intercept"
    NAVIGATION = "nav"


@dataclass(frozen=True)
class Velocity:
    """Of the base: forwards [m/s], to the left [rad/s]."""

    linear: float = 0.0
    angular: float = 0.0

    @property
    def is_finite(self) -> bool:
        """Whether both are numbers."""
        return math.isfinite(self.linear) and math.isfinite(self.angular)


STILL = Velocity()


@dataclass(frozen=True)
class Limits:
    """Limits of motion; SI units. The defaults fit the robot of sim/robot."""

    linear: float = 0.8
    reverse: float = 0.3
    angular: float = 1.2
    acceleration: float = 0.5
    deceleration: float = 1.0
    angular_acceleration: float = 2.0
    blind_linear: float = 0.15
    unseen_people_linear: float = 0.3
    beside_people_linear: float = 0.2
    blocked_angular: float = 0.5
    robot_radius: float = 0.30
    obstacle_margin: float = 0.10
    person_radius: float = 0.25
    person_clearance: float = 0.50
    person_slow_distance: float = 3.0
    reaction_s: float = 0.15
    horizon: float = 2.0
    teleop_timeout_s: float = 0.3
    intercept_timeout_s: float = 0.5
    nav_timeout_s: float = 0.5
    teleop_hold_s: float = 1.0
    scan_timeout_s: float = 0.5
    odometry_timeout_s: float = 0.5
    people_timeout_s: float = 1.5
    deadman_required: bool = False

    def timeout_s(self, source: Source) -> float:
        """How long a command of a source counts."""
        return {
            Source.TELEOP: self.teleop_timeout_s,
            Source.INTERCEPT: self.intercept_timeout_s,
            Source.NAVIGATION: self.nav_timeout_s,
        }[source]


@dataclass(frozen=True)
class Received:
    """A command and when it came [s]."""

    velocity: Velocity
    at_s: float


def _nothing() -> Points:
    return np.empty((0, 2))


@dataclass(frozen=True)
class Inputs:
    """Everything the decision needs. Times are on one clock; ``-inf``: never.

    Attributes:
        now_s: now.
        scan_at_s: when the scan was taken; so for odometry and people.
        emergency_stop: the lock is set.
        commands: newest command of each source.
        deadman_at_s: when the operator last held the deadman's switch.
        obstacles: (N, 2) points of the newest scan in base_link [m].
        people: (M, 2) people in base_link [m].
    """

    now_s: float
    emergency_stop: bool = False
    commands: Mapping[Source, Received] = field(default_factory=dict)
    deadman_at_s: float = -math.inf
    scan_at_s: float = -math.inf
    obstacles: Points = field(default_factory=_nothing)
    odometry_at_s: float = -math.inf
    people_at_s: float = -math.inf
    people: Points = field(default_factory=_nothing)


@dataclass(frozen=True)
class State:
    """What the machine remembers: its last output, when that was, and until when teleoperation holds."""

    velocity: Velocity = STILL
    at_s: float = -math.inf
    teleop_until_s: float = -math.inf


@dataclass(frozen=True)
class Decision:
    """The velocity to drive, and why. ``reason`` is empty when nothing holds the robot back."""

    velocity: Velocity
    source: Source | None
    speed_limit: float
    emergency_stop: bool
    protective_stop: bool
    nearest_person_m: float
    reason: str


LONGEST_STEP_S = 0.2
"""The machine does not make up for time in which it did not run."""


CLOCK_SKEW_S = 0.1
"""A message may overtake the clock's tick of its own stamp (simulated time), and drivers round."""


def fresh(at_s: float, now_s: float, timeout_s: float) -> bool:
    """Whether something is recent; what lies in the future (the clock was set back) is not, but for a small skew."""
    return -CLOCK_SKEW_S <= now_s - at_s <= timeout_s


def decide(limits: Limits, state: State, inputs: Inputs) -> tuple[State, Decision]:
    """Make one decision; called at a steady rate."""
    now_s = inputs.now_s
    nearest = _nearest_person(limits, inputs)
    if inputs.emergency_stop:
        decision = Decision(STILL, None, 0.0, True, False, nearest, "emergency_stop")
        return State(STILL, now_s), decision
    source, wanted, teleop_until_s = _select(limits, state, inputs)
    wanted = _clamp(limits, wanted)
    cap, reason, protective = _cap(limits, inputs, source, wanted, nearest)
    target = _scale(limits, wanted, cap)
    step_s = min(max(now_s - state.at_s, 0.0), LONGEST_STEP_S)
    velocity = _approach(limits, state.velocity, target, step_s)
    return (
        State(velocity, now_s, teleop_until_s),
        Decision(velocity, source, cap, False, protective, nearest, reason),
    )


def _select(limits: Limits, state: State, inputs: Inputs) -> tuple[Source | None, Velocity, float]:
    """The highest source with a fresh command; teleoperation keeps the others out for a while after its last one."""
    until_s = state.teleop_until_s
    for source in Source:
        received = inputs.commands.get(source)
        if received is None or not fresh(received.at_s, inputs.now_s, limits.timeout_s(source)):
            usable = False
        else:
            held = fresh(inputs.deadman_at_s, inputs.now_s, limits.teleop_timeout_s)
            usable = source is not Source.TELEOP or held or not limits.deadman_required
        if usable and received is not None:
            if source is Source.TELEOP:
                until_s = inputs.now_s + limits.teleop_hold_s
            return source, received.velocity if received.velocity.is_finite else STILL, until_s
        if source is Source.TELEOP and 0.0 <= until_s - inputs.now_s <= limits.teleop_hold_s:
            return source, STILL, until_s
    return None, STILL, until_s


def _clamp(limits: Limits, wanted: Velocity) -> Velocity:
    return Velocity(
        min(max(wanted.linear, -limits.reverse), limits.linear),
        min(max(wanted.angular, -limits.angular), limits.angular),
    )


def _nearest_person(limits: Limits, inputs: Inputs) -> float:
    """Distance from the robot's hull to the nearest person's; NaN when nobody is known."""
    if not fresh(inputs.people_at_s, inputs.now_s, limits.people_timeout_s) or not len(inputs.people):
        return math.nan
    centre = float(np.hypot(inputs.people[:, 0], inputs.people[:, 1]).min())
    return max(0.0, centre - limits.robot_radius - limits.person_radius)


def _cap(
    limits: Limits, inputs: Inputs, source: Source | None, wanted: Velocity, nearest: float
) -> tuple[float, str, bool]:
    """Speed limit in force, why, and whether it is a protective stop."""
    by_hand = source is Source.TELEOP
    if not fresh(inputs.scan_at_s, inputs.now_s, limits.scan_timeout_s):
        return (limits.blind_linear, "scan_lost", False) if by_hand else (0.0, "scan_lost", True)
    if not by_hand and not fresh(inputs.odometry_at_s, inputs.now_s, limits.odometry_timeout_s):
        return 0.0, "odometry_lost", True
    cap, reason = limits.linear, ""
    if not fresh(inputs.people_at_s, inputs.now_s, limits.people_timeout_s):
        cap, reason = min(cap, limits.unseen_people_linear), "people_unknown"
    elif nearest < limits.person_slow_distance:
        span = limits.person_slow_distance - limits.person_clearance
        ratio = max(0.0, nearest - limits.person_clearance) / span
        cap = min(cap, limits.beside_people_linear + ratio * (limits.linear - limits.beside_people_linear))
        reason = "person_near"
    if wanted.linear == 0.0:
        return cap, reason, False
    people_known = fresh(inputs.people_at_s, inputs.now_s, limits.people_timeout_s)
    direction = 1 if wanted.linear > 0 else -1
    for points, at_s, radius, name in (
        (inputs.obstacles, inputs.scan_at_s, limits.robot_radius + limits.obstacle_margin, "obstacle"),
        (
            inputs.people if people_known else _nothing(),
            inputs.people_at_s,
            limits.robot_radius + limits.person_radius + limits.person_clearance,
            "person_ahead",
        ),
    ):
        free = free_distance(points, radius, direction, wanted.angular / wanted.linear, limits.horizon)
        if free < limits.horizon:
            # What was seen a while ago is nearer by what was driven since: the data's age is time to react, too.
            speed = stopping_speed(free, limits.deceleration, limits.reaction_s + max(0.0, inputs.now_s - at_s))
            if speed < cap:
                cap, reason = speed, name
    return cap, reason, cap == 0.0


def _scale(limits: Limits, wanted: Velocity, cap: float) -> Velocity:
    """Keep to the cap on the same arc; where nothing is left of the arc, turning on the spot remains."""
    if abs(wanted.linear) <= cap:
        return wanted
    if cap == 0.0:
        return Velocity(0.0, min(max(wanted.angular, -limits.blocked_angular), limits.blocked_angular))
    ratio = cap / abs(wanted.linear)
    return Velocity(wanted.linear * ratio, wanted.angular * ratio)


def _approach(limits: Limits, current: Velocity, target: Velocity, step_s: float) -> Velocity:
    """Go from the last output towards the target within the limits of acceleration."""
    linear = _ramp(current.linear, target.linear, limits.acceleration * step_s, limits.deceleration * step_s)
    turn = limits.angular_acceleration * step_s
    return Velocity(linear, _ramp(current.angular, target.angular, turn, turn))


def _ramp(current: float, target: float, faster: float, slower: float) -> float:
    """One step; a change of direction passes through zero."""
    if current * target < 0.0:
        target = 0.0
    allowed = faster if abs(target) > abs(current) else slower
    return current + min(max(target - current, -allowed), allowed)
