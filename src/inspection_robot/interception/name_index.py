"""Find the likeliest names of a long list quickly: an inverted index narrows it down, the matcher decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.interception.names import Name, Weights, match_probability, prepare, skeleton


@dataclass(frozen=True)
class Candidate:
    """A name of the list and the probability that it is the one asked for; `position` counts from 0."""

    position: int
    probability: float


class NameIndex:
    """Names of a list, ready to be searched.

    A name's keys are the trigrams of its tokens and of their sounds, in every rendition. Each key counts by how rare
    it is in the list (inverse document frequency, Spärck Jones 1972); names that share most are compared in full.

    Args:
        names: as written in the list.
        weights: of the matcher; the shipped ones when not given.
    """

    def __init__(self, names: Sequence[str], weights: Weights | None = None) -> None:
        self._names = list(names)
        self._weights = weights
        numbers: dict[str, int] = {}
        key_numbers: list[int] = []
        owners: list[int] = []
        norms = np.zeros(len(self._names), np.float32)
        for position, text in enumerate(self._names):
            keys = _keys(prepare.__wrapped__(text))
            norms[position] = len(keys)
            for key in keys:
                key_numbers.append(numbers.setdefault(key, len(numbers)))
                owners.append(position)
        order = np.argsort(np.array(key_numbers, np.int64), kind="stable")
        self._numbers = numbers
        self._owners: NDArray[np.int32] = np.array(owners, np.int32)[order]
        counts = np.bincount(np.array(key_numbers, np.int64), minlength=len(numbers))
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._rarity = np.log1p(len(self._names) / np.maximum(counts, 1)).astype(np.float32)
        self._norms = np.sqrt(np.maximum(norms, 1.0))

    def __len__(self) -> int:
        return len(self._names)

    def search(self, query: str, limit: int = 10, compare: int = 40) -> list[Candidate]:
        """The likeliest names, most probable first.

        Args:
            query: a name in any script and order.
            limit: at most so many.
            compare: how many names of the narrowed list are compared in full.
        """
        name = prepare(query)
        if not self._names or not name.renditions:
            return []
        known = [self._numbers[key] for key in _keys(name) if key in self._numbers]
        if not known:
            return []
        shared = np.zeros(len(self._names), np.float32)
        for number in known:
            shared[self._owners[self._starts[number] : self._starts[number + 1]]] += self._rarity[number]
        shared /= self._norms
        count = min(compare, len(self._names))
        nearest = np.argpartition(-shared, count - 1)[:count]
        found = [
            Candidate(int(position), match_probability(name, prepare(self._names[position]), self._weights))
            for position in nearest
            if shared[position] > 0
        ]
        return sorted(found, key=lambda candidate: (-candidate.probability, candidate.position))[:limit]


def _keys(name: Name) -> set[str]:
    keys: set[str] = set()
    for tokens in name.renditions:
        for token in tokens:
            padded = f"^{token}$"
            keys.update(padded[i : i + 3] for i in range(max(1, len(padded) - 2)))
            keys.add(f"~{skeleton(token)}")
    return keys
