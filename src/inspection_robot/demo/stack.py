"""The whole stack of one demo run: center, enrolled robot and, for a scenario, the simulator."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import yaml

from inspection_contract.client import CenterClient, CenterError
from inspection_contract.receipts import StoredEvent
from inspection_contract.resources import share
from inspection_robot.bridge.credentials import enrol
from inspection_robot.demo.processes import Process, ProcessError
from inspection_robot.launcher.launch_file import read
from inspection_robot.launcher.up_command import find_share

ROBOT_NAME = "robot_1"
NODES = (
    "thermal", "radiation", "odor", "documents", "people", "interception", "voice", "patrol", "drive", "operator",
)  # fmt: skip
_CENTER_TIMEOUT_S = 30.0
_ROBOT_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class RobotStart:
    """How the robot is started.

    Attributes:
        launch_file: in ``launch/``.
        arguments: of the launch file.
        parameters: of nodes, above those of ``config/``: node, then name, then value.
    """

    launch_file: str
    arguments: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)

    @staticmethod
    def thermal_only(**parameters: Any) -> RobotStart:
        """Thermal, bridge and health; every other node of the launch file is left out."""
        path = share() / "launch" / "robot.launch.xml"
        switches = {argument.name for argument in read(path, {}, find_share).arguments} & set(NODES)
        arguments = dict.fromkeys(sorted(switches - {"thermal"}), "false")
        return RobotStart(
            path.name,
            arguments,
            {"thermal": parameters, "health": {"order": ["bridge", "thermal"], "required": ["bridge", "thermal"]}},
        )


class Stack:
    """Starts everything in order and stops it in reverse order.

    Args:
        folder: state of this run; logs lie in ``folder/log``.
        port: the center's port on loopback; 0 takes any free one.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._port = port
        self._exit = contextlib.ExitStack()
        self.processes: dict[str, Process] = {}
        self.center: dict[str, str] = {}
        self.namespace = f"/{ROBOT_NAME}"
        self.handed_over = folder / "center.json"
        """The center writes its address and the demo's keys here."""
        self.radio: Path | None = None
        """File with the address at which the robot reaches the center when a simulated radio link lies between."""

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def start_center(self) -> None:
        """Start the center; it comes up beside whatever is started next."""
        options = ["--port", str(self._port), "--demo", str(self.handed_over), "--demo-robot", ROBOT_NAME]
        self.start("center", [sys.executable, "-m", "inspection_center", "serve", *options])

    def await_center(self) -> None:
        """Wait for the center and enrol the robot.

        Raises:
            ProcessError: it did not come up, e.g. because the port is in use.
        """
        center = self.processes["center"]
        center.wait_until(self.handed_over.exists, _CENTER_TIMEOUT_S)
        demo = json.loads(self.handed_over.read_text(encoding="utf-8"))
        self.center = {key: demo[key] for key in ("url", "console_url", "reader_token", "supervisor_token")}
        with CenterClient(demo["url"]) as client:
            center.wait_until(client.ready, _CENTER_TIMEOUT_S)
        try:
            enrol(self._url_for_robot(), demo["robots"][ROBOT_NAME], self.folder / "bridge" / "credentials.json")
        except CenterError as error:
            raise ProcessError(f"the robot could not enrol: {error}") from error

    def watch(self, entries: Sequence[Mapping[str, str]]) -> None:
        """Put entries on the center's watch-list and send it to the robot."""
        with CenterClient(self.center["url"], self.center["supervisor_token"]) as client:
            client.watch(entries)

    def _url_for_robot(self) -> str:
        if self.radio is None:
            return self.center["url"]
        self.processes["simulator"].wait_until(self.radio.exists, _CENTER_TIMEOUT_S)
        url: str = json.loads(self.radio.read_text(encoding="utf-8"))["url"]
        return url

    def restart_center(self) -> None:
        """Start the center again over its state, on the port it had: what its service manager does after a crash.

        Raises:
            ProcessError: it did not come up.
        """
        port = urlsplit(self.center["url"]).port
        center = self.start("center", [sys.executable, "-m", "inspection_center", "serve", "--port", str(port)])
        with CenterClient(self.center["url"]) as client:
            center.wait_until(client.ready, _CENTER_TIMEOUT_S)

    def start_robot(self, robot: RobotStart) -> None:
        """Start the robot's nodes, one process each."""
        given = self.folder / "robot.yaml"
        parameters = {
            node if node == "/**" else f"/**/{node}": {"ros__parameters": values}
            for node, values in robot.parameters.items()
        }
        given.write_text(yaml.safe_dump(parameters or {"/**": {"ros__parameters": {"use_sim_time": False}}}))
        command = [sys.executable, "-m", "inspection_robot.cli", "up", "--robot-name", ROBOT_NAME]
        command += ["--launch-file", str(share() / "launch" / robot.launch_file), "--params-file", str(given)]
        command += [f"{name}:={value}" for name, value in robot.arguments.items()]
        self.start("robot", command)

    def await_robot(self) -> None:
        """Wait until the robot tells the center that it is ready.

        Raises:
            ProcessError: a node did not come up.
        """
        process = self.processes["robot"]
        with CenterClient(self.center["url"], self.center["reader_token"]) as client:
            process.wait_until(lambda: _robot_is_ready(client), _ROBOT_TIMEOUT_S)

    def events(self) -> Iterator[StoredEvent]:
        """Everything the center stores, as it stores it; goes on after the center was away."""
        after = 0
        while True:
            with (
                CenterClient(self.center["url"], self.center["reader_token"]) as client,
                contextlib.suppress(CenterError),
            ):
                for event in client.stream_events(after):
                    after = event.number
                    yield event

    def check(self) -> None:
        """See that center and robot still run.

        Raises:
            ProcessError: one ended by itself.
        """
        for name in ("center", "robot"):
            process = self.processes[name]
            if not process.running:
                raise ProcessError(f"{name} ended by itself: {process.last_line()}")

    def stop_all_but_center(self) -> None:
        """End robot and simulator; the console stays."""
        for name in reversed(list(self.processes)):
            if name != "center":
                self.processes[name].stop()

    def start(self, name: str, command: list[str]) -> Process:
        """Start a process with this run's state folder; it is stopped with the stack."""
        environment = {"INSPECTION_STATE": str(self.folder)}
        process = Process(name, command, self.folder / "log" / f"{name}.txt", environment)
        self.processes[name] = self._exit.enter_context(process)
        return process


def _robot_is_ready(client: CenterClient) -> bool:
    """Whether the robot has told the center that every node it runs is active."""
    statuses = [robot.status for robot in client.robots() if robot.name == ROBOT_NAME]
    status = statuses[0] if statuses else None
    return status is not None and status.ready and all(n.state in ("active", "absent") for n in status.nodes)
