from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.ros

REPOSITORY = Path(__file__).resolve().parents[2]
# A supervisor over functions of tests.launch.programs, each forked under the name given.
MAIN = """
import asyncio, os, sys
from pathlib import Path
from inspection_robot.launcher.starting import Child, EntryPoint
from inspection_robot.launcher.supervise import Supervisor, show
children = [
    Child(name, ["/bin/" + name, "--ros-args", "-r", "__node:=" + name], os.environ | {"COLOR": name},
          name.startswith("again"), 0.1, EntryPoint("tests.launch.programs", function))
    for name, _, function in (word.partition("=") for word in sys.argv[2:])
]
sys.exit(asyncio.run(Supervisor(children, Path(sys.argv[1]), show).run()))
"""


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "condition did not come true"
        time.sleep(0.05)


class Run:
    def __init__(self, folder: Path, *children: str) -> None:
        self._output = folder / "output.txt"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MAIN, str(folder / "log"), *children], cwd=REPOSITORY, stdout=output,
                stderr=output, env=os.environ | {"PYTHONPATH": f"src:{os.environ.get('PYTHONPATH', '')}"},
            )  # fmt: skip

    def text(self) -> str:
        return self._output.read_text()

    def node(self, name: str) -> psutil.Process:
        """The process that tells this node name on its command line, as health looks for it."""
        everybody = psutil.Process(self.process.pid).children(recursive=True)
        (found,) = (process for process in everybody if f"__node:={name}" in " ".join(process.cmdline()).split())
        return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def make(*children: str) -> Run:
        runs.append(Run(tmp_path, *children))
        return runs[-1]

    yield make
    for run in runs:
        run.process.kill()
        run.process.wait()


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_each_node_has_a_process_a_group_a_command_line_and_an_environment_of_its_own(
    start: Callable[..., Run],
) -> None:
    run = start("a=report", "b=report")
    until(lambda: run.text().count("arguments") == 2)
    assert "a | arguments --ros-args -r __node:=a group True color a" in run.text()
    assert "b | arguments --ros-args -r __node:=b group True color b" in run.text()
    nodes = [run.node("a"), run.node("b")]
    assert nodes[0].pid != nodes[1].pid
    run.process.send_signal(signal.SIGINT)
    run.process.wait(60)
    assert all(gone(node) for node in nodes)


def test_a_killed_node_is_started_again_and_the_others_stay(start: Callable[..., Run]) -> None:
    run = start("again=report", "other=report")
    until(lambda: run.text().count("arguments") == 2)
    other = run.node("other")
    run.node("again").kill()
    until(lambda: run.text().count("again | arguments") == 2)
    assert "ended by SIGKILL; starting it again" in run.text()
    assert other.is_running()


def test_when_the_fork_server_is_killed_its_nodes_are_started_again(start: Callable[..., Run]) -> None:
    run = start("again=report")
    until(lambda: "arguments" in run.text())
    node = run.node("again")
    parent = node.parent()
    assert parent is not None and parent.pid != run.process.pid
    parent.kill()
    until(lambda: run.text().count("again | arguments") == 2)
    assert gone(node)


def test_no_node_outlives_a_killed_supervisor(start: Callable[..., Run]) -> None:
    run = start("again1=report", "again2=report")
    until(lambda: run.text().count("arguments") == 2)
    nodes = [run.node("again1"), run.node("again2")]
    run.process.kill()
    run.process.wait()
    until(lambda: all(gone(node) for node in nodes))


def test_a_wrong_command_line_stops_everything_with_2(start: Callable[..., Run]) -> None:
    run = start("again=refuse", "b=report")
    assert run.process.wait(60) == 2
    assert "again | rate_hz: out of range" in run.text()


def test_a_program_that_fails_gives_status_1_and_its_error(start: Callable[..., Run]) -> None:
    run = start("a=fail")
    assert run.process.wait(60) == 1
    assert "a | ValueError: broken" in run.text()


def test_importing_every_node_starts_no_thread_that_a_forked_process_would_miss() -> None:
    look = """
import importlib, os, sys
def threads(): return len(os.listdir("/proc/self/task"))
import rclpy, onnxruntime   # tracing and telemetry have threads that a node can do without
before = threads()
for node in sys.argv[1:]: importlib.import_module(f"inspection_robot.{node}.node")
print(threads() - before)
"""
    nodes = sorted(path.parent.name for path in (REPOSITORY / "src" / "inspection_robot").glob("*/node.py"))
    nodes.remove("ros")  # the base
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", look, *nodes], capture_output=True, text=True, check=True, cwd=REPOSITORY / "src",
        env=environment,
    )  # fmt: skip
    assert done.stdout.strip() == "0"
