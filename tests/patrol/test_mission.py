from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.patrol.mission import Mission, Rules, Situation
from inspection_robot.patrol.routes import Dock, Route, Waypoint
from inspection_robot.ros.travel import Travel

TICK_S = 0.5
JOURNEY_S = 2.0
RULES = Rules(attempts=2, pause_s=1.0, low_battery=0.2, enough_battery=0.8)
DOCK = Dock(x=-9.0, y=0.0)


def route(*stops: tuple[float, float, bool]) -> Route:
    """Waypoints named by their place: (x, dwell_s, look_around)."""
    return Route(
        waypoints=tuple(
            Waypoint(name=f"w{x:g}", x=x, y=0.0, dwell_s=dwell, look_around=look) for x, dwell, look in stops
        )
    )


class FakeNavigator:
    """Arrives after a while, except where told otherwise."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.goals: list[tuple[float, float]] = []
        self.cancelled = 0
        self.broken: dict[float, str] = {}
        self._arrival_s = math.inf
        self._travel = Travel("arrived")

    def go(self, x: float, y: float, yaw: float) -> None:
        self.goals.append((x, yaw))
        self._travel = Travel("driving")
        self._arrival_s = self.now_s + JOURNEY_S

    def cancel(self) -> None:
        if self._travel.state == "driving":
            self.cancelled += 1
            self._travel = Travel("failed", "cancelled")

    def travel(self) -> Travel:
        if self._travel.state == "driving" and self.now_s >= self._arrival_s:
            reason = self.broken.get(self.goals[-1][0], "")
            self._travel = Travel("failed", reason) if reason else Travel("arrived")
        return self._travel


class Drive:
    """A mission, its navigator and a clock."""

    def __init__(self, stops: Route, rounds: int = 1, start: int = 0, dock: Dock | None = None) -> None:
        self.navigator = FakeNavigator()
        self.mission = Mission(stops, rounds, start, dock, self.navigator, RULES)
        self.interruption = ""
        self.battery = math.nan
        self.states: list[str] = []

    def run(self, seconds: float = 1000.0, until: Callable[[], bool] = lambda: False) -> Drive:
        end_s = self.navigator.now_s + seconds
        while self.navigator.now_s < end_s and not self.mission.ended and not until():
            self.navigator.now_s += TICK_S
            self.mission.tick(Situation(self.navigator.now_s, self.interruption, self.battery))
            if not self.states or self.states[-1] != self.mission.state:
                self.states.append(self.mission.state)
        return self

    def visited(self) -> list[float]:
        return [x for x, _ in self.navigator.goals]


def test_waypoints_are_visited_in_order_for_every_round() -> None:
    drive = Drive(route((1, 0, False), (2, 3, False)), rounds=2).run()
    assert drive.visited() == [1, 2, 1, 2]
    assert (drive.mission.finished, drive.mission.progress.rounds_done) == ("done", 2)
    assert drive.states == ["driving", "dwelling", "driving", "dwelling", "idle"]


def test_a_patrol_without_a_number_of_rounds_goes_on_until_cancelled() -> None:
    drive = Drive(route((1, 0, False)), rounds=0).run(100)
    assert not drive.mission.ended and drive.mission.progress.rounds_done > 10
    drive.mission.cancel()
    assert drive.mission.finished == "cancelled"
    assert drive.navigator.travel().state != "driving"


def test_a_patrol_can_start_in_the_middle() -> None:
    drive = Drive(route((1, 0, False), (2, 0, False), (3, 0, False)), rounds=2, start=1).run()
    assert drive.visited() == [2, 3, 1, 2, 3]


def test_looking_around_turns_the_whole_way_round() -> None:
    drive = Drive(route((1, 0, True))).run()
    turns = [yaw for _, yaw in drive.navigator.goals]
    assert turns == pytest.approx([0.0, 2 * math.pi / 3, -2 * math.pi / 3, 0.0], abs=1e-9)


def test_the_dwelling_time_is_kept() -> None:
    drive = Drive(route((1, 10, False)))
    drive.run(until=lambda: drive.mission.state == "dwelling")
    began_s = drive.navigator.now_s
    drive.run()
    assert drive.navigator.now_s - began_s == pytest.approx(10, abs=2 * TICK_S)


def test_a_waypoint_that_cannot_be_reached_is_tried_again_and_then_skipped() -> None:
    drive = Drive(route((1, 0, False), (2, 0, False), (3, 0, False)))
    drive.navigator.broken[2] = "navigation aborts the goal"
    drive.run(until=lambda: bool(drive.mission.progress.skipped))
    assert drive.mission.progress.skipped == {1: "navigation aborts the goal"}
    drive.run()
    assert drive.visited() == [1, 2, 2, 3]
    assert drive.mission.finished == "done"


def test_a_route_of_which_nothing_can_be_reached_has_failed() -> None:
    drive = Drive(route((1, 0, False), (2, 0, False)), rounds=5)
    drive.navigator.broken = {1: "rejected", 2: "rejected"}
    drive.run()
    assert (drive.mission.finished, drive.mission.state) == ("failed", "failed")
    assert drive.mission.reason == "no waypoint can be reached: rejected"
    assert drive.visited() == [1, 1, 2, 2]


@pytest.mark.parametrize("moment", ["driving", "dwelling"])
def test_after_an_interruption_the_same_waypoint_is_visited_again(moment: str) -> None:
    drive = Drive(route((1, 0, False), (2, 20, False), (3, 0, False)))
    drive.run(until=lambda: drive.visited()[-1:] == [2] and drive.mission.state == moment)
    drive.interruption = "teleop"
    drive.run(30)
    assert (drive.mission.state, drive.mission.reason) == ("interrupted", "teleop")
    assert drive.navigator.travel().state != "driving"
    drive.interruption = ""
    drive.run()
    assert drive.visited() == [1, 2, 2, 3]
    assert drive.mission.finished == "done"


def test_a_low_battery_leads_to_the_dock_and_back() -> None:
    drive = Drive(route((1, 5, False), (2, 0, False)), dock=DOCK)
    drive.battery = 0.5
    drive.run(until=lambda: drive.mission.state == "dwelling")
    drive.battery = 0.1
    drive.run(until=lambda: drive.mission.state == "charging")
    assert drive.visited()[-1] == DOCK.x
    drive.battery = 0.5
    drive.run(60)
    assert drive.mission.state == "charging", "half full is not enough"
    drive.battery = 0.9
    drive.run()
    assert drive.visited() == [1, DOCK.x, 1, 2]


def test_without_a_dock_a_low_battery_changes_nothing() -> None:
    drive = Drive(route((1, 0, False)))
    drive.battery = 0.05
    assert drive.run().mission.finished == "done"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 200.0), st.floats(0.5, 30.0)), max_size=4),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5),
    st.sets(st.integers(1, 4)),
)
def test_whatever_comes_between_the_patrol_ends_and_misses_only_what_cannot_be_reached(
    interruptions: list[tuple[float, float]], charges: list[float], broken: set[int]
) -> None:
    drive = Drive(route(*((float(x), 1.0, x % 2 == 0) for x in range(1, 5))), dock=DOCK)
    drive.navigator.broken = {float(x): "blocked" for x in broken}
    for tick in range(4000):
        now_s = tick * TICK_S
        drive.interruption = "teleop" if any(at <= now_s <= at + length for at, length in interruptions) else ""
        drive.battery = 1.0 if now_s > 400 else charges[int(now_s / 50) % len(charges)]
        drive.run(TICK_S)
        if drive.mission.ended:
            break
    assert drive.mission.finished == ("failed" if len(broken) == 4 else "done")
    assert set(range(1, 5)) <= set(drive.visited())
