"""kill -9 of center, bridge and a sensor node at random moments: what the bridge accepted is at the center once."""

from __future__ import annotations

import json
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: ./robot shell -- pytest …")
pytest.importorskip("inspection_interfaces", reason="ros2_ws is not built: ./robot shell -- pytest …")

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from inspection_contract.client import CenterClient
from inspection_robot.bridge.credentials import enrol

pytestmark = [pytest.mark.ros, pytest.mark.e2e]
SECONDS = 20.0
SENSOR = """
import time, uuid
import rclpy
from inspection_interfaces.msg import Detection
from inspection_robot.ros import qos
from unique_identifier_msgs.msg import UUID

rclpy.init()
node = rclpy.create_node("sensor")
publisher = node.create_publisher(Detection, "detections", qos.ALARM)
while True:
    finding = Detection(kind="thermal.fever", severity=2, confidence=0.9, value=37.9, unit="Cel")
    finding.uuid = UUID(uuid=list(uuid.uuid4().bytes))
    publisher.publish(finding)
    rclpy.spin_once(node, timeout_sec=0.02)
"""


class Stack:
    """Three processes that can be killed and are started again."""

    def __init__(self, folder: Path, environment: dict[str, str], bring_up: Callable[[], None]) -> None:
        self.folder = folder
        self.environment = environment | {"INSPECTION_STATE": str(folder / "robot")}
        self.bring_up = bring_up
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        words = {
            "center": ["-m", "inspection_center", "serve", "--port", str(self.port),
                       "--state", str(self.folder / "center"), "--demo", str(self.folder / "demo.json")],
            "bridge": ["-m", "inspection_robot.bridge.node"],
            "sensor": ["-c", SENSOR],
        }[name]  # fmt: skip
        self.processes[name] = subprocess.Popen(
            [sys.executable, *words], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if name == "bridge":
            self.bring_up()

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def accepted(self) -> list[str]:
        with sqlite3.connect(self.folder / "robot" / "bridge" / "outbox.db") as database:
            return [row[0] for row in database.execute("SELECT id FROM event ORDER BY sequence")]

    def stored(self) -> list[str]:
        with sqlite3.connect(self.folder / "center" / "center.db") as database:
            return [row[0] for row in database.execute("SELECT id FROM event ORDER BY number")]


@pytest.fixture
def stack(tmp_path: Path, ros_environment: dict[str, str], ros_graph: Any) -> Iterator[Stack]:
    change = ros_graph.probe.create_client(ChangeState, "bridge/change_state")
    get = ros_graph.probe.create_client(GetState, "bridge/get_state")

    def call(client: Any, request: Any) -> Any:
        """The answer, or None when none came: a server that was killed may still look ready for a while."""
        future = client.call_async(request)
        end = time.monotonic() + 5.0
        while not future.done() and time.monotonic() < end:
            ros_graph.executor.spin_once(timeout_sec=0.05)
        return future.result() if future.done() else None

    def bring_up() -> None:
        """Ask for the state and for the transition it lacks, until active, as the health node does."""
        wanted = {1: Transition.TRANSITION_CONFIGURE, 2: Transition.TRANSITION_ACTIVATE}
        end = time.monotonic() + 60.0
        while time.monotonic() < end:
            ros_graph.spin_until(get.service_is_ready)
            answer = call(get, GetState.Request())
            if answer is not None and answer.current_state.id == State.PRIMARY_STATE_ACTIVE:
                return
            if answer is not None and answer.current_state.id in wanted:
                call(change, ChangeState.Request(transition=Transition(id=wanted[answer.current_state.id])))
        raise AssertionError("the bridge does not become active")

    made = Stack(tmp_path, ros_environment, bring_up)
    yield made
    for process in made.processes.values():
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], patience_s: float = 60.0) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "condition did not come true"
        time.sleep(0.1)


def test_what_the_bridge_accepted_is_at_the_center_exactly_once_and_in_order(stack: Stack) -> None:
    source = random.Random()
    stack.start("center")
    with CenterClient(f"http://127.0.0.1:{stack.port}") as client:
        wait_until(client.ready)
    demo = json.loads((stack.folder / "demo.json").read_text())
    enrol(demo["url"], demo["robots"]["robot_1"], stack.folder / "robot" / "bridge" / "credentials.json")
    stack.start("bridge")
    stack.start("sensor")
    kills = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(source.uniform(0.2, 1.5))
        name = source.choice(["center", "bridge", "sensor"])
        stack.kill(name)
        kills += 1
        time.sleep(source.uniform(0.0, 0.5))
        stack.start(name)
    stack.kill("sensor")
    wait_until(lambda: stack.stored() == stack.accepted())
    assert len(stack.accepted()) == len(set(stack.accepted())) > 100
    assert kills >= 3
