"""The base of every node: a lifecycle node whose mistakes become faults and not a dead process.

A node is a dataclass of parameters and a class with up to five methods::

    class ThermalNode(InspectionNode[ThermalParameters]):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__("thermal", ThermalParameters, **kwargs)   # cheap: no device, no model

        def configure(self) -> None: ...    # open hardware, make publishers, subscriptions, workers; raise to fail
        def activate(self) -> None: ...     # start; timers made here stop by themselves at deactivation
        def deactivate(self) -> None: ...
        def cleanup(self) -> None: ...      # close what configure opened; also after a failed configure
        def diagnose(self) -> Iterable[Part]: ...

    def main() -> None:
        run(ThermalNode)

What the base does:

- Publishers, subscriptions, timers, services, actions, workers and loops made in ``configure`` are destroyed before
  ``cleanup``, those made in ``activate`` before ``deactivate``. Publishers are silent unless the node is active.
- An exception in any callback, worker or loop becomes a :class:`Fault` named ``<node>.<callback>_failed``, published
  on ``faults`` and shown in diagnostics; it clears when the callback works again. Services answer with an empty
  (refusing) response whose ``message`` says why, action goals abort.
- One executor thread (see :mod:`inspection_robot.ros.run`): callbacks are short; computation goes to
  :meth:`create_worker`, blocking devices to :meth:`create_loop`, long actions run in threads by themselves.
- ``heartbeats`` at 2 Hz from that executor, on a steady clock: a stuck callback silences it, and so does a worker that
  is stuck, because then the node is. Health restarts what is silent.
- ``/diagnostics`` at 1 Hz, at once when a fault appears or clears.
"""

from __future__ import annotations

import os
import platform
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from inspection_interfaces.msg import Fault as FaultMessage
from inspection_interfaces.msg import Heartbeat
from rclpy.clock import Clock, ClockType
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher, LifecycleState, TransitionCallbackReturn

from inspection_contract.errors import InputError
from inspection_robot.ros import qos
from inspection_robot.ros.action_server import ThreadedActionServer
from inspection_robot.ros.declaration import declare
from inspection_robot.ros.diagnostics import Level, Part, to_status
from inspection_robot.ros.faults import FaultBook, Report, Severity
from inspection_robot.ros.run import run
from inspection_robot.ros.workers import LatestWorker, Loop, Worker

__all__ = ["InspectionNode", "Level", "Part", "Severity", "run"]

RCLError = rclpy_implementation.RCLError
P = TypeVar("P")
T = TypeVar("T")

HEARTBEAT_PERIOD_S = 0.5
DIAGNOSTICS_PERIOD_S = 1.0


