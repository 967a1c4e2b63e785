"""What another version of a model would have decided on past cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inspection_center.risk.model import LEVELS, RiskModel
from inspection_center.risk.scoring import FactError, Facts, read_columns, score


@dataclass(frozen=True)
class Change:
    """A case that would have been decided otherwise."""

    case: int
    reference: str
    before: str
    after: str
    score_before: float
    score_after: float
    outcome: str


@dataclass(frozen=True)
class Comparison:
    """Two versions over the same cases.

    Attributes:
        compared: cases both versions scored.
        refused: cases whose facts the new version does not take, with the reason.
        moves: how many cases went from one level to another, by (before, after).
        changes: the cases whose level changes, those whose score moves most first.
        caught: failed inspections by level (before, after), where results are known.
    """

    compared: int
    refused: dict[int, str]
    moves: dict[tuple[str, str], int]
    changes: list[Change]
    caught: dict[str, tuple[int, int]]


def compare(
    old: RiskModel,
    new: RiskModel,
    cases: Sequence[tuple[int, str, Facts, str]],
) -> Comparison:
    """Decide past cases by both versions.

    Args:
        old: the version in force.
        new: the proposed one.
        cases: (case, reference, facts, outcome "passed", "failed" or "") each.
    """
    taken, refused = [], dict[int, str]()
    for case in cases:
        try:
            read_columns(new.data.facts, [_known(new, case[2])])
            taken.append(case)
        except FactError as error:
            refused[case[0]] = str(error)
    if not taken:
        return Comparison(0, refused, {}, [], {})
    before = score(old, [_known(old, case[2]) for case in taken])
    after = score(new, [_known(new, case[2]) for case in taken])
    moves: dict[tuple[str, str], int] = {}
    changes = []
    for index, (number, reference, _, outcome) in enumerate(taken):
        pair = (before.level_of(index), after.level_of(index))
        moves[pair] = moves.get(pair, 0) + 1
        if pair[0] != pair[1]:
            scores = (float(before.score[index]), float(after.score[index]))
            changes.append(Change(number, reference, *pair, *scores, outcome))
    failed = np.array([case[3] == "failed" for case in taken])
    caught: dict[str, tuple[int, int]] = {
        level: (int((failed & (before.level == i)).sum()), int((failed & (after.level == i)).sum()))
        for i, level in enumerate(LEVELS)
    }
    changes.sort(key=lambda change: -abs(change.score_after - change.score_before))
    return Comparison(len(taken), refused, moves, changes, caught)


def _known(model: RiskModel, facts: Facts) -> Mapping[str, float | int | str | bool | None]:
    """The facts a version has: versions may differ in what they ask for."""
    return {name: value for name, value in facts.items() if name in model.data.facts}
