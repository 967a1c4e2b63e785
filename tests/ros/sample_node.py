"""A node with every kind of callback, for the tests of the base; also runs as a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inspection_interfaces.action import Dock
from inspection_interfaces.srv import EmergencyStop
from std_msgs.msg import Int32, String

from inspection_robot.ros import qos
from inspection_robot.ros.node import InspectionNode, Level, Part, run
from inspection_robot.ros.parameters import parameter


@dataclass(frozen=True)
class SampleParameters:
    rate_hz: float = parameter(20.0, "Ticks a second", minimum=1.0, maximum=100.0)
    names: tuple[str, ...] = parameter((), "Names")
    device: str = parameter("good", "Device", choices=["good", "absent"], read_only=True)


class SampleNode(InspectionNode[SampleParameters]):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__("sample", SampleParameters, **kwargs)
        self.calls: list[str] = []
        self.changes: list[tuple[SampleParameters, SampleParameters]] = []
        self.broken = False
        self.release = threading.Event()

    def configure(self) -> None:
        self.calls.append("configure")
        self.out = self.create_publisher(String, "out", qos.EVENT)
        self.worker = self.create_worker("square", self.square, stall_after_s=1.0)
        self.create_subscription(Int32, "in", self.receive, qos.EVENT)
        self.create_service(EmergencyStop, "stop", self.stop)
        self.create_action_server(Dock, "dock", self.dock)
        if self.parameters.device == "absent":
            raise OSError("/dev/absent: no such device")

    def activate(self) -> None:
        self.calls.append("activate")
        self.create_timer(1 / self.parameters.rate_hz, self.tick)
        self.out.publish(String(data="active"))

    def deactivate(self) -> None:
        self.calls.append("deactivate")
        self.out.publish(String(data="inactive"))

    def cleanup(self) -> None:
        self.calls.append("cleanup")

    def parameters_changed(self, old: SampleParameters, new: SampleParameters) -> None:
        self.changes.append((old, new))

    def diagnose(self) -> Iterable[Part]:
        yield Part("device", Level.OK, "fine", {"temperature_c": 30.125, "ok": True}, "sampler 7")

    def tick(self) -> None:
        if self.broken:
            raise ValueError("tick is\nbroken")

    def receive(self, message: Any) -> None:
        if message.data == -99:
            while True:  # a stuck callback
                time.sleep(0.1)
        if message.data < 0:
            raise ValueError(f"negative: {message.data}")
        self.worker.offer(message.data)

    def square(self, number: int) -> None:
        if number == 13:
            raise RuntimeError("unlucky")
        if number == 77:
            self.release.wait(60)
        self.out.publish(String(data=str(number * number)))

    def stop(self, request: Any, response: Any) -> Any:
        response.stopped = True
        if not request.actor:
            raise ValueError("actor is missing")
        return response

    def dock(self, goal: Any) -> Any:
        while goal.request.dock == "far" and not goal.is_cancel_requested:
            goal.publish_feedback(Dock.Feedback(state="driving"))
            time.sleep(0.01)
        if goal.is_cancel_requested:
            goal.canceled()
            return Dock.Result(message="cancelled")
        if goal.request.dock == "nowhere":
            raise LookupError("no dock named nowhere")
        goal.succeed()
        return Dock.Result(docked=True)


def main() -> None:
    run(SampleNode)


if __name__ == "__main__":
    main()
