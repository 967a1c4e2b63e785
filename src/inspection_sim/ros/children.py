"""Child processes of the simulator: forked, so that they have what it imported already.

They are forked before the simulator opens the middleware; each opens its own.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

STOP_S: Final = 3.0
PR_SET_PDEATHSIG: Final = 1
CONTEXT: Final = multiprocessing.get_context("fork")


class Child:
    """A function in a process of its own; it ends with SIGINT, and by SIGKILL when it does not listen or we die."""

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches it once, through us."""
        self._process = CONTEXT.Process(target=_begin, args=(os.getpid(), target, arguments), daemon=True)
        self._process.start()

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.is_alive()

    def stop(self) -> None:
        """End it."""
        if self.alive():
            os.kill(self._process.pid or 0, signal.SIGINT)
            self._process.join(STOP_S)
        if self.alive():
            self._process.kill()
        self._process.join()


def program(main: Callable[[], None], name: str, arguments: list[str]) -> Child:
    """Start a program's ``main`` as a child with its own command line."""
    return Child(_run, main, [name, *arguments])


def _run(main: Callable[[], None], command: list[str]) -> None:
    sys.argv = command
    main()


def _begin(parent: int, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        return
    target(*arguments)
