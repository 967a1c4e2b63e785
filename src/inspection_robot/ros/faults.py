"""What is wrong with a node: raised, counted, cleared. Pure; the node publishes and logs what comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

FIRST_SILENCE_S = 1.0
LONGEST_SILENCE_S = 60.0


class Severity(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    WARNING = 1
    ERROR = 2


@dataclass(frozen=True)
class Fault:
    """One fault. ``code`` is a stable dotted name (``thermal.camera_lost``), ``part`` the part of the node."""

    code: str
    severity: Severity
    part: str
    text: str
    active: bool = True
    count: int = 1


@dataclass(frozen=True)
class Report:
    """What to do about an occurrence: publish the fault, and log it unless it is being repeated."""

    fault: Fault
    publish: bool
    log: bool
    suppressed: int = 0
    """Occurrences not logged since the last logged one."""


@dataclass
class _Entry:
    fault: Fault
    silence_s: float
    next_log_s: float
    suppressed: int = 0


class FaultBook:
    """The faults of one node, by code. Thread-safe.

    A fault that keeps occurring is published when it appears, changes its text or severity, and clears; it is logged
    at its first occurrence and then after 1, 2, 4, … 60 s of silence, so that a broken sensor cannot fill the disk.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def occurred(self, code: str, severity: Severity, part: str, text: str) -> Report:
        """Note one occurrence."""
        now = self._clock()
        line = " ".join(text.split())
        with self._lock:
            entry = self._entries.get(code)
            if entry is None:
                fault = Fault(code, severity, part, line)
                self._entries[code] = _Entry(fault, FIRST_SILENCE_S, now + FIRST_SILENCE_S)
                return Report(fault, publish=True, log=True)
            old = entry.fault
            entry.fault = Fault(code, severity, part, line, active=True, count=old.count + 1)
            publish = not old.active or (old.text, old.severity) != (line, severity)
            log = now >= entry.next_log_s or severity > old.severity
            suppressed = entry.suppressed
            if log:
                entry.silence_s = min(entry.silence_s * 2, LONGEST_SILENCE_S)
                entry.next_log_s = now + entry.silence_s
                entry.suppressed = 0
            else:
                entry.suppressed += 1
            return Report(entry.fault, publish, log, suppressed)

    def cleared(self, code: str) -> Report | None:
        """Note that it works again; ``None`` when there was nothing to clear.

        The silence between log lines is kept, so that a fault that flickers does not log at every flicker.
        """
        with self._lock:
            entry = self._entries.get(code)
            if entry is None or not entry.fault.active:
                return None
            entry.fault = replace(entry.fault, active=False)
            return Report(entry.fault, publish=True, log=entry.suppressed == 0, suppressed=entry.suppressed)

    def active(self) -> list[Fault]:
        """Faults that are up, worst first, then by code."""
        with self._lock:
            faults = [entry.fault for entry in self._entries.values() if entry.fault.active]
        return sorted(faults, key=lambda fault: (-fault.severity, fault.code))
