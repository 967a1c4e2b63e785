"""Child processes of the demo: started with a log, stopped without leaving anything behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

_PR_SET_PDEATHSIG = 1
_STOP_SIGNALS = ((signal.SIGINT, 15.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))
_LOOK_AGAIN_S = 0.05


class ProcessError(Exception):
    """A child ended, or did not become ready; one line says which, why, and where its log lies."""


class Process:
    """One running child in a session of its own, so that Ctrl-C reaches it once: from us.

    Args:
        name: what it is called in messages.
        command: program and arguments.
        log: file that takes its output.
        environment: variables above ours.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=_die_with_parent,  # only a system call: nothing that a thread could hold locked
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until ``ready`` holds.

        Raises:
            ProcessError: it ended before, or the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise ProcessError(f"{self.name} ended with status {self._child.returncode}: {self.last_line()}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} is not ready after {timeout_s:.0f} s: {self.last_line()}")
            time.sleep(_LOOK_AGAIN_S)

    def last_line(self) -> str:
        """The last line it wrote, and where the rest is."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'no output'} (log: {self.log})"

    def stop(self) -> None:
        """End it and its children: SIGINT, then SIGTERM, then SIGKILL."""
        for number, patience_s in _STOP_SIGNALS:
            if not self.running:
                break
            with contextlib.suppress(ProcessLookupError):
                if number == signal.SIGKILL:
                    os.killpg(self._child.pid, number)
                else:
                    # A supervisor passes the signal on in its own order; the whole group at once would orphan that.
                    self._child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(patience_s)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