class InspectionNode(LifecycleNode, Generic[P]):  # type: ignore[misc]  # rclpy has no type information
    """A lifecycle node with typed parameters, faults, heartbeats and diagnostics. See the module's text.

    Args:
        name: node name.
        parameters: dataclass made of :func:`inspection_robot.ros.parameters.parameter` fields.
        parameter_files: files given on the command line, only to name them in errors.
        overrides: parameter values above those of files, for tests and for nodes made in a program.
        kwargs: passed to :class:`rclpy.node.Node` (``context``, ``namespace``, …).

    Raises:
        InputError: when a parameter is unknown, of the wrong type or out of range.
    """

    def __init__(
        self,
        name: str,
        parameters: type[P],
        *,
        parameter_files: Sequence[Path] = (),
        overrides: Mapping[str, object] | None = None,
        **kwargs: Any,
    ) -> None:
        self.__phase: list[Callable[[], Any]] | None = None  # collects destroyers while a phase makes entities
        super().__init__(name, **kwargs)
        self.__configured: list[Callable[[], Any]] = []
        self.__activated: list[Callable[[], Any]] = []
        self.__phase = self.__configured
        self.__workers: list[Worker] = []
        self.__action_servers: list[ThreadedActionServer] = []
        self.__fault_book = FaultBook(time.monotonic)
        self.__sequence = 0
        self.__finalized = False
        self.__host = platform.node()
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        make_publisher = super().create_publisher
        self.__heartbeats = make_publisher(Heartbeat, "heartbeats", qos.EVENT)
        self.__faults = make_publisher(FaultMessage, "faults", qos.ALARM)
        self.__diagnostics = make_publisher(DiagnosticArray, "/diagnostics", qos.EVENT)
        super().create_timer(HEARTBEAT_PERIOD_S, self.__send_heartbeat, clock=self.steady_clock)
        super().create_timer(DIAGNOSTICS_PERIOD_S, self.__send_diagnostics, clock=self.steady_clock)
        # rclpy raises out of the executor, and never answers, when a transition is not allowed in the present state.
        self._service_change_state.callback = self.__refusing(self._service_change_state.callback)
        self.__parameters_object: P = declare(
            self, parameters, parameter_files, overrides or {}, self.__change_parameters
        )

    # What a node implements.

    def configure(self) -> None:
        """Open hardware, make publishers, subscriptions, services, workers. Raise to stay unconfigured."""

    def activate(self) -> None:
        """Start to work. Raise to stay inactive."""

    def deactivate(self) -> None:
        """Stop to work; hardware stays open."""

    def cleanup(self) -> None:
        """Close hardware. Called after a failed :meth:`configure` too, so it must bear half-open state."""

    def parameters_changed(self, old: P, new: P) -> None:
        """Called when parameters were set at run time; :attr:`parameters` is ``new`` already."""

    def diagnose(self) -> Iterable[Part]:
        """Tell how the parts of the node fare; called once a second, must be quick."""
        return ()

    # What a node uses. For timers that must run when simulated time stands still: clock=self.steady_clock.

    @property
    def parameters(self) -> P:
        """The parameters as they are now; a new object after each accepted change."""
        return self.__parameters_object

    @property
    def is_active(self) -> bool:
        """Whether the node is in the lifecycle state *active*."""
        return bool(self._state_machine.current_state[1] == "active")

    def fault(self, code: str, text: str, severity: Severity = Severity.ERROR, part: str = "node") -> None:
        """Raise a fault, or repeat it. ``code`` is prefixed with the node's name: ``camera_lost``."""
        self.__report(self.__fault_book.occurred(f"{self.get_name()}.{code}", severity, part, text))

    def clear(self, code: str) -> None:
        """Clear a fault; nothing happens when it is not up."""
        report = self.__fault_book.cleared(f"{self.get_name()}.{code}")
        if report is not None:
            self.__report(report)

    def create_worker(self, name: str, work: Callable[[T], None], stall_after_s: float = 30.0) -> LatestWorker[T]:
        """Make a thread that runs ``work`` on the newest item offered to it."""
        worker = LatestWorker(name, work, *self.__outcome(name, name), stall_after_s)
        self.__start(worker)
        return worker

    def create_loop(self, name: str, step: Callable[[], None], stall_after_s: float = 30.0) -> Loop:
        """Make a thread that calls ``step`` again and again, with pauses that grow while it fails."""
        loop = Loop(name, step, *self.__outcome(name, name), stall_after_s)
        self.__start(loop)
        return loop

    def create_action_server(
        self, action_type: Any, name: str, execute: Callable[[Any], Any], **options: Any
    ) -> ThreadedActionServer:
        """Make an action server whose goals each run ``execute(goal)`` in a thread, while the node is active.

        ``goal`` is a :class:`inspection_robot.ros.action_server.Goal`.
        """
        succeeded, failed = self.__outcome(execute.__name__.strip("_"), name)
        for key in ("goal_callback", "cancel_callback", "handle_accepted_callback"):
            if key in options:
                options[key] = self.__guarded(options[key], name)
        server = ThreadedActionServer(self, action_type, name, execute, failed, succeeded, **options)
        self.__action_servers.append(server)
        if self._state_machine.current_state[1] in ("active", "activating"):
            server.open()

        def end() -> None:
            self.__action_servers.remove(server)
            server.destroy()

        self.__collect(end)
        return server

    # rclpy's factories: the same signatures, with guarded callbacks and entities that end with their phase.

    def create_publisher(self, msg_type: Any, topic: str, qos_profile: Any, **options: Any) -> Any:
        """Make a publisher that is silent unless the node is active."""
        if self.__phase is None or "publisher_class" in options:
            return super().create_publisher(msg_type, topic, qos_profile, **options)  # rclpy's own publishers
        publisher: LifecyclePublisher = self.create_lifecycle_publisher(msg_type, topic, qos_profile, **options)
        if self._state_machine.current_state[1] in ("active", "activating"):
            publisher.on_activate(None)
        self.__collect(lambda: self.destroy_lifecycle_publisher(publisher))
        return publisher

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[[Any], None], qos_profile: Any, **options: Any
    ) -> Any:
        """Make a subscription whose errors become faults."""
        guarded = self.__guarded(callback, topic)
        subscription = super().create_subscription(msg_type, topic, guarded, qos_profile, **options)
        self.__collect(lambda: self.destroy_subscription(subscription))
        return subscription

    def create_timer(self, timer_period_sec: float, callback: Callable[[], None], *args: Any, **options: Any) -> Any:
        """Make a timer on the node's clock (simulated time when in use) whose errors become faults."""
        timer = super().create_timer(timer_period_sec, self.__guarded(callback, "timer"), *args, **options)
        self.__collect(lambda: self.destroy_timer(timer))
        return timer

    def create_service(self, srv_type: Any, srv_name: str, callback: Callable[[Any, Any], Any], **options: Any) -> Any:
        """Make a service that answers with a refusing response, and raises a fault, when its callback fails."""

        def refuse(error: Exception) -> Any:
            response = srv_type.Response()
            if hasattr(response, "message"):
                response.message = " ".join(str(error).split())
            return response

        guarded = self.__guarded(callback, srv_name, refuse)
        service = super().create_service(srv_type, srv_name, guarded, **options)
        self.__collect(lambda: self.destroy_service(service))
        return service

    def create_client(self, srv_type: Any, srv_name: str, **options: Any) -> Any:
        """Make a service client; call it with ``call_async`` and :meth:`when_done`."""
        client = super().create_client(srv_type, srv_name, **options)
        self.__collect(lambda: self.destroy_client(client))
        return client

    def when_done(self, future: Any, callback: Callable[[Any], None]) -> None:
        """Call ``callback(future)`` in the executor when the future is done; errors become faults."""
        future.add_done_callback(self.__guarded(callback, "future"))

    # Lifecycle transitions.

    def on_configure(self, state: LifecycleState) -> Any:
        """Run :meth:`configure`; on an error everything made so far is undone and the node stays unconfigured."""
        self.__phase = self.__configured
        if not self.__attempt("configure", self.configure):
            self.__undo(self.__configured)
            self.__attempt("cleanup", self.cleanup)
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> Any:
        """Enable the publishers and run :meth:`activate`; on an error the node stays inactive."""
        self.__phase = self.__activated
        result = super().on_activate(state)
        if not self.__attempt("activate", self.activate):
            self.__undo(self.__activated)
            self.__phase = self.__configured
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        for server in self.__action_servers:
            server.open()
        return result

    def on_deactivate(self, state: LifecycleState) -> Any:
        """End goals, undo what :meth:`activate` made, run :meth:`deactivate`; publishers are silenced last."""
        for server in self.__action_servers:
            self.__attempt("end_goals", server.end_goals)
        self.__undo(self.__activated)
        self.__attempt("deactivate", self.deactivate)
        self.__phase = self.__configured
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> Any:
        """Undo what :meth:`configure` made and run :meth:`cleanup`."""
        self.__undo(self.__configured)
        self.__attempt("cleanup", self.cleanup)
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> Any:
        """Deactivate and clean up, whatever the state was."""
        if state.label == "active":
            self.on_deactivate(state)
        if state.label in ("active", "inactive"):
            self.on_cleanup(state)
        self.__finalized = True
        self.__send_heartbeat()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """End threads that are still running, then destroy the node."""
        self.__undo(self.__activated)
        self.__undo(self.__configured)
        super().destroy_node()

    # Inside. Two underscores: a node of ours may use any name with one.

    def __refusing(self, change_state: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def answer(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except RCLError as error:
                self.get_logger().warning(f"transition refused: {str(error).splitlines()[0]}")
                response.success = False
                return response

        return answer

    def __attempt(self, name: str, step: Callable[[], None]) -> bool:
        succeeded, failed = self.__outcome(name, "node")
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a failed transition is a fault, health tries again
            failed(error)
            return False
        succeeded()
        return True

    def __collect(self, destroy: Callable[[], Any]) -> None:
        if self.__phase is not None:
            self.__phase.append(destroy)

    def __undo(self, phase: list[Callable[[], Any]]) -> None:
        while phase:
            self.__attempt("destroy", phase.pop())

    def __start(self, worker: Worker) -> None:
        def end() -> None:
            if not worker.close():
                self.fault("worker_stuck", f"{worker.name} does not end", part=worker.name)
            self.__workers.remove(worker)

        self.__workers.append(worker)
        self.__collect(end)
        worker.start()

    def __outcome(self, what: str, part: str) -> tuple[Callable[[], None], Callable[[Exception], None]]:
        """What to call after success and after failure of a callback."""
        code = f"{what}_failed"

        def failed(error: Exception) -> None:
            known = isinstance(error, InputError | OSError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            report = self.__fault_book.occurred(f"{self.get_name()}.{code}", Severity.ERROR, part, text)
            if report.fault.count == 1 and not known:
                self.get_logger().error("".join(traceback.format_exception(error)).rstrip())
            self.__report(report)

        return (lambda: self.clear(code)), failed

    def __guarded(
        self, callback: Callable[..., Any], part: str, answer: Callable[[Exception], Any] = lambda _: None
    ) -> Callable[..., Any]:
        if self.__phase is None:
            return callback  # rclpy's own, made before ours exist
        name = getattr(callback, "__name__", "<unnamed>").strip("_")
        if name.startswith("<"):  # a lambda: name it after what it serves
            name = part.strip("~/").replace("/", "_")
        succeeded, failed = self.__outcome(name, part)

        def call(*args: Any) -> Any:
            try:
                result = callback(*args)
            except Exception as error:  # noqa: BLE001 - one bad message must not end the node
                failed(error)
                return answer(error)
            succeeded()
            return result

        return call

    def __report(self, report: Report) -> None:
        fault = report.fault
        if report.log:
            logger = self.get_logger()
            again = f" ({report.suppressed} more since last told)" if report.suppressed else ""
            if not fault.active:
                logger.info(f"{fault.code} cleared")
            elif fault.severity is Severity.ERROR:
                logger.error(f"{fault.code}: {fault.text}{again}")
            else:
                logger.warning(f"{fault.code}: {fault.text}{again}")
        if report.publish:
            message = FaultMessage(
                code=fault.code, severity=int(fault.severity), source=f"{self.get_name()}: {fault.part}",
                text=fault.text, active=fault.active, count=fault.count,
            )  # fmt: skip
            message.header.stamp = self.get_clock().now().to_msg()
            self.__faults.publish(message)
            self.__send_diagnostics()

    def __change_parameters(self, new: P) -> None:
        old, self.__parameters_object = self.__parameters_object, new
        self.__attempt("parameters_changed", lambda: self.parameters_changed(old, new))

    def __send_heartbeat(self) -> None:
        for worker in self.__workers:
            if worker.stalled():
                self.fault("worker_stuck", f"{worker.name} does not come back", part=worker.name)
                return  # a node whose worker is stuck is stuck; silence is how health notices
        self.__sequence += 1
        self.__heartbeats.publish(
            Heartbeat(
                stamp=self.get_clock().now().to_msg(), node=self.get_name(), sequence=self.__sequence,
                state="finalized" if self.__finalized else self._state_machine.current_state[1],
                faults=len(self.__fault_book.active()), pid=os.getpid(), host=self.__host,
            )
        )  # fmt: skip

    def __send_diagnostics(self) -> None:
        name = self.get_fully_qualified_name()
        faults = self.__fault_book.active()
        state = self._state_machine.current_state[1]
        level = Level(max((int(fault.severity) for fault in faults), default=0))
        values: dict[str, object] = {"state": state} | {fault.code: fault.text for fault in faults}
        for worker in self.__workers:
            values[f"{worker.name} jobs"] = worker.jobs
            if isinstance(worker, LatestWorker):
                values[f"{worker.name} replaced"] = worker.replaced
        parts = [Part("node", level, faults[0].text if faults else state, values)]
        try:
            parts += self.diagnose()
        except Exception as error:  # noqa: BLE001 - the node's own description of itself failed: say so
            parts.append(Part("diagnose", Level.ERROR, f"{type(error).__name__}: {error}"))
        message = DiagnosticArray(status=[to_status(name, part, self.__host) for part in parts])
        message.header.stamp = self.get_clock().now().to_msg()
        self.__diagnostics.publish(message)
