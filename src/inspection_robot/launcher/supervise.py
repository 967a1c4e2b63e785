"""Runs the processes of a plan: starts them, starts them again, stops them, and leaves none behind.

- Each child has a process group of its own: Ctrl-C in the terminal reaches only us, so children hear it once.
- Stopping: SIGINT to all, after a while SIGTERM, then SIGKILL, and we end only when all of them have.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from inspection_robot.backoff import Backoff
from inspection_robot.launcher.starting import Child, Running, Starter

STOP_SIGNALS = ((signal.SIGINT, 8.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))
LONGEST_PAUSE_S = 30.0
LIVED_S = 30.0
"""A process that ran this long starts again after the first pause, not after a grown one."""
USAGE_STATUS = 2
"""Exit status for a wrong parameter or command line: starting again cannot help."""


class Supervisor:
    """Runs children until stopped.

    Args:
        children: what to run.
        log_folder: takes one ``<name>.log`` of each.
        tell: called with each line to show.
    """

    def __init__(self, children: Sequence[Child], log_folder: Path, tell: Callable[[str], None]) -> None:
        self._children = children
        self._log_folder = log_folder
        self._tell = tell
        self._width = max((len(child.name) for child in children), default=0)
        self._starter = Starter(children)
        self._running: dict[str, Running] = {}
        self._stopping = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Run until :meth:`stop`, until every child has ended for good, or until one exits with status 2.

        Returns:
            0, or 2 when a child exited with 2, or 1 when one that is not started again failed.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        self._log_folder.mkdir(parents=True, exist_ok=True)
        keepers = [asyncio.create_task(self._keep(child), name=child.name) for child in self._children]
        ending = asyncio.create_task(self._stopping.wait())
        everybody = asyncio.ensure_future(asyncio.wait(keepers))
        await asyncio.wait((ending, everybody), return_when=asyncio.FIRST_COMPLETED)
        self.stop()
        await self._end_all()
        await asyncio.gather(*keepers)
        return self._status

    def stop(self) -> None:
        """Ask everything to end."""
        self._stopping.set()

    async def _keep(self, child: Child) -> None:
        """Run one child, again and again if wanted."""
        backoff = Backoff(max(child.respawn_delay_s, 0.1), LONGEST_PAUSE_S)
        while not self._stopping.is_set():
            started_s = time.monotonic()
            status = await self._once(child)
            if self._stopping.is_set():
                return
            if status == USAGE_STATUS:
                self._say(child, "ended with status 2: see its last line; stopping everything")
                self._status = USAGE_STATUS
                self.stop()
                return
            if not child.respawn:
                self._say(child, f"ended {_described(status)}")
                self._status = self._status or (1 if status else 0)
                return
            if time.monotonic() - started_s > LIVED_S:
                backoff.succeeded()
            pause_s = backoff.failed()
            self._say(child, f"ended {_described(status)}; starting it again in {pause_s:.1f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    async def _once(self, child: Child) -> int:
        """Run one child once and return its status (negative: the signal that ended it)."""
        try:
            process = await self._starter.start(child)
        except OSError as error:
            self._say(child, f"cannot be started: {error.strerror}")
            return 1
        self._running[child.name] = process
        if self._stopping.is_set():
            self._signal(process, STOP_SIGNALS[0][0])  # it was started while the others were being stopped
        try:
            await self._copy(child, process)
            return await process.wait()
        finally:
            del self._running[child.name]

    async def _copy(self, child: Child, process: Running) -> None:
        """Copy the child's lines to its log and to us, until it closes its output."""
        with (self._log_folder / f"{child.name}.log").open("ab") as log:
            while True:
                try:
                    line = await process.output.readuntil(b"\n")
                except asyncio.IncompleteReadError as rest:
                    line = rest.partial
                except asyncio.LimitOverrunError as error:
                    line = await process.output.readexactly(error.consumed)
                if not line:
                    return
                log.write(line)
                log.flush()
                self._say(child, line.decode("utf-8", "replace").rstrip())

    async def _end_all(self) -> None:
        for number, patience_s in STOP_SIGNALS:
            deadline = time.monotonic() + patience_s
            for name, process in list(self._running.items()):
                if number is not signal.SIGINT:
                    self._tell(f"{name:{self._width}} | does not end; {signal.Signals(number).name}")
                self._signal(process, number)
            while self._running and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            if not self._running:
                return

    @staticmethod
    def _signal(process: Running, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _say(self, child: Child, line: str) -> None:
        self._tell(f"{child.name:{self._width}} | {line}")


def _described(status: int) -> str:
    if status < 0:
        return f"by {signal.Signals(-status).name}"
    return f"with status {status}"


def show(line: str) -> None:
    """Print a line; a closed terminal does not stop the robot."""
    with contextlib.suppress(BrokenPipeError, OSError):
        print(line, flush=True)
        return
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open until the end
