"""The emergency stop: a lock on disk, so that no restart of any process releases it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Lock:
    """The lock's state: set or not, by whom, why, and when (UTC, ISO 8601)."""

    stopped: bool
    actor: str = ""
    reason: str = ""
    time: str = ""


class EmergencyStop:
    """The lock and its file.

    A file that cannot be read counts as stopped: who cannot tell whether it is safe does not move.

    Args:
        path: the file; its folder is made. A missing file is a robot that was never stopped.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = self._load()

    def set(self, actor: str, reason: str, time: str) -> None:
        """Stop: in memory at once, then on disk.

        Raises:
            OSError: when the file cannot be written; the lock is set all the same.
        """
        if not self.lock.stopped:
            self.lock = Lock(True, actor, reason, time)
        self._store(self.lock)

    def release(self, actor: str, reason: str, time: str) -> None:
        """Release: on disk first, then in memory.

        Raises:
            ValueError: when nobody answers for it.
            OSError: when the file cannot be written; the lock stays set.
        """
        if not actor.strip():
            raise ValueError("releasing the emergency stop needs the name of who answers for it")
        released = Lock(False, actor, reason, time)
        self._store(released)
        self.lock = released

    def _load(self) -> Lock:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(content["stopped"], bool):
                return Lock(**content)
            fault = "stopped is neither true nor false"
        except FileNotFoundError:
            return Lock(False)
        except (OSError, ValueError, TypeError, KeyError) as error:
            fault = str(error)
        return Lock(True, "robot", f"{self._path} cannot be read: {fault}")

    def _store(self, lock: Lock) -> None:
        """Write the file so that a power cut leaves the old or the new content, never half of one."""
        temporary = self._path.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(asdict(lock), file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
