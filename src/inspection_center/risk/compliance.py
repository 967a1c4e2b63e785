"""A company's compliance history: how often it was inspected, how often it failed, and the grade that follows.

The failure rate is the mean of a beta distribution that starts from the average of all companies with the weight of a
few inspections, so that one failure of one inspection is not a rate of 100 %, and none of two not one of 0 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Grade = Literal["A", "B", "C", "D", "new"]
YEARS = 3
RECENT_DAYS = 90
_PRIOR_WEIGHT = 4.0
_AVERAGE_RATE = 0.05
_SEEN_ENOUGH = 3


@dataclass(frozen=True)
class History:
    """Results of a company's inspections within three years."""

    inspections: int
    failures: int
    recent_failures: int

    @property
    def failure_rate(self) -> float:
        """Posterior mean of the failure rate [0 … 1]."""
        return (self.failures + _PRIOR_WEIGHT * _AVERAGE_RATE) / (self.inspections + _PRIOR_WEIGHT)

    @property
    def grade(self) -> Grade:
        """A: many inspections without failure … D: fails often, or failed twice lately."""
        if self.inspections < _SEEN_ENOUGH:
            return "D" if self.recent_failures >= 2 else "new"
        if self.failure_rate >= 0.25 or self.recent_failures >= 2:
            return "D"
        if self.failure_rate >= 0.1 or self.recent_failures:
            return "C"
        return "A" if self.failure_rate <= 0.02 else "B"

    def facts(self) -> dict[str, float | str]:
        """What the models are told."""
        return {
            "company_inspections": float(self.inspections),
            "company_failure_rate": self.failure_rate,
            "company_recent_failures": float(self.recent_failures),
            "company_grade": self.grade,
        }


def history_of(results: Sequence[tuple[bool, float]]) -> History:
    """History out of results: (failed, days ago) of each inspection."""
    counted = [(failed, days) for failed, days in results if days <= YEARS * 365.25]
    return History(
        len(counted),
        sum(failed for failed, _ in counted),
        sum(failed and days <= RECENT_DAYS for failed, days in counted),
    )
