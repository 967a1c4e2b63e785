"""How often the public may ask: token buckets by address and by number, a bounded number of them."""

from __future__ import annotations

from collections import OrderedDict

_REMEMBERED = 50_000


class RateLimit:
    """At most so many deeds of one kind in a window from one key (token bucket)."""

    def __init__(self, attempts: int, window_s: float) -> None:
        self._attempts = float(attempts)
        self._rate = attempts / window_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, key: str, now_s: float) -> bool:
        """Count a deed; False when it is one too many."""
        tokens, last = self._buckets.pop(key, (self._attempts, now_s))
        tokens = min(self._attempts, tokens + (now_s - last) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if allowed else tokens, now_s)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return allowed


class PublicLimits:
    """All limits of one instance. Numbers are limited whether they exist or not."""

    def __init__(self) -> None:
        self.by_address = RateLimit(30, 60.0)
        self.sums_by_address = RateLimit(6, 60.0)
        """A sum is easier for a program than work is: it may be used less often."""
        self.pages_by_address = RateLimit(240, 60.0)
        self.by_registration = RateLimit(60, 3600.0)
        self.by_declaration = RateLimit(20, 3600.0)
