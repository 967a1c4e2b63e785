"""Starts processes: programs by running them, our own nodes by forking a process that has imported them all.

Nodes share most of what they import. Imported once and forked, twelve nodes cost the imports of one process, in time
and in memory. Each is a process of its own all the same, with its own command line, environment and group.

- Children die with us (PR_SET_PDEATHSIG), so that `kill -9` of us leaves no robot without a head. Nodes are children of
  the fork server, which ends when we do; when somebody kills it, its nodes end too and all are started again.
- A node forked here runs no destructors of C++ libraries at its end; nothing of ours needs them.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Protocol

from setproctitle import setproctitle

LONGEST_LINE = 2**16
PR_SET_PDEATHSIG = 1
# First what starts threads of its own (tracing): they settle while the rest is imported.
_FIRST, _LAST = "rclpy.impl.implementation_singleton", "inspection_robot.launcher.preloaded"


@dataclass(frozen=True)
class EntryPoint:
    """A function that is a whole program: it reads ``sys.argv`` and returns at its end."""

    module: str
    function: str


@dataclass(frozen=True)
class Child:
    """A process to run.

    Attributes:
        name: for messages, and of its log file.
        command: program and arguments.
        entry: the same program as a function of ours; then it is forked.
        environment: the whole environment.
        respawn: start again when it ends.
        respawn_delay_s: pause before the first new start; grows while it keeps ending.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    respawn: bool = False
    respawn_delay_s: float = 1.0
    entry: EntryPoint | None = None


class Running(Protocol):
    """A process that was started. ``output`` is what it writes, errors too."""

    pid: int
    output: asyncio.StreamReader

    async def wait(self) -> int:
        """Its status; negative: the signal that ended it."""


class Starter:
    """Starts children; imports what the given ones need while the caller does other things."""

    def __init__(self, children: Iterable[Child]) -> None:
        forked = [child for child in children if child.entry is not None]
        modules = sorted({child.entry.module for child in forked if child.entry is not None})
        # One thread for all of multiprocessing: it is not made for several.
        self._thread = ThreadPoolExecutor(1, "fork server")
        self._context = multiprocessing.get_context("forkserver")
        if modules:
            # Some libraries read their environment when they are loaded.
            os.environ.update(set.intersection(*(set(child.environment.items()) for child in forked)))
            self._context.set_forkserver_preload([_FIRST, *modules, _LAST])
            forkserver.ensure_running()

    async def start(self, child: Child) -> Running:
        """Start a child.

        Raises:
            OSError: it cannot be started.
        """
        if child.entry is None:
            return await _run(child)
        return await self._fork(child, child.entry)

    async def _fork(self, child: Child, entry: EntryPoint) -> Running:
        loop = asyncio.get_running_loop()
        ours, theirs = self._context.Pipe(duplex=False)
        arguments = (entry, list(child.command), dict(child.environment), theirs)
        process = self._context.Process(target=_live, name=child.name, args=arguments)
        try:
            await loop.run_in_executor(self._thread, process.start)
            output = asyncio.StreamReader(LONGEST_LINE)
            pipe = os.fdopen(os.dup(ours.fileno()), "rb", 0)
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), pipe)
        except EOFError as error:  # the fork server ended while it was asked
            raise OSError(0, "the fork server ended") from error
        finally:
            ours.close()
            theirs.close()
        return _Forked(process.pid or 0, output, process, self._thread)


class _Forked:
    """A child of the fork server."""

    def __init__(
        self, pid: int, output: asyncio.StreamReader, process: multiprocessing.process.BaseProcess,
        thread: ThreadPoolExecutor,
    ) -> None:  # fmt: skip
        self.pid = pid
        self.output = output
        self._process = process
        self._thread = thread

    async def wait(self) -> int:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        await loop.run_in_executor(self._thread, self._process.join)
        status = self._process.exitcode
        self._process.close()
        return 1 if status is None else status


class _Program:
    """A child of ours."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self.pid = process.pid
        self.output = process.stdout
        self.wait = process.wait


async def _run(child: Child) -> Running:
    process = await asyncio.create_subprocess_exec(
        *child.command,
        env=dict(child.environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        process_group=0,
        preexec_fn=die_with(os.getpid()),
        limit=LONGEST_LINE,
    )
    return _Program(process)


def _live(entry: EntryPoint, command: list[str], environment: dict[str, str], output: Connection) -> None:
    """Be the node: runs in the forked process."""
    os.setpgid(0, 0)
    die_with(os.getppid())()
    # What `ps`, and health when it looks for a node that never spoke, go by; done while the environment is untouched.
    setproctitle(" ".join(command))
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output.fileno(), stream.fileno())
    output.close()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream, unless a test replaced it
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    getattr(importlib.import_module(entry.module), entry.function)()


def die_with(parent: int) -> Callable[[], None]:
    """Make what a child does first: ask the kernel to kill it when its parent dies."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask
