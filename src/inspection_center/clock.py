"""Wall-clock times as the tables hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def text(moment: datetime) -> str:
    """RFC 3339 with microseconds and Z: orders like time."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def now_text(after: timedelta = timedelta()) -> str:
    """The present, or what lies `after` it, as text."""
    return text(now() + after)


def parse(moment: str) -> datetime:
    """A stored time."""
    return datetime.fromisoformat(moment)
