"""Waiting between attempts: exponential with full jitter, so that a fleet does not come back all at once."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """How long to wait before the next attempt.

    Attributes:
        first_s: upper end of the first wait [s].
        maximum_s: upper end of every wait [s].
    """

    first_s: float = 0.2
    maximum_s: float = 5.0
    attempts: int = 0
    source: random.Random = field(default_factory=random.Random)

    def failed(self, advice_s: float = 0.0) -> float:
        """Seconds to wait after one more failure; never less than half the range, or what the other side advises."""
        span = min(self.maximum_s, self.first_s * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        return max(advice_s, self.source.uniform(0.5, 1.0) * span)

    def succeeded(self) -> None:
        """Begin anew."""
        self.attempts = 0
