"""What rules remember between batches: the latest event of each key, the last few of each key. Bounded, and saved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inspection_center.supervision.columns import Hashes, Integers, Mask, Selected

Arrays = dict[str, NDArray[np.generic]]
MAXIMUM_ENTRIES = 2_000_000
_SLACK = 1024
LATEST_US = 3 * 86_400_000_000
"""How late an event may come and still find what belongs to it remembered: three days."""


class LatestByKey:
    """The latest event of each key, for as long as it can still matter.

    Attributes:
        horizon_us: what is older than this may have been forgotten for want of room: its absence says nothing.
    """

    def __init__(self, extras: int = 0, maximum: int = MAXIMUM_ENTRIES) -> None:
        self.key: Hashes = np.empty(0, np.uint64)
        self.time_us: Integers = np.empty(0, np.int64)
        self.number: Integers = np.empty(0, np.int64)
        self.extra: Hashes = np.empty((0, extras), np.uint64)
        self.horizon_us = np.iinfo(np.int64).min
        self._maximum = maximum
        self._after_expiry = 0

    def find(self, keys: Hashes) -> tuple[Integers, Mask]:
        """Positions of keys, and which of them are there; both shape (n,)."""
        if not len(self.key):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        places = np.minimum(np.searchsorted(self.key, keys), len(self.key) - 1)
        return places, self.key[places] == keys

    def put(self, events: Selected, forget_before_us: int) -> None:
        """Take in events in their order; what is older than `forget_before_us` by `LATEST_US` can go."""
        if not len(events.key):
            return
        order = np.lexsort((np.arange(len(events.key)), events.key))
        last = order[np.append(events.key[order][1:] != events.key[order][:-1], True)]
        places, known = self.find(events.key[last])
        old, new = places[known], last[~known]
        self.time_us[old] = events.time_us[last[known]]
        self.number[old] = events.number[last[known]]
        self.extra[old] = events.extra[last[known]]
        if len(new):
            at = np.searchsorted(self.key, events.key[new])
            self.key = np.insert(self.key, at, events.key[new])
            self.time_us = np.insert(self.time_us, at, events.time_us[new])
            self.number = np.insert(self.number, at, events.number[new])
            self.extra = np.insert(self.extra, at, events.extra[new], axis=0)
        if len(self.key) > 2 * self._after_expiry + _SLACK:
            self._keep(self.time_us >= forget_before_us - LATEST_US)
            if len(self.key) > self._maximum:
                oldest_kept = np.partition(self.time_us, -self._maximum)[-self._maximum]
                self.horizon_us = int(oldest_kept)
                self._keep(self.time_us > oldest_kept)
            self._after_expiry = len(self.key)

    def _keep(self, kept: Mask) -> None:
        self.key, self.time_us, self.number, self.extra = (
            self.key[kept], self.time_us[kept], self.number[kept], self.extra[kept],
        )  # fmt: skip

    def arrays(self, name: str) -> Arrays:
        """Everything, to be saved."""
        return {
            f"{name}.key": self.key,
            f"{name}.time": self.time_us,
            f"{name}.number": self.number,
            f"{name}.extra": self.extra,
            f"{name}.horizon": np.array([self.horizon_us], np.int64),
        }

    def restore(self, name: str, arrays: Arrays) -> None:
        """Take back what `arrays` gave."""
        self.key = arrays[f"{name}.key"].astype(np.uint64)
        self.time_us = arrays[f"{name}.time"].astype(np.int64)
        self.number = arrays[f"{name}.number"].astype(np.int64)
        self.extra = arrays[f"{name}.extra"].astype(np.uint64)
        self.horizon_us = int(arrays[f"{name}.horizon"].astype(np.int64)[0])
        self._after_expiry = len(self.key)


class PlainEvents:
    """A list of events without order, as columns."""

    def __init__(self) -> None:
        self.key: Hashes = np.empty(0, np.uint64)
        self.time_us: Integers = np.empty(0, np.int64)
        self.counted_us: Integers = np.empty(0, np.int64)
        self.number: Integers = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.key)

    def keep(self, kept: Mask) -> None:
        """Forget the others."""
        self.key, self.time_us = self.key[kept], self.time_us[kept]
        self.counted_us, self.number = self.counted_us[kept], self.number[kept]

    def add(self, key: Hashes, time_us: Integers, counted_us: Integers, number: Integers) -> None:
        """Take in more."""
        self.key = np.concatenate((self.key, key))
        self.time_us = np.concatenate((self.time_us, time_us))
        self.counted_us = np.concatenate((self.counted_us, counted_us))
        self.number = np.concatenate((self.number, number))

    def arrays(self, name: str) -> Arrays:
        """Everything, to be saved."""
        return {
            f"{name}.key": self.key,
            f"{name}.time": self.time_us,
            f"{name}.counted": self.counted_us,
            f"{name}.number": self.number,
        }

    def restore(self, name: str, arrays: Arrays) -> None:
        """Take back what `arrays` gave."""
        self.key = arrays[f"{name}.key"].astype(np.uint64)
        self.time_us = arrays[f"{name}.time"].astype(np.int64)
        self.counted_us = arrays[f"{name}.counted"].astype(np.int64)
        self.number = arrays[f"{name}.number"].astype(np.int64)


def latest_before(earlier: Selected, later: Selected, memory: LatestByKey) -> tuple[Integers, Integers, Hashes, Mask]:
    """For each later event, the one of the earlier kind that came last before it with the same key.

    Returns:
        Time, number and extras of the earlier event, and whether there is one; shapes (n,), (n,), (n, extras), (n,).
    """
    count, ahead = len(later.key), len(earlier.key)
    places, known = memory.find(later.key)
    time = np.zeros(count, np.int64)
    number = np.zeros(count, np.int64)
    extra = np.zeros((count, earlier.extra.shape[1]), np.uint64)
    time[known], number[known], extra[known] = (
        memory.time_us[places[known]], memory.number[places[known]], memory.extra[places[known]],
    )  # fmt: skip
    if ahead and count:
        key = np.concatenate((earlier.key, later.key))
        is_earlier = np.arange(ahead + count) < ahead
        # An event that is both is not its own predecessor: as the later one it stands before itself.
        order = np.lexsort(
            (is_earlier, np.concatenate((earlier.number, later.number)),
             np.concatenate((earlier.counted_us, later.counted_us)), key)
        )  # fmt: skip
        latest = np.maximum.accumulate(np.where(is_earlier[order], np.arange(len(order)), -1))
        candidate = order[np.maximum(latest, 0)]
        fits = (latest >= 0) & (key[candidate] == key[order]) & ~is_earlier[order]
        which, found = order[fits] - ahead, candidate[fits]
        time[which], number[which], extra[which] = earlier.time_us[found], earlier.number[found], earlier.extra[found]
        known[which] = True
    return time, number, extra, known
