"""Which node to configure, activate or end next: a pure state machine over heartbeats and answers.

The rules:

1. A node that sends heartbeats is brought up step by step: unconfigured → inactive → active.
2. Nodes are configured as they appear, all at the same time, and activated in the declared order: a node's first
   activation waits until every node before it is active, has failed once, or has not appeared within ``absence_s``.
   One broken sensor thus delays the others and stops nobody.
3. A step that fails is tried again after a pause that doubles up to ``longest_pause_s``, with jitter. It begins anew
   after the node was active for ``stable_s``.
4. A node that was heard and then is silent for ``silence_s`` is dead or stuck. If its process lives, it is ended
   (the launcher starts it again); a dead one is started by the launcher anyway. During a transition, which may load a
   model, silence is allowed for ``transition_s``.
5. A new process id means a restart: rule 1 begins anew, after the pause of rule 3.

Nodes that are not declared but send heartbeats are supervised too, after the declared ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from inspection_robot.backoff import Backoff

NEXT_STEP = {"unconfigured": "configure", "inactive": "activate"}
OVERTAKEN_S = 0.4
"""A heartbeat this soon after an answer may have been sent before it; heartbeats come every 0.5 s."""
STATE_AFTER = {"configure": "inactive", "activate": "active"}


@dataclass(frozen=True)
class Limits:
    """Times [s] of the rules above."""

    silence_s: float = 5.0
    transition_s: float = 45.0
    absence_s: float = 6.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    stable_s: float = 60.0


class Verb(Enum):
    """What can be done to a node."""

    CONFIGURE = "configure"
    ACTIVATE = "activate"
    END = "end"


@dataclass(frozen=True)
class Command:
    """Do this to that node.

    ``pid`` is the process to end, as its last heartbeat told; when that one is gone, a process of the node that has
    not come to its first heartbeat within ``transition_s``. 0 when none was ever heard.
    """

    node: str
    verb: Verb
    pid: int = 0


@dataclass(frozen=True)
class Beat:
    """One heartbeat: the node's name, lifecycle state and process."""

    node: str
    state: str
    pid: int


@dataclass(frozen=True)
class NodeReport:
    """How one node fares; ``heartbeat_age_s`` is NaN when it was never heard, ``next_try_s`` 0 when nothing waits."""

    node: str
    state: str
    required: bool
    responding: bool
    restarts: int
    next_try_s: float
    heartbeat_age_s: float
    last_fault: str


@dataclass
class _Node:
    name: str
    required: bool
    backoff: Backoff
    state: str = "absent"
    pid: int = 0
    heard_s: float = math.nan
    pending: Verb | None = None
    deadline_s: float = 0.0
    next_try_s: float = 0.0
    active_since_s: float = math.inf
    ending_s: float = -math.inf
    answered_s: float = -math.inf
    restarts: int = 0
    tried: bool = False
    last_fault: str = ""
    silent: bool = field(default=False)


