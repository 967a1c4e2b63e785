from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.backoff import Backoff
from inspection_robot.health.supervision import Beat, Command, Limits, Supervisor, Verb

LIMITS = Limits(silence_s=3.0, transition_s=20.0, absence_s=5.0, first_pause_s=1.0, longest_pause_s=8.0, stable_s=30.0)
TICK_S = 0.1


class Process:
    """A node as health sees it: heartbeats, transitions, death and a launcher that starts it again."""

    def __init__(self, name: str, pid: int = 100, fails: int = 0, respawn_s: float = 1.0) -> None:
        self.name, self.pid, self.fails, self.respawn_s = name, pid, fails, respawn_s
        self.state, self.stuck, self.dead_until, self.heard = "unconfigured", False, 0.0, False

    def die(self, now_s: float) -> None:
        self.dead_until = now_s + self.respawn_s
        self.state, self.stuck, self.heard = "unconfigured", False, False
        self.pid += 1


class World:
    """Processes, the supervisor and a clock."""

    def __init__(self, *processes: Process, required: tuple[str, ...] = (), order: tuple[str, ...] = ()) -> None:
        self.processes = {process.name: process for process in processes}
        self.now_s = 0.0
        self.ticks = 0
        self.commands: list[tuple[float, Command]] = []
        order = order or tuple(self.processes)
        self.supervisor = Supervisor(order, required, LIMITS, 0.0, lambda: Backoff(1.0, 8.0, source=random.Random(1)))

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            self.ticks += 1
            self.now_s = self.ticks * TICK_S
            for process in self.processes.values():
                if self.ticks % 5 == 0 and not process.stuck and self.now_s >= process.dead_until:
                    process.heard = True
                    self.supervisor.heard(Beat(process.name, process.state, process.pid), self.now_s)
            for command in self.supervisor.step(self.now_s):
                self.commands.append((self.now_s, command))
                self.obey(self.processes[command.node], command)

    def obey(self, process: Process, command: Command) -> None:
        if command.verb is Verb.END:
            stillborn = not process.heard and self.now_s - process.dead_until > LIMITS.transition_s
            if process.pid == command.pid or stillborn:
                process.die(self.now_s)
        elif not process.stuck and self.now_s >= process.dead_until:
            succeeded = process.fails <= 0
            process.fails -= 1
            if succeeded:
                process.state = {"configure": "inactive", "activate": "active"}[command.verb.value]
            self.supervisor.answered(process.name, succeeded, "no device", self.now_s)

    def verbs(self, name: str) -> list[str]:
        return [command.verb.value for _, command in self.commands if command.node == name]

    def report(self, name: str) -> object:
        return next(report for report in self.supervisor.report(self.now_s) if report.node == name)


def test_nodes_are_configured_together_and_activated_in_the_declared_order() -> None:
    world = World(Process("voice"), Process("bridge"), order=("bridge", "voice"), required=("bridge", "voice"))
    world.run(3)
    done = [(command.node, command.verb.value) for _, command in world.commands]
    assert set(done[:2]) == {("bridge", "configure"), ("voice", "configure")}
    assert done[2:] == [("bridge", "activate"), ("voice", "activate")]
    assert world.supervisor.ready(world.now_s)


def test_a_node_that_cannot_start_delays_the_others_and_stops_nobody() -> None:
    world = World(Process("odor", fails=10**6), Process("voice"), required=("voice",))
    world.run(5)
    assert world.processes["voice"].state == "active"
    assert world.supervisor.ready(world.now_s)
    assert world.report("odor").last_fault == "configure: no device"


def test_an_absent_node_holds_the_others_up_only_for_a_while() -> None:
    world = World(Process("voice"), order=("radiation", "voice"), required=("radiation",))
    world.run(4.5)
    assert world.verbs("voice") == ["configure"]
    world.run(3)
    assert world.processes["voice"].state == "active"
    assert not world.supervisor.ready(world.now_s)
    assert world.report("radiation").state == "absent"


def test_a_failing_step_is_tried_ever_more_rarely_and_begins_anew_after_success() -> None:
    world = World(Process("odor", fails=8))
    world.run(60)
    times = [time for time, command in world.commands if command.verb is Verb.CONFIGURE]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) == 8
    assert pauses[0] <= 1.1 and pauses[-1] > 3.9 and max(pauses) <= 8.2
    assert world.processes["odor"].state == "active"


