"""A run at the reference-odor dock: present each odor in turn, collect what the board feels, refit. Without ROS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inspection_robot.odor.recalibration import Sniff
from inspection_robot.odor.recognition import Sniffs

Floats = NDArray[np.float64]


class Outcome(StrEnum):
    """How a run ended; also keys of ``report`` in ``config/text/*/odor.yaml``."""

    COMPLETE = "complete"
    CANCELLED = "cancelled"
    NO_BOARD = "no_board"
    NO_SMELL = "no_smell"


@dataclass(frozen=True)
class DockAccess:
    """What a run needs of the world.

    Attributes:
        present: asks the dock for a reference odor, "" for clean air.
        wait: waits so many seconds [s]; False when the run shall end.
        ready: whether the board is to be believed now.
        features: describes the exposure that is going on (F,); None when nothing smells.
        progress: is told each sniff before it starts, and the share of the run that is done.
    """

    present: Callable[[str], None]
    wait: Callable[[float], bool]
    ready: Callable[[], bool]
    features: Callable[[], Floats | None]
    progress: Callable[[Sniff, float], None]


@dataclass(frozen=True)
class DockRun:
    """Result of a run: labelled sniffs when complete, else the reference at which it ended."""

    outcome: Outcome
    sniffs: Sniffs | None
    reference: str


def run_schedule(plan: Sequence[Sniff], access: DockAccess) -> DockRun:
    """Sniff every reference of the plan; the dock is left with clean air however it ends."""
    rows: list[Floats] = []
    try:
        for done, sniff in enumerate(plan):
            access.progress(sniff, done / len(plan))
            if not access.ready():
                return DockRun(Outcome.NO_BOARD, None, sniff.reference)
            access.present("")
            if not access.wait(sniff.flush_s):
                return DockRun(Outcome.CANCELLED, None, sniff.reference)
            access.present(sniff.reference)
            if not access.wait(sniff.expose_s):
                return DockRun(Outcome.CANCELLED, None, sniff.reference)
            features = access.features()
            if features is None:
                return DockRun(Outcome.NO_SMELL, None, sniff.reference)
            rows.append(features)
    finally:
        access.present("")
    return DockRun(Outcome.COMPLETE, Sniffs(np.stack(rows), np.array([sniff.reference for sniff in plan])), "")
