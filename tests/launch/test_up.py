from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from inspection_robot.cli.__main__ import main

pytestmark = pytest.mark.ros

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 150.0  # only a broken robot takes that long
LAUNCH = """<launch>
  <arg name="namespace" default="t"/>
  <executable name="health" respawn="true" respawn_delay="0.2" cmd="{python} -m inspection_robot.health.node --ros-args
    -r __node:=health -r __ns:=/$(var namespace) -p order:=[sample] -p required:=[sample]"/>
  <executable name="sample" respawn="true" respawn_delay="0.2" cmd="{python} -m tests.ros.sample_node --ros-args
    -r __node:=sample -r __ns:=/$(var namespace)"/>
</launch>"""


def named(processes: list[psutil.Process], name: str) -> psutil.Process | None:
    return next((process for process in processes if f"__node:={name}" in process.cmdline()), None)


@pytest.fixture
def robot(tmp_path: Path, ros_environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    path = tmp_path / "x.launch.xml"
    path.write_text(LAUNCH.format(python=sys.executable))
    environment = ros_environment | {
        "INSPECTION_STATE": str(tmp_path / "state"),
        "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}:{os.environ.get('PYTHONPATH', '')}",
    }
    with (tmp_path / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "inspection_robot.cli", "up", "--launch-file", str(path)],
            env=environment, cwd=REPOSITORY, stdout=output, stderr=output,
        )  # fmt: skip
    yield process
    process.kill()
    process.wait()


def test_a_killed_node_a_stuck_node_and_a_killed_health_are_survived(
    ros_graph: Any, robot: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    from inspection_interfaces.msg import RobotHealth
    from std_msgs.msg import Int32

    from inspection_robot.ros import qos

    reports = ros_graph.record(RobotHealth, "/t/health", qos.STATE)
    give = ros_graph.probe.create_publisher(Int32, "/t/in", qos.EVENT)

    def restarted(count: int) -> Callable[[], bool]:
        return lambda: bool(reports) and reports[-1].ready and reports[-1].nodes[0].restarts >= count

    def child(name: str) -> psutil.Process:
        found = named(psutil.Process(robot.pid).children(), name)
        assert found is not None
        return found

    ros_graph.spin_until(restarted(0), PATIENCE_S)
    ready = tmp_path / "state" / "ready"
    ros_graph.spin_until(ready.exists)

    child("sample").kill()
    ros_graph.spin_until(restarted(1), PATIENCE_S)

    first = child("sample").pid
    ros_graph.spin_until(lambda: give.get_subscription_count() > 0)
    give.publish(Int32(data=-99))  # its callback never returns
    ros_graph.spin_until(restarted(2), PATIENCE_S)
    assert child("sample").pid != first

    survivor = child("sample").pid
    child("health").kill()
    reports.clear()
    ros_graph.spin_until(restarted(0), PATIENCE_S)  # the new health has seen no restart yet
    assert child("sample").pid == survivor

    children = psutil.Process(robot.pid).children()
    robot.send_signal(signal.SIGINT)
    deadline = time.monotonic() + PATIENCE_S
    while robot.poll() is None:
        assert time.monotonic() < deadline
        ros_graph.executor.spin_once(timeout_sec=0.05)
    assert robot.returncode == 0, (tmp_path / "output.txt").read_text()
    assert not any(process.is_running() for process in children)
    assert not ready.exists()


def test_mistakes_in_parameter_files_are_found_before_anything_starts(
    tmp_path: Path, ros_domain: int, capfd: pytest.CaptureFixture[str]
) -> None:
    launch = tmp_path / "x.launch.xml"
    launch.write_text(
        '<launch><arg name="params_file" default=""/><node pkg="inspection_robot" exec="health">'
        '<param from="$(var params_file)"/></node></launch>'
    )
    parameters = tmp_path / "wrong.yaml"
    parameters.write_text("/**/health:\n  ros__parameters:\n    silence_s: 900.0\n    ordr: [bridge]\n")
    status = main(["up", "--check", "--launch-file", str(launch), "--params-file", str(parameters)])
    errors = capfd.readouterr().err.splitlines()
    assert status == 2
    assert errors == [
        f"robot up: {parameters}: /**/health: ordr: no such parameter; did you mean order?",
        f"robot up: {parameters}: health: silence_s: 900 is out of range: 1 … 60",
    ]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["namespace=r"], "namespace=r: is not NAME:=VALUE"),
        (["--robot-name", "7up"], "7up: is no robot name"),
        (["--params-file", "/nowhere.yaml"], "/nowhere.yaml: no such file"),
        (["--launch-file", "/nowhere.xml"], "/nowhere.xml: No such file or directory"),
        (["nonsense:=1"], "has no argument nonsense"),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str], ros_domain: int
) -> None:
    assert main(["up", "--check", *arguments]) == 2
    errors = capsys.readouterr().err
    assert fault in errors and errors.count("\n") == 1