def test_a_dead_node_is_brought_up_again() -> None:
    world = World(Process("thermal"), required=("thermal",))
    world.run(5)
    world.processes["thermal"].die(world.now_s)
    world.run(10)
    assert world.verbs("thermal") == ["configure", "activate", "configure", "activate"]
    assert world.report("thermal").restarts == 1
    assert world.supervisor.ready(world.now_s)


def test_a_stuck_node_is_ended_by_its_own_process_number_and_brought_up_again() -> None:
    world = World(Process("thermal", pid=7), required=("thermal",))
    world.run(5)
    world.processes["thermal"].stuck = True
    world.run(2.5)
    assert world.verbs("thermal") == ["configure", "activate"], "silence was not long enough yet"
    assert world.supervisor.ready(world.now_s)
    world.run(10)
    ended = [command for _, command in world.commands if command.verb is Verb.END]
    assert ended == [Command("thermal", Verb.END, 7)]
    assert world.processes["thermal"].state == "active" and world.supervisor.ready(world.now_s)


def test_silence_during_a_transition_is_allowed_until_its_own_limit() -> None:
    supervisor = Supervisor(("people",), (), LIMITS, 0.0)
    supervisor.heard(Beat("people", "unconfigured", 5), 0.1)
    assert supervisor.step(0.2) == [Command("people", Verb.CONFIGURE)]
    for tick in range(3, 200):
        assert supervisor.step(tick / 10) == []  # loading a model for 19 s
    supervisor.answered("people", True, "", 20.0)
    supervisor.heard(Beat("people", "inactive", 5), 20.0)
    assert supervisor.step(20.1) == [Command("people", Verb.ACTIVATE)]


def test_a_transition_that_is_never_answered_ends_the_node() -> None:
    supervisor = Supervisor(("people",), (), LIMITS, 0.0)
    supervisor.heard(Beat("people", "unconfigured", 5), 0.1)
    commands = [command for tick in range(2, 260) for command in supervisor.step(tick / 10)]
    assert commands[:2] == [Command("people", Verb.CONFIGURE), Command("people", Verb.END, 5)]


def test_an_undeclared_node_is_supervised_too() -> None:
    world = World(Process("bridge"), Process("extra"), order=("bridge",))
    world.run(3)
    assert world.processes["extra"].state == "active"


def test_after_being_held_up_itself_the_supervisor_ends_nobody() -> None:
    world = World(Process("thermal"))
    world.run(5)
    assert world.supervisor.step(world.now_s + 60.0) == []


def test_a_heartbeat_that_was_overtaken_by_the_answer_is_not_believed() -> None:
    supervisor = Supervisor(("voice",), (), LIMITS, 0.0)
    supervisor.heard(Beat("voice", "inactive", 5), 0.1)
    assert supervisor.step(0.2) == [Command("voice", Verb.ACTIVATE)]
    supervisor.answered("voice", True, "", 0.3)
    supervisor.heard(Beat("voice", "inactive", 5), 0.31)
    assert supervisor.step(0.4) == []


@pytest.mark.parametrize("state", ["configuring", "activating", "finalized", "nonsense"])
def test_states_in_between_are_waited_for(state: str) -> None:
    supervisor = Supervisor(("voice",), (), LIMITS, 0.0)
    supervisor.heard(Beat("voice", state, 5), 0.1)
    assert supervisor.step(0.2) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2), st.booleans()), max_size=12))
def test_whatever_dies_or_hangs_everything_is_up_in_the_end(accidents: list[tuple[int, int, bool]]) -> None:
    names = ("bridge", "thermal", "voice")
    world = World(*(Process(name, pid=1000 * index) for index, name in enumerate(names, 1)), required=names)
    for tick in range(200):
        for when, who, hangs in accidents:
            if when == tick:
                process = world.processes[names[who]]
                if hangs:
                    process.stuck = True
                else:
                    process.die(world.now_s)
        world.run(TICK_S)
    world.run(60)
    assert world.supervisor.ready(world.now_s), world.supervisor.report(world.now_s)
