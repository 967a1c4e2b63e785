from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.patrol.mission import Mission, Rules, Situation
from inspection_robot.patrol.routes import Dock
from inspection_robot.patrol.suspicion import FRESH_S, Suspicion, SuspicionRules
from tests.patrol.test_mission import DOCK, TICK_S, FakeNavigator, route

RULES = Rules(count_s=10.0, investigation_pause_s=60.0)


class Watch:
    """A mission over two waypoints that is told of alarms."""

    def __init__(self, dock: Dock | None = None) -> None:
        self.navigator = FakeNavigator()
        self.mission = Mission(route((1, 30.0, False), (2, 30.0, False)), 1, 0, dock, self.navigator, RULES)
        self.told: list[tuple[str, str]] = []

    def run(self, seconds: float, alarm: bool, viewpoint: tuple[float, float] | None = None, **more: float) -> None:
        end_s = self.navigator.now_s + seconds
        while self.navigator.now_s < end_s and not self.mission.ended:
            self.navigator.now_s += TICK_S
            self.mission.tick(
                Situation(
                    self.navigator.now_s,
                    radiation_alarm=alarm,
                    viewpoint=viewpoint,
                    battery=more.get("battery", math.nan),
                )
            )
            now = (self.mission.state, self.mission.reason)
            if not self.told or self.told[-1] != now:
                self.told.append(now)


def test_an_alarm_on_the_way_stops_the_robot_to_count_and_look_again_and_then_the_way_goes_on() -> None:
    watch = Watch()
    watch.run(1.0, alarm=False)
    watch.run(30.0, alarm=True, viewpoint=(7.0, 3.0))
    assert watch.navigator.cancelled == 1
    assert [x for x, _ in watch.navigator.goals] == [1, 7.0, 1]
    counting = ("dwelling", "radiation: counting")
    assert watch.told[1:4] == [counting, ("driving", "radiation: looking again from another place"), counting]
    watch.run(300.0, alarm=False)
    assert watch.mission.finished == "done"
    assert [x for x, _ in watch.navigator.goals][-1] == 2


def test_the_same_lasting_alarm_does_not_hold_the_robot_for_ever() -> None:
    watch = Watch()
    watch.run(1000.0, alarm=True)
    assert watch.mission.finished == "done"


def test_a_viewpoint_that_cannot_be_reached_is_left_out() -> None:
    watch = Watch()
    watch.navigator.broken = {7.0: "blocked"}
    watch.run(1.0, alarm=False)
    watch.run(40.0, alarm=True, viewpoint=(7.0, 3.0))
    assert [x for x, _ in watch.navigator.goals] == [1, 7.0, 1]


def test_an_empty_battery_comes_first() -> None:
    watch = Watch(DOCK)
    watch.run(2.0, alarm=True, battery=0.05)
    assert watch.mission.state == "docking"


def test_suspicion_slows_long_before_an_alarm_and_for_a_while_after() -> None:
    suspicion = Suspicion(SuspicionRules(p_value=1e-3, slow_for_s=8.0))
    suspicion.read(10.0, 0.2, alarm=False, overload=False)
    assert not suspicion.slow(10.0)
    suspicion.read(11.0, 1e-4, alarm=False, overload=False)
    assert (suspicion.slow(11.0), suspicion.slow(19.0), suspicion.slow(19.1)) == (True, True, False)
    assert not suspicion.alarm


def test_nobody_lingers_where_the_detector_is_blinded() -> None:
    suspicion = Suspicion(SuspicionRules())
    suspicion.read(1.0, 0.0, alarm=True, overload=True)
    assert (suspicion.alarm, suspicion.slow(1.0)) == (False, False)


def test_only_fresh_and_near_viewpoints_are_followed() -> None:
    suspicion = Suspicion(SuspicionRules(farthest_m=8.0))
    suspicion.suggest(5.0, "3.0,-1.5")
    assert suspicion.viewpoint(6.0, (0.0, 0.0)) == (3.0, -1.5)
    assert suspicion.viewpoint(6.0, None) is None
    assert suspicion.viewpoint(6.0, (20.0, 0.0)) is None
    assert suspicion.viewpoint(5.0 + FRESH_S + 1.0, (0.0, 0.0)) is None


@pytest.mark.parametrize("text", ["", "x,y", "1", "1,2,3", "nan,1", "inf,0"])
def test_what_is_no_place_is_no_suggestion(text: str) -> None:
    suspicion = Suspicion(SuspicionRules())
    suspicion.suggest(0.0, text)
    assert suspicion.viewpoint(0.0, (0.0, 0.0)) is None


@given(st.floats(), st.booleans(), st.booleans())
def test_no_reading_breaks_it(p_value: float, alarm: bool, overload: bool) -> None:
    suspicion = Suspicion(SuspicionRules())
    suspicion.read(0.0, p_value, alarm, overload)
    assert suspicion.alarm == (alarm and not overload)
