"""Stand-in nodes as child processes of the simulator."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Final

STOP_S: Final = 3.0


class Child:
    """A module run as a process of its own; it ends with SIGINT, and by SIGKILL when it does not listen."""

    def __init__(self, module: str, arguments: list[str]) -> None:
        """Start it in a process group of its own, so that Ctrl-C reaches it once, through us."""
        self._process = subprocess.Popen([sys.executable, "-m", module, *arguments], start_new_session=True)

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it."""
        if self.alive():
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
