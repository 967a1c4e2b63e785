"""How long a declaration may stay in a state, and what of its inspection is late or was left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from inspection_center.declarations.states import State

ALLOWED: dict[State, timedelta] = {
    State.RECEIVED: timedelta(minutes=5),
    State.SCORED: timedelta(hours=8),
    State.IN_REVIEW: timedelta(hours=4),
    State.SELECTED: timedelta(hours=2),
    State.INSPECTED: timedelta(hours=2),
    State.HELD: timedelta(days=14),
    State.RELEASED: timedelta(days=3),
    State.RECALLED: timedelta(days=1),
}
"""The service promise of the port; while an order runs, its own time counts, and a follow-up has its own too."""
HELD = "held"
"""What an inspector says at the last step when the goods are not to be released as they are."""
Outcome = Literal["passed", "failed", "incomplete"]


@dataclass(frozen=True)
class Steps:
    """What the steps of an inspection come to."""

    done: int
    total: int
    skipped: tuple[str, ...]
    """Kinds of required steps that were skipped, or never begun although the order is finished."""
    failed: tuple[str, ...]
    """Kinds of steps that found something."""

    @property
    def outcome(self) -> Outcome:
        """Failed when anything was found; incomplete when something required was left out; else passed."""
        if self.failed:
            return "failed"
        return "incomplete" if self.skipped else "passed"


def look_at_steps(steps: Iterable[Mapping[str, Any]], finished: bool, optional: frozenset[str]) -> Steps:
    """Sum up the steps of an order.

    Args:
        steps: each with `kind`, `state` (open, done, skipped, failed) and perhaps `value`.
        finished: whether the order is over, so that an open step was left out.
        optional: kinds that may be left out, for steps that do not say so themselves (`required`).
    """
    found = list(steps)
    left_out = ("skipped", "open") if finished else ("skipped",)
    return Steps(
        done=sum(step["state"] in ("done", "failed") for step in found),
        total=len(found),
        skipped=tuple(
            str(step["kind"])
            for step in found
            if step["state"] in left_out and step.get("required", step["kind"] not in optional)
        ),
        failed=tuple(str(step["kind"]) for step in found if step["state"] == "failed" or step.get("value") == HELD),
    )


def overdue(due: str | None, now: str) -> bool:
    """Whether a time that was set is over."""
    return due is not None and due < now
