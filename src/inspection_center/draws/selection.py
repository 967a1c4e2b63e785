"""The selection: an exponential race on HMAC(seed, item), the same for every kind of draw.

Every candidate of a place runs for a time t = −ln(u) · loadˢ / w with u = (2n + 1) / 2⁶⁵, n the first 64 bits of
HMAC-SHA-256(seed, "attempt|place|item"), w its weight and s the number of places it has already got in this draw: the
first is drawn with a probability of exactly w / Σ w (Efraimidis and Spirakis, Information Processing Letters 97,
2006). Times are decimals of 28 digits whose logarithm is correctly rounded, so that every computer finds the same
order.

`draws/verify_draw.py` computes the same anew, without this module.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

ATTEMPTS = 100
"""A draw whose rules led into a dead end begins again with the next attempt's numbers."""
_CONTEXT = Context(prec=28)
_RANGE = Decimal(2**65)


class NoCompletion(Exception):  # noqa: N818 - not a fault of the program
    """No attempt filled every place; the text names the place that was left in the last one."""


@dataclass(frozen=True)
class Selection:
    """What was drawn: `chosen[place]` are positions in the list of items, in the order they were drawn."""

    attempt: int
    chosen: tuple[tuple[int, ...], ...]


def select(
    seed: bytes, items: Sequence[Mapping[str, Any]], places: Sequence[Mapping[str, Any]], load_factor: int
) -> Selection:
    """Fill every place.

    Args:
        seed: 32 bytes.
        items: entries of the committed list (see `plan.entry`).
        places: entries of the committed list (see `plan.place_entry`).
        load_factor: by how much an item's time grows with each place it has got.

    Raises:
        NoCompletion: the rules left no way in any attempt.
    """
    short = ""
    for attempt in range(1, ATTEMPTS + 1):
        used = [0] * len(items)
        chosen: list[tuple[int, ...]] = []
        for number, place in enumerate(places):
            drawn = _fill(seed, attempt, items, place, used, load_factor)
            if drawn is None:
                short = f"place {number + 1} of {len(places)} stayed short"
                break
            for position in drawn:
                used[position] += 1
            chosen.append(drawn)
        if len(chosen) == len(places):
            return Selection(attempt, tuple(chosen))
    raise NoCompletion(f"{short} in {ATTEMPTS} attempts")


def race_time(seed: bytes, attempt: int, place: str, item: str, weight: int, handicap: int) -> Decimal:
    """The time an item runs; the shortest wins."""
    digest = hmac.digest(seed, f"{attempt}|{place}|{item}".encode(), "sha256")
    share = _CONTEXT.divide(Decimal(2 * int.from_bytes(digest[:8], "big") + 1), _RANGE)
    return _CONTEXT.divide(_CONTEXT.multiply(_CONTEXT.ln(share).copy_negate(), Decimal(handicap)), Decimal(weight))


def _fill(
    seed: bytes,
    attempt: int,
    items: Sequence[Mapping[str, Any]],
    place: Mapping[str, Any],
    used: list[int],
    load_factor: int,
) -> tuple[int, ...] | None:
    candidates = range(len(items)) if place["candidates"] is None else place["candidates"]
    free = [c for c in candidates if items[c]["capacity"] == 0 or used[c] < items[c]["capacity"]]
    times = {
        c: race_time(seed, attempt, place["leaf"], items[c]["leaf"], items[c]["weight"], load_factor ** used[c])
        for c in free
    }
    order = sorted(free, key=lambda c: (times[c], items[c]["leaf"]))
    drawn = [c for c in order if items[c]["always"]]

    def allowed(candidate: int) -> bool:
        return all(
            bound["class"] not in items[candidate]["classes"]
            or sum(bound["class"] in items[d]["classes"] for d in drawn) < bound["count"]
            for bound in place["at_most"]
        )

    taken = set(drawn)
    for bound in place["at_least"]:
        missing = bound["count"] - sum(bound["class"] in items[d]["classes"] for d in drawn)
        for candidate in order:
            if missing <= 0:
                break
            if candidate not in taken and bound["class"] in items[candidate]["classes"] and allowed(candidate):
                drawn.append(candidate)
                taken.add(candidate)
                missing -= 1
        if missing > 0:
            return None
    for candidate in order:
        if len(drawn) >= place["count"]:
            break
        if candidate not in taken and allowed(candidate):
            drawn.append(candidate)
            taken.add(candidate)
    return tuple(drawn) if len(drawn) >= place["count"] else None
