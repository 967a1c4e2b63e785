"""Children of the demo start with a log and leave nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest

from inspection_robot.demo.processes import Process, ProcessError


def python(code):
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_output_goes_to_the_log_and_an_early_end_is_told_with_its_last_line(tmp_path):
    code = "print('the port is in use'); raise SystemExit(2)"
    expected = r"center ended with status 2: the port is in use \(log: .*log.txt\)"
    with Process("center", python(code), tmp_path / "log.txt") as center, pytest.raises(ProcessError, match=expected):
        center.wait_until(lambda: False, 30.0)


def test_what_never_becomes_ready_is_told(tmp_path):
    robot = Process("robot", python("import time; time.sleep(60)"), tmp_path / "log.txt")
    with robot, pytest.raises(ProcessError, match="robot is not ready after 0 s: no output"):
        robot.wait_until(lambda: False, 0.2)
    assert not robot.running


def test_what_ignores_polite_signals_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "inspection_robot.demo.processes._STOP_SIGNALS",
        ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, 10.0)),
    )
    pid_file = tmp_path / "child"
    code = f"""
        import signal, subprocess, sys, time, pathlib
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))
        time.sleep(60)
    """
    with Process("robot", python(code), tmp_path / "log.txt") as robot:
        robot.wait_until(lambda: pid_file.exists() and pid_file.read_text() != "", 30.0)
        child = psutil.Process(int(pid_file.read_text()))
    assert not robot.running
    assert child.wait(10.0) is None or not child.is_running()


def test_a_child_dies_with_a_demo_that_was_killed(tmp_path):
    pid_file = tmp_path / "child"
    code = f"""
        import os, pathlib, sys, time
        from inspection_robot.demo.processes import Process
        log = pathlib.Path({str(tmp_path)!r}) / "log"
        child = Process("center", [sys.executable, "-c", "import time; time.sleep(60)"], log)
        pathlib.Path({str(pid_file)!r}).write_text(str(child._child.pid))
        print("started", flush=True)
        time.sleep(60)
    """
    demo = subprocess.Popen(
        python(code), stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    try:
        assert demo.stdout is not None
        assert demo.stdout.readline() == b"started\n"
        child = psutil.Process(int(pid_file.read_text()))
    finally:
        demo.kill()
        demo.wait()
        demo.stdout.close()
    gone, alive = psutil.wait_procs([child], timeout=10.0)
    assert gone or all(process.status() == psutil.STATUS_ZOMBIE for process in alive)
