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

REPOSITORY = Path(__file__).resolve().parents[2]
# A supervisor over programs given as name=program text; each is run by Python.
MAIN = """
import asyncio, sys
from pathlib import Path
from inspection_robot.launcher.starting import Child
from inspection_robot.launcher.supervise import Supervisor, show
children = [
    Child(name, [sys.executable, "-u", "-c", text], respawn=name.startswith("again"), respawn_delay_s=0.1)
    for name, _, text in (word.partition("=") for word in sys.argv[2:])
]
sys.exit(asyncio.run(Supervisor(children, Path(sys.argv[1]), show).run()))
"""
SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('up'); time.sleep(600)"


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "condition did not come true"
        time.sleep(0.05)


class Run:
    """A supervisor process; its output goes to a file, so that nobody has to read it in time."""

    def __init__(self, folder: Path, *children: str) -> None:
        self.folder = folder
        self.output = folder / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MAIN, str(folder / "log"), *children],
                cwd=REPOSITORY, stdout=output, stderr=output, env=os.environ | {"PYTHONPATH": "src"},
            )  # fmt: skip

    def text(self) -> str:
        return self.output.read_text()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def wait(self) -> int:
        return self.process.wait(60)


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


def test_output_is_prefixed_and_kept(start: Callable[..., Run]) -> None:
    run = start("a=print('hello')", "bbb=print('x' * 200000)")
    assert run.wait() == 0
    assert "a   | hello" in run.text()
    assert (run.folder / "log" / "a.log").read_text() == "hello\n"
    assert (run.folder / "log" / "bbb.log").read_text().count("x") == 200000


def test_a_process_that_ends_is_started_again(start: Callable[..., Run]) -> None:
    run = start(f"again={SLEEP}")
    until(lambda: "up" in run.text())
    (child,) = run.children()
    child.kill()
    until(lambda: run.text().count("again | up") == 2)
    assert "ended by SIGKILL; starting it again" in run.text()
    (successor,) = run.children()
    assert successor.pid != child.pid
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 0
    assert not successor.is_running()


def test_ctrl_c_reaches_children_once_and_all_are_gone_at_the_end(start: Callable[..., Run]) -> None:
    count = (
        "import signal, time; n = []; signal.signal(2, lambda *_: n.append(1)); print('up')\n"
        "while not n: time.sleep(0.01)\ntime.sleep(0.3); print('interrupts', len(n))"
    )
    run = start(f"a={count}", f"b={SLEEP}")
    until(lambda: run.text().count("up") == 2)
    children = run.children()
    assert {os.getpgid(child.pid) for child in children} == {child.pid for child in children}
    run.process.send_signal(signal.SIGINT)
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 0
    assert "interrupts 1" in run.text()
    assert not any(child.is_running() for child in children)


def test_a_process_that_does_not_want_to_end_is_killed(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    patched = MAIN.replace(
        "children = [",
        "import signal, inspection_robot.launcher.supervise as s\n"
        "s.STOP_SIGNALS = ((signal.SIGINT, 0.3), (signal.SIGTERM, 0.3), (signal.SIGKILL, 5.0))\nchildren = [",
    )
    monkeypatch.setitem(globals(), "MAIN", patched)
    run = start(f"a={STUBBORN}")
    until(lambda: "up" in run.text())
    (child,) = run.children()
    run.process.send_signal(signal.SIGTERM)
    run.wait()
    assert "does not end; SIGTERM" in run.text() and "does not end; SIGKILL" in run.text()
    assert not child.is_running()


def test_no_child_outlives_a_killed_supervisor(start: Callable[..., Run]) -> None:
    run = start(f"again1={STUBBORN}", f"again2={SLEEP}")
    until(lambda: run.text().count("up") == 2)
    children = run.children()
    run.process.kill()
    run.process.wait()
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


def test_a_wrong_command_line_stops_everything_with_2(start: Callable[..., Run]) -> None:
    run = start("again=import sys; print('rate_hz: out of range'); sys.exit(2)", f"b={SLEEP}")
    assert run.wait() == 2
    assert "again | rate_hz: out of range" in run.text()


def test_a_program_that_fails_for_good_gives_status_1(start: Callable[..., Run]) -> None:
    assert start("a=import sys; sys.exit(5)").wait() == 1
