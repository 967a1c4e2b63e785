"""Agreement of frames: what is read from a moving picture counts when enough frames say the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Reading = TypeVar("Reading")

NEEDED_WITHOUT_CHECK = 2


@dataclass(frozen=True)
class Agreed(Generic[Reading]):
    """A reading that enough frames agree on: the last of them, and how many agreed."""

    reading: Reading
    frames: int


@dataclass
class _Count(Generic[Reading]):
    reading: Reading
    frames: int
    last_s: float
    told: bool


@dataclass
class FrameVotes(Generic[Reading]):
    """Counts equal readings over frames and gives each out once, when it has enough votes.

    Attributes:
        window_s: readings further apart than this are not of the same sight [s].
        repeat_s: a reading seen again after this long unseen is given out again [s].
        limit: at most so many different readings are remembered; the longest unseen is forgotten.
    """

    window_s: float = 3.0
    repeat_s: float = 30.0
    limit: int = 500
    _counts: dict[str, _Count[Reading]] = field(default_factory=dict)

    def add(self, key: str, reading: Reading, needed: int, now_s: float) -> Agreed[Reading] | None:
        """Count one frame's reading.

        Args:
            key: what makes two readings equal.
            reading: the reading, given back when it is agreed.
            needed: how many frames must agree.
            now_s: time of the frame, on any clock that does not go back [s].

        Returns:
            The agreed reading the first time it has enough votes, else nothing.
        """
        known = self._counts.get(key)
        if known is None or now_s < known.last_s or now_s - known.last_s > self.window_s:
            told = known is not None and known.told and 0.0 <= now_s - known.last_s <= self.repeat_s
            known = self._counts[key] = _Count(reading, 0, now_s, told)
        known.reading, known.frames, known.last_s = reading, known.frames + 1, now_s
        if len(self._counts) > self.limit:
            del self._counts[min(self._counts, key=lambda other: self._counts[other].last_s)]
        if known.told or known.frames < needed:
            return None
        known.told = True
        return Agreed(reading, known.frames)
