"""What a draw chooses from: items with weights, and places that each take some of them.

One shape for every kind of draw: objects have one place that takes many; officers have a place for each object, which
takes a pair; berths, teams, zones and channels have a place for each ship, zone or vehicle, which takes one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inspection_center.draws.selection import ATTEMPTS, NoCompletion, select
from inspection_center.problems import Unfit

MAXIMUM_ITEMS = 50_000
MAXIMUM_PLACES = 5_000
LARGEST_WEIGHT = 10**9
_MOST_ATTEMPTS = ATTEMPTS // 4


@dataclass(frozen=True)
class Item:
    """Something that can be drawn.

    Attributes:
        label: what it is; hidden behind a salted digest unless the rule publishes it.
        weight: its chance relative to the others, 1 … 10⁹.
        always: taken with certainty (a rule, not chance, takes it).
        capacity: in how many places it may stand at most; 0: any number.
        classes: what coverage rules count.
    """

    label: dict[str, Any]
    weight: int = 1
    always: bool = False
    capacity: int = 0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bound:
    """At least or at most `count` items of a class."""

    name: str
    count: int


@dataclass(frozen=True)
class Place:
    """Where drawn items go: how many, which may (positions in the list of items; None: all), and coverage."""

    label: dict[str, Any]
    count: int
    candidates: tuple[int, ...] | None = None
    at_least: tuple[Bound, ...] = ()
    at_most: tuple[Bound, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A draw before its commitment; `notes` says who could not take part and why (for auditors)."""

    items: tuple[Item, ...]
    places: tuple[Place, ...]
    load_factor: int = 1
    notes: tuple[str, ...] = field(default=())


def check_plan(plan: Plan) -> None:
    """Refuse a plan that cannot be drawn.

    Raises:
        Unfit: an empty list, weights that sum to nothing, a place that cannot be filled; the text says which and why.
    """
    if not plan.items or not plan.places:
        raise Unfit(f"the list of {'places' if plan.items else 'items'} is empty")
    if len(plan.items) > MAXIMUM_ITEMS or len(plan.places) > MAXIMUM_PLACES:
        raise Unfit(f"more than {MAXIMUM_ITEMS} items or {MAXIMUM_PLACES} places")
    _check_weights(plan.items)
    for place in plan.places:
        _check_place(plan.items, place)
    _check_capacity(plan)
    if len(plan.places) == 1 and not plan.places[0].at_most:
        return  # One place without upper bounds can always be filled once there are enough of each class.
    # Whether all rules hold together is seen by trying, with a seed that is thrown away. Rules that leave a way only in
    # one attempt of many would let the real draw fail.
    try:
        trial = select(secrets.token_bytes(32), *as_entries(plan), plan.load_factor)
    except NoCompletion as error:
        raise Unfit(f"the rules leave no way to fill every place: {error}") from error
    if trial.attempt > _MOST_ATTEMPTS:
        raise Unfit(f"the rules are too tight: a trial filled every place only in attempt {trial.attempt}")


def as_entries(plan: Plan) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lists as they are committed to, without salts: leaves are positions."""
    return (
        [entry(item, f"{position:064x}") for position, item in enumerate(plan.items)],
        [place_entry(place, f"{position:064x}") for position, place in enumerate(plan.places)],
    )


def entry(item: Item, leaf: str) -> dict[str, Any]:
    """An item as the committed list holds it."""
    return {
        "leaf": leaf,
        "weight": item.weight,
        "always": item.always,
        "capacity": item.capacity,
        "classes": list(item.classes),
    }


def place_entry(place: Place, leaf: str) -> dict[str, Any]:
    """A place as the committed list holds it."""
    return {
        "leaf": leaf,
        "count": place.count,
        "candidates": None if place.candidates is None else list(place.candidates),
        "at_least": [{"class": bound.name, "count": bound.count} for bound in place.at_least],
        "at_most": [{"class": bound.name, "count": bound.count} for bound in place.at_most],
    }


def _check_weights(items: Sequence[Item]) -> None:
    if all(item.weight == 0 for item in items):
        raise Unfit("the weights sum to nothing")
    seen: dict[str, int] = {}
    for position, item in enumerate(items, 1):
        if not 1 <= item.weight <= LARGEST_WEIGHT:
            raise Unfit(f"item {position}: a weight must lie within 1 … {LARGEST_WEIGHT}")
        name = str(item.label.get("id", ""))
        if name in seen:
            raise Unfit(f"item {position}: {name[:80]!r} stands already at {seen[name]}")
        seen[name] = position


def _check_place(items: Sequence[Item], place: Place) -> None:
    able = items if place.candidates is None else [items[position] for position in place.candidates]
    name = str(place.label.get("id", ""))[:80]
    if place.count < 1:
        raise Unfit(f"{name}: nothing is to be drawn")
    if len(able) < place.count:
        raise Unfit(f"{name}: {place.count} are needed, {len(able)} can be drawn")
    for bound in place.at_least:
        there = sum(bound.name in item.classes for item in able)
        if there < bound.count:
            raise Unfit(f"{name}: {bound.count} of {bound.name!r} are needed, {there} can be drawn")


def _check_capacity(plan: Plan) -> None:
    if all(item.capacity for item in plan.items):
        room, wanted = sum(item.capacity for item in plan.items), sum(place.count for place in plan.places)
        if room < wanted:
            raise Unfit(f"{wanted} are needed in all places together, {room} can be given")
