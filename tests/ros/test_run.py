from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros

REPOSITORY = Path(__file__).resolve().parents[2]


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ros.sample_node", "--ros-args", *arguments],
        cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_node_cleanly(ros_graph: Any, ros_environment: dict[str, str], number: int) -> None:
    from inspection_interfaces.msg import Heartbeat

    from inspection_robot.ros import qos

    beats = ros_graph.record(Heartbeat, "/robot1/heartbeats", qos.EVENT)
    process = start(ros_environment, "-r", "__ns:=/robot1")
    ros_graph.spin_until(lambda: beats)
    assert beats[0].pid == process.pid
    process.send_signal(number)
    ros_graph.spin_until(lambda: beats[-1].state == "finalized")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["-p", "rate_hz:=500.0"], "sample: rate_hz: 500 is out of range: 1 … 100"),
        (["--params-file", "/nowhere/x.yaml"], "/nowhere/x.yaml"),
    ],
)
def test_a_bad_command_line_is_told_and_exits_with_2(
    ros_environment: dict[str, str], arguments: list[str], fault: str
) -> None:
    process = start(ros_environment, *arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert fault in errors and "Traceback" not in errors
