"""Separation of documents, goods and decision: who holds one duty about a declaration holds no conflicting one."""

from __future__ import annotations

from collections.abc import Iterable

from inspection_center.declarations.states import Duty
from inspection_center.problems import Conflict

EXCLUSIVE: tuple[frozenset[Duty], ...] = (
    frozenset({"documents", "goods"}),
    # Four eyes: what was found on site is judged by somebody else.
    frozenset({"goods", "decision"}),
    # Nobody sends himself.
    frozenset({"dispatch", "goods"}),
)


def check(duties: Iterable[tuple[Duty, str]], duty: Duty, person: str) -> None:
    """Refuse a duty to a person who already has one that excludes it.

    Args:
        duties: what people did about this declaration before: duty and person.
        duty: what the person is about to do.
        person: account name.

    Raises:
        Conflict: the person has a duty that excludes this one.
    """
    for held, holder in duties:
        if holder == person and held != duty and frozenset({held, duty}) in EXCLUSIVE:
            raise Conflict(f"{person} had the {held} of this declaration; somebody else must have the {duty}")
