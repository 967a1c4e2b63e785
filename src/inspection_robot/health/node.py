"""Brings the robot's nodes up, restarts what is dead or stuck, and tells how the robot fares.

Processes are started, and started again, by whoever launched them (`respawn="true"` in the launch file); health ends a
process that is stuck, and brings the new one up.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psutil
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from inspection_interfaces.msg import Heartbeat, NodeHealth, RobotHealth
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from inspection_contract.resources import state
from inspection_robot.health.diagnostics import Aggregate, Status
from inspection_robot.health.supervision import Beat, Command, Limits, Supervisor, Verb
from inspection_robot.ros import qos
from inspection_robot.ros.node import InspectionNode, Level, Part, Severity, run
from inspection_robot.ros.parameters import parameter

STEP_PERIOD_S = 0.1
REPORT_PERIOD_S = 1.0
TRANSITIONS = {
    Verb.CONFIGURE: Transition.TRANSITION_CONFIGURE,
    Verb.ACTIVATE: Transition.TRANSITION_ACTIVATE,
}


@dataclass(frozen=True)
class HealthParameters:
    """Parameters of the health node."""

    order: tuple[str, ...] = parameter(
        (
            "bridge", "drive", "thermal", "radiation", "odor", "documents", "people", "interception", "voice",
            "patrol", "operator",
        ),
        "Nodes in the order in which they are brought up; nodes that are not named come after them",
        read_only=True,
    )  # fmt: skip
    required: tuple[str, ...] = parameter(
        ("bridge",), "Nodes without which the robot is not ready", read_only=True
    )  # fmt: skip
    autostart: bool = parameter(True, "Bring nodes up; false: only watch and report", read_only=True)
    silence_s: float = parameter(
        5.0, "Without a heartbeat for this long a node is dead or stuck [s]", minimum=1.0, maximum=60.0, read_only=True
    )
    transition_s: float = parameter(
        45.0, "Longest time a node may take to configure or activate [s]", minimum=1.0, maximum=600.0, read_only=True
    )
    absence_s: float = parameter(
        6.0, "Nodes absent for this long at the start hold up nobody [s]", minimum=0.0, maximum=60.0, read_only=True
    )
    first_pause_s: float = parameter(
        1.0, "Pause before the second attempt; doubles [s]", minimum=0.1, maximum=60.0, read_only=True
    )
    longest_pause_s: float = parameter(
        30.0, "Longest pause between attempts [s]", minimum=0.1, maximum=3600.0, read_only=True
    )
    stable_s: float = parameter(
        60.0, "A node active for this long starts with the first pause again [s]", minimum=1.0, maximum=3600.0,
        read_only=True,
    )  # fmt: skip
    stale_after_s: float = parameter(
        5.0, "Diagnostics older than this are stale [s]", minimum=1.0, maximum=60.0, read_only=True
    )


class HealthNode(InspectionNode[HealthParameters]):
    """The supervisor. It is nobody's lifecycle client's concern: it brings itself up."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("health", HealthParameters, **kwargs)
        given = self.parameters
        limits = Limits(
            given.silence_s, given.transition_s, given.absence_s,
            given.first_pause_s, given.longest_pause_s, given.stable_s,
        )  # fmt: skip
        self._supervisor = Supervisor(given.order, given.required, limits, time.monotonic())
        self._aggregate = Aggregate(given.stale_after_s)
        self._ready_file = state() / "ready"
        self._processes: dict[str, psutil.Process] = {}
        self._transitions: dict[str, Any] = {}

    def configure(self) -> None:
        """Listen to everybody."""
        self._health = self.create_publisher(RobotHealth, "health", qos.STATE)
        self._tree = self.create_publisher(DiagnosticArray, "/diagnostics_agg", qos.EVENT)
        self.create_subscription(Heartbeat, "heartbeats", self._on_heartbeat, qos.EVENT)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.EVENT)

    def activate(self) -> None:
        """Act. The timers run on the wall clock: simulated time may stand still, nodes may be stuck all the same."""
        self.create_timer(STEP_PERIOD_S, self._step, clock=self.steady_clock)
        self.create_timer(REPORT_PERIOD_S, self._publish, clock=self.steady_clock)

    def diagnose(self) -> Iterable[Part]:
        """One part for each node."""
        for report in self._supervisor.report(time.monotonic()):
            known = report.state != "absent" or report.heartbeat_age_s == report.heartbeat_age_s
            if not known and not report.required:
                continue
            level = Level.OK if report.state == "active" else Level.ERROR if report.required else Level.WARNING
            message = report.state if not report.last_fault else f"{report.state}: {report.last_fault}"
            values = {"restarts": report.restarts, "next try [s]": report.next_try_s}
            yield Part(report.node, level, message, values)

    def _on_heartbeat(self, message: Any) -> None:
        if message.node == self.get_name():
            return
        process = self._processes.get(message.node)
        if message.host == platform.node() and (process is None or process.pid != message.pid):
            try:
                self._processes[message.node] = psutil.Process(message.pid)
            except psutil.NoSuchProcess:
                self._processes.pop(message.node, None)  # gone again, or in another container
        if message.state == "finalized":
            return  # it is about to end, on purpose
        self._supervisor.heard(Beat(message.node, message.state, message.pid), time.monotonic())
        self.clear(f"{message.node}_silent")

    def _on_diagnostics(self, message: Any) -> None:
        own = self.get_namespace().strip("/")
        for status in message.status:
            if not own or status.name.startswith(f"{own}/"):
                level = int.from_bytes(status.level, "big")
                self._aggregate.update(Status(status.name, level, status.message, status), time.monotonic())

    def _step(self) -> None:
        if not self.parameters.autostart:
            return
        for command in self._supervisor.step(time.monotonic()):
            if command.verb is Verb.END:
                self._end(command)
            else:
                self._change(command)

    def _change(self, command: Command) -> None:
        client = self._transitions.get(command.node)
        if client is None:
            client = self._transitions[command.node] = self.create_client(ChangeState, f"{command.node}/change_state")
        if not client.service_is_ready():
            self._supervisor.postponed(command.node)
            return
        self.get_logger().info(f"{command.node}: {command.verb.value}")
        future = client.call_async(ChangeState.Request(transition=Transition(id=TRANSITIONS[command.verb])))

        def answered(done: Any) -> None:
            succeeded = bool(done.result().success)
            reason = "" if succeeded else "refused; see the node's fault"
            self._supervisor.answered(command.node, succeeded, reason, time.monotonic())

        self.when_done(future, answered)

    def _end(self, command: Command) -> None:
        process = self._processes.get(command.node)
        if process is None or process.pid != command.pid or not process.is_running():
            process = self._stillborn(command.node)
        if process is None:
            if command.pid:
                self.fault(f"{command.node}_silent", "its process is gone; waiting for the launcher", Severity.WARNING)
            return
        self.fault(f"{command.node}_silent", f"does not respond; ending process {process.pid}")
        try:
            process.kill()  # psutil compares the start time: a process that got the same number later is left alone
        except psutil.NoSuchProcess:
            self.get_logger().info(f"{command.node}: process {process.pid} ended by itself")

    def _stillborn(self, node: str) -> psutil.Process | None:
        """A process of this robot's node that has run for long without ever being heard; None when there is none.

        Launchers name node and namespace on the command line.
        """
        words = {f"__node:={node}"} | ({f"__ns:={self.get_namespace()}"} if self.get_namespace() != "/" else set())
        oldest_start = time.time() - self.parameters.transition_s  # process ages are wall-clock, as the kernel's are
        for process in psutil.process_iter(["cmdline", "create_time"]):
            command = " ".join(process.info["cmdline"] or ()).split()  # a forked node has it in one piece
            if words <= set(command) and process.info["create_time"] < oldest_start:
                return process
        return None

    def deactivate(self) -> None:
        """Whoever looks at the file must not take a robot without health for a ready one."""
        self._mark(False)

    def _mark(self, ready: bool) -> None:
        """Keep the file ``ready`` in the state folder there while the robot is ready: scripts wait for it."""
        if ready:
            self._ready_file.touch()
        else:
            self._ready_file.unlink(missing_ok=True)

    def _publish(self) -> None:
        now_s = time.monotonic()
        stamp = self.get_clock().now().to_msg()
        ready = self._supervisor.ready(now_s)
        self._mark(ready)
        health = RobotHealth(ready=ready)
        health.header.stamp = stamp
        for report in self._supervisor.report(now_s):
            health.nodes.append(
                NodeHealth(
                    node=report.node, state=report.state, responding=report.responding, restarts=report.restarts,
                    next_restart_s=report.next_try_s, heartbeat_age_s=report.heartbeat_age_s,
                    last_fault=report.last_fault,
                )
            )  # fmt: skip
        self._health.publish(health)
        tree = DiagnosticArray()
        tree.header.stamp = stamp
        for status in self._aggregate.tree(now_s):
            original = status.original
            tree.status.append(
                DiagnosticStatus(
                    name=status.name, level=bytes([status.level]), message=status.message,
                    hardware_id=getattr(original, "hardware_id", ""), values=getattr(original, "values", []),
                )
            )  # fmt: skip
        self._tree.publish(tree)


def make(**kwargs: Any) -> HealthNode:
    """Make the node and bring it up; there is nobody else to do it."""
    node = HealthNode(**kwargs)
    node.trigger_configure()
    node.trigger_activate()
    return node


def main() -> None:
    """Run the node."""
    run(make)


if __name__ == "__main__":
    main()
