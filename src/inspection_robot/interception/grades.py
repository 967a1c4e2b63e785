"""How good the evidence is that a subject is one that officers look for, and what the robot may do with it."""

from __future__ import annotations

from enum import StrEnum

NAME_THRESHOLD = 0.70
"""Score of a name that counts. On the labelled pairs one in four matches at this score is another person, hence a name
alone never justifies an intercept."""


class Grade(StrEnum):
    """Evidence grades; A is the best."""

    A = "A"
    """Exact hit of a document number or bag tag, or a measurement that its own rule calls an alarm."""
    B = "B"
    """Document number and birth date agree after repair."""
    C = "C"
    """Name at or above the threshold, with the birth date."""
    D = "D"
    """Name only."""
    E = "E"
    """Smell only."""


class Permission(StrEnum):
    """What the robot may do."""

    NOTIFY = "notify"
    ASK = "ask_to_approach"
    APPROACH = "approach_when_confirmed"


PERMISSIONS: dict[Grade, Permission] = {
    Grade.A: Permission.APPROACH,
    Grade.B: Permission.APPROACH,
    Grade.C: Permission.ASK,
    Grade.D: Permission.NOTIFY,
    Grade.E: Permission.NOTIFY,
}


def grade_of_hit(exact: bool, number_agrees: bool, birth_date_agrees: bool, name_score: float) -> Grade | None:
    """Grade of a watch-list hit.

    Args:
        exact: the document number, bag tag or container as read with every check holding is on the list.
        number_agrees: the number is on the list, but was read with repairs or without a check of its own.
        birth_date_agrees: so does the birth date of the same entry.
        name_score: calibrated probability of the name, 0 when no name was compared.
    """
    if exact:
        return Grade.A
    if number_agrees and birth_date_agrees:
        return Grade.B
    if name_score >= NAME_THRESHOLD:
        return Grade.C if birth_date_agrees else Grade.D
    return None