class Supervisor:
    """The state machine. Times are monotonic seconds, given by the caller.

    Args:
        order: declared nodes, in the order in which they are brought up.
        required: those without which the robot is not ready.
        limits: times.
        start_s: now.
        make_backoff: makes the pauses of one node; replaced in tests.
    """

    def __init__(
        self,
        order: Iterable[str],
        required: Iterable[str],
        limits: Limits,
        start_s: float,
        make_backoff: Callable[[], Backoff] | None = None,
    ) -> None:
        self._limits = limits
        self._start_s = start_s
        self._stepped_s = start_s
        self._make_backoff = make_backoff or (lambda: Backoff(limits.first_pause_s, limits.longest_pause_s))
        self._required = set(required)
        self._nodes = {name: self._make(name) for name in (*order, *sorted(self._required - set(order)))}

    def heard(self, beat: Beat, now_s: float) -> None:
        """Note a heartbeat."""
        node = self._nodes.get(beat.node)
        if node is None:
            node = self._nodes[beat.node] = self._make(beat.node)
        if node.pid not in (0, beat.pid):
            node.restarts += 1
            node.last_fault = node.last_fault or "process ended"
            self._pause(node, now_s)
            node.pending = None
        if node.state == "active" and beat.state != "active":
            node.active_since_s = math.inf
        elif beat.state == "active" and math.isinf(node.active_since_s):
            node.active_since_s = now_s
        just_answered = node.pid == beat.pid and now_s - node.answered_s < OVERTAKEN_S
        if node.pending is None and not just_answered:
            node.state = beat.state
        node.pid = beat.pid
        node.heard_s = now_s
        node.silent = False

    def answered(self, name: str, succeeded: bool, reason: str, now_s: float) -> None:
        """Note the answer to a transition, or that it could not be asked for."""
        node = self._nodes[name]
        if node.pending is None:
            return
        verb, node.pending = node.pending, None
        node.answered_s = now_s
        if succeeded:
            node.state = STATE_AFTER[verb.value]
            if node.state == "active":
                node.tried = True
                node.active_since_s = now_s
                node.last_fault = ""
        else:
            node.tried = True
            node.last_fault = f"{verb.value}: {reason}"
            self._pause(node, now_s)

    def postponed(self, name: str) -> None:
        """Note that a transition could not be asked for yet: the node's service is not discovered."""
        self._nodes[name].pending = None

    def step(self, now_s: float) -> list[Command]:
        """Decide what to do now; called several times within ``silence_s``."""
        if now_s - self._stepped_s > self._limits.silence_s / 2:
            # We were held up ourselves, and the heartbeats of that time still wait to be read.
            for node in self._nodes.values():
                node.heard_s = node.heard_s if math.isnan(node.heard_s) else now_s
        self._stepped_s = now_s
        commands = [command for node in self._nodes.values() if (command := self._watch(node, now_s)) is not None]
        its_turn = True
        for node in self._nodes.values():
            waits = node.pending is not None or now_s < node.next_try_s
            may_step = its_turn or node.state == "unconfigured"  # rule 2
            if node.state in NEXT_STEP and may_step and not waits and self._responding(node, now_s):
                commands.append(self._ask(node, now_s))
            its_turn = its_turn and self._settled(node, now_s)
        return commands

    def report(self, now_s: float) -> list[NodeReport]:
        """How every node fares, in order."""
        return [
            NodeReport(
                node=node.name,
                state=node.state if self._responding(node, now_s) else "absent",
                required=node.required,
                responding=self._responding(node, now_s),
                restarts=node.restarts,
                next_try_s=max(0.0, node.next_try_s - now_s) if node.state in NEXT_STEP else 0.0,
                heartbeat_age_s=now_s - node.heard_s,
                last_fault=node.last_fault,
            )
            for node in self._nodes.values()
        ]

    def ready(self, now_s: float) -> bool:
        """Whether every required node is active and responding."""
        required = [node for node in self._nodes.values() if node.required]
        return all(node.state == "active" and self._responding(node, now_s) for node in required)

    def _make(self, name: str) -> _Node:
        return _Node(name, name in self._required, self._make_backoff())

    def _responding(self, node: _Node, now_s: float) -> bool:
        if math.isnan(node.heard_s) or node.silent:
            return False
        return now_s - node.heard_s <= self._limits.silence_s or (node.pending is not None and now_s <= node.deadline_s)

    def _settled(self, node: _Node, now_s: float) -> bool:
        if node.tried or node.state == "active":
            return True
        return math.isnan(node.heard_s) and now_s - self._start_s > self._limits.absence_s

    def _ask(self, node: _Node, now_s: float) -> Command:
        node.pending = Verb(NEXT_STEP[node.state])
        node.deadline_s = now_s + self._limits.transition_s
        return Command(node.name, node.pending)

    def _pause(self, node: _Node, now_s: float) -> None:
        if now_s - node.active_since_s >= self._limits.stable_s:
            node.backoff.succeeded()
        node.active_since_s = math.inf
        node.next_try_s = now_s + node.backoff.failed()

    def _watch(self, node: _Node, now_s: float) -> Command | None:
        """Rule 4; also gives up transitions that are never answered."""
        if math.isnan(node.heard_s):
            never_s = self._limits.transition_s
            return self._end(node, now_s) if now_s - self._start_s > never_s else None
        age_s = now_s - node.heard_s
        if node.pending is not None:
            if now_s <= node.deadline_s:
                return None
            verb, node.pending = node.pending, None
            node.tried = True
            node.last_fault = f"{verb.value}: no answer within {self._limits.transition_s:g} s"
            self._pause(node, now_s)
        if age_s <= self._limits.silence_s:
            return None
        if not node.silent:
            node.silent = True
            node.tried = True
            node.last_fault = f"no heartbeat for {age_s:.1f} s"
        return self._end(node, now_s)

    def _end(self, node: _Node, now_s: float) -> Command | None:
        if now_s - node.ending_s < self._limits.silence_s:
            return None  # it has been ended; give the launcher time
        node.ending_s = now_s
        return Command(node.name, Verb.END, node.pid)
