"""One patrol as a behaviour tree (py_trees), without ROS: ticked with the situation, drives through a `Navigator`.

    patrol (selector: the first that applies)
    ├── interrupted   somebody else drives, or the emergency stop is set: give way, come back to the same waypoint
    ├── charge        the battery is low: drive to the dock, stay until it is charged enough
    ├── investigate   a radiation alarm: stay and count, look again from elsewhere (`investigation`)
    └── waypoint      drive there, look around, dwell, go on to the next; one that cannot be reached is skipped

Where the patrol stands is kept in :class:`Progress`, outside the tree: a branch that is interrupted begins again
without losing its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from py_trees.behaviour import Behaviour
from py_trees.common import Status
from py_trees.composites import Selector, Sequence

from inspection_robot.patrol.investigation import investigation
from inspection_robot.patrol.routes import Dock, Pose, Route
from inspection_robot.ros.travel import Navigator

LOOKS = 3
"""Headings of a look around."""


@dataclass(frozen=True)
class Situation:
    """What the tree looks at.

    Attributes:
        now_s: time [s].
        interruption: who interrupts; empty: nobody.
        battery: 0 … 1; NaN: unknown.
        radiation_alarm: whether counts are significantly raised here.
        viewpoint: place (x, y) from which to look again [m]; None: none is suggested.
    """

    now_s: float
    interruption: str = ""
    battery: float = math.nan
    radiation_alarm: bool = False
    viewpoint: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rules:
    """How to patrol.

    Attributes:
        attempts: to reach a waypoint before it is skipped.
        pause_s: between attempts.
        low_battery: drive to the dock below this charge.
        enough_battery: go on from this charge on.
        count_s: stay so long where counts are raised, and again at the next viewpoint.
        investigation_pause_s: after having looked into an alarm, patrol on so long before looking into one again.
    """

    attempts: int = 3
    pause_s: float = 5.0
    low_battery: float = 0.2
    enough_battery: float = 0.8
    count_s: float = 15.0
    investigation_pause_s: float = 60.0


@dataclass
class Progress:
    """Where a patrol stands. ``skipped`` holds the waypoints of this round that could not be reached."""

    waypoint: int = 0
    rounds_done: int = 0
    skipped: dict[int, str] = field(default_factory=dict)


class Mission:
    """A patrol over a route.

    Args:
        route: where to.
        rounds: how often; 0 until cancelled.
        start_waypoint: first waypoint of the first round.
        dock: where to charge; None: never.
        navigator: drives.
        rules: how.
    """

    def __init__(
        self, route: Route, rounds: int, start_waypoint: int, dock: Dock | None, navigator: Navigator, rules: Rules
    ) -> None:
        self.route = route
        self.rounds = rounds
        self.rules = rules
        self.navigator = navigator
        self.progress = Progress(waypoint=start_waypoint)
        self.situation = Situation(0.0)
        self.state = "idle"
        self.reason = ""
        self.cancel_requested = False
        """Set by other threads; whoever ticks then calls :meth:`cancel`."""
        self.investigated_until_s = -math.inf
        """Alarms before this time are not looked into: one was, a moment ago."""
        self.finished: str | None = None
        """`done`, `failed` or `cancelled` at the end."""
        waypoint = Sequence(
            "visit",
            memory=True,
            children=[
                DriveTo("drive", self, lambda: self.waypoint(), "driving"),
                LookAround("look around", self),
                Dwell("dwell", self),
                Advance("advance", self),
            ],
        )
        branches: list[Behaviour] = [Interrupted("interrupted", self)]
        if dock is not None:
            charge = [BatteryLow("battery low", self), DriveTo("to dock", self, lambda: dock, "docking")]
            branches.append(Sequence("charge", memory=True, children=[*charge, Charge("charge", self)]))
        branches.append(investigation(self))
        branches.append(Selector("waypoint", memory=False, children=[waypoint, Skip("skip", self)]))
        self._root = Selector("patrol", memory=False, children=branches)

    @property
    def ended(self) -> bool:
        """Whether the patrol is over."""
        return self.finished is not None

    def waypoint(self) -> Pose:
        """The waypoint the patrol is at or on its way to."""
        return self.route.waypoints[self.progress.waypoint]

    def tick(self, situation: Situation) -> None:
        """Look, decide, act; called several times a second until ``finished``."""
        if not self.ended:
            self.situation = situation
            self._root.tick_once()
            if self.finished is not None:
                self._root.stop(Status.INVALID)

    def cancel(self) -> None:
        """End the patrol where it stands."""
        if self.finished is None:
            self._root.stop(Status.INVALID)
            self.navigator.cancel()
            self.finish("cancelled", "cancelled")

    def tell(self, state: str, reason: str = "") -> None:
        """Say what is being done: a state of PatrolState.msg and why."""
        self.state, self.reason = state, reason

    def finish(self, how: str, reason: str = "") -> None:
        """End: `done`, `failed` or `cancelled`."""
        self.finished = how
        self.tell("failed" if how == "failed" else "idle", reason)

    def advance(self) -> None:
        """Go on to the next waypoint, and round."""
        progress = self.progress
        if progress.waypoint + 1 < len(self.route.waypoints):
            progress.waypoint += 1
            return
        if len(progress.skipped) == len(self.route.waypoints):
            self.finish("failed", f"no waypoint can be reached: {next(iter(progress.skipped.values()))}")
            return
        progress.waypoint = 0
        progress.rounds_done += 1
        progress.skipped = {}
        if progress.rounds_done == self.rounds:
            self.finish("done")


class _Step(Behaviour):  # type: ignore[misc]  # py_trees is not analysed
    """A behaviour of a mission."""

    def __init__(self, name: str, mission: Mission) -> None:
        super().__init__(name)
        self.mission = mission

    @property
    def now_s(self) -> float:
        """Time of this tick."""
        return self.mission.situation.now_s


class Interrupted(_Step):
    """RUNNING while somebody else drives, FAILURE otherwise."""

    def update(self) -> Status:
        """Give way."""
        reason = self.mission.situation.interruption
        if not reason:
            return Status.FAILURE
        self.mission.tell("interrupted", reason)
        return Status.RUNNING


class BatteryLow(_Step):
    """SUCCESS when the robot has to charge; an unknown charge is not low."""

    def update(self) -> Status:
        """Look."""
        low = self.mission.situation.battery < self.mission.rules.low_battery
        return Status.SUCCESS if low else Status.FAILURE


class DriveTo(_Step):
    """Drive to a pose, with several attempts. RUNNING, SUCCESS on arrival, FAILURE when no attempt came through."""

    def __init__(self, name: str, mission: Mission, target: Callable[[], Pose], state: str) -> None:
        super().__init__(name, mission)
        self._target, self._state = target, state
        self._attempt = 0
        self._again_at_s = math.inf

    def initialise(self) -> None:
        """Start the first attempt."""
        self._attempt = 0
        self._start()

    def update(self) -> Status:
        """Watch the journey; start the next attempt after a pause."""
        travel = self.mission.navigator.travel()
        if math.isfinite(self._again_at_s):
            if self.now_s >= self._again_at_s:
                self._start()
            return Status.RUNNING
        if travel.state == "arrived":
            return Status.SUCCESS
        if travel.state == "failed":
            self.feedback_message = travel.reason
            if self._attempt >= self.mission.rules.attempts:
                self.mission.tell(self._state, travel.reason)
                return Status.FAILURE
            self.mission.tell(self._state, f"attempt {self._attempt}: {travel.reason}")
            self._again_at_s = self.now_s + self.mission.rules.pause_s
        return Status.RUNNING

    def terminate(self, new_status: Status) -> None:
        """Stop driving when something more important came up."""
        if new_status is Status.INVALID and self.status is Status.RUNNING:
            self.mission.navigator.cancel()

    def _start(self) -> None:
        self._attempt += 1
        self._again_at_s = math.inf
        target = self._target()
        self.mission.navigator.go(target.x, target.y, target.yaw)
        self.mission.tell(self._state)


class LookAround(_Step):
    """Turn to several headings, where the waypoint asks for it. A turn that fails is left out: always SUCCESS."""

    def initialise(self) -> None:
        """Begin with the first turn."""
        waypoint = self.mission.route.waypoints[self.mission.progress.waypoint]
        self._turns = [waypoint.yaw + 2 * math.pi * look / LOOKS for look in range(1, LOOKS + 1)]
        if not waypoint.look_around:
            self._turns = []
        self._turn()

    def update(self) -> Status:
        """Watch the turn; begin the next."""
        if not self._turning:
            return Status.SUCCESS
        if self.mission.navigator.travel().state != "driving":
            self._turn()
        return Status.RUNNING if self._turning else Status.SUCCESS

    def terminate(self, new_status: Status) -> None:
        """Stop turning when something more important came up."""
        if new_status is Status.INVALID and self.status is Status.RUNNING:
            self.mission.navigator.cancel()

    def _turn(self) -> None:
        self._turning = bool(self._turns)
        if self._turning:
            waypoint = self.mission.waypoint()
            self.mission.navigator.go(waypoint.x, waypoint.y, math.remainder(self._turns.pop(0), 2 * math.pi))
            self.mission.tell("dwelling", "looking around")


class Dwell(_Step):
    """Stay for the waypoint's time."""

    def initialise(self) -> None:
        """Note when to go on."""
        waypoint = self.mission.route.waypoints[self.mission.progress.waypoint]
        self._until_s = self.now_s + waypoint.dwell_s

    def update(self) -> Status:
        """Wait."""
        if self.now_s >= self._until_s:
            return Status.SUCCESS
        self.mission.tell("dwelling")
        return Status.RUNNING


class Advance(_Step):
    """On to the next waypoint; always SUCCESS."""

    def update(self) -> Status:
        """Advance."""
        self.mission.advance()
        return Status.SUCCESS


class Skip(_Step):
    """Leave out a waypoint that cannot be reached; always SUCCESS."""

    def update(self) -> Status:
        """Note why, and advance."""
        mission = self.mission
        mission.progress.skipped[mission.progress.waypoint] = mission.reason
        mission.advance()
        return Status.SUCCESS


class Charge(_Step):
    """RUNNING until charged enough; a charge that becomes unknown ends it."""

    def update(self) -> Status:
        """Watch the battery."""
        battery = self.mission.situation.battery
        if math.isnan(battery) or battery >= self.mission.rules.enough_battery:
            return Status.SUCCESS
        self.mission.tell("charging")
        return Status.RUNNING
