"""Scores of many cases at once, and what each score is made of.

A factor is worth v ∈ [0, 1]: the highest (or the sum, up to 1) of the points of those of its indicators that hold;
where none holds, the unknown share of its indicators times the value set for "unknown". The score is 100 Σ w v / Σ w,
so that each factor's contribution 100 w v / Σ w is exact and the contributions sum to the score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_center.expressions import Column, Expression
from inspection_center.risk.model import LEVELS, Fact, Level, RiskModel

FactValue = float | int | str | bool | None
Facts = Mapping[str, FactValue]
_LONGEST_TEXT = 200


class FactError(ValueError):
    """A fact that does not fit: of which case [0 …], which fact and why."""

    def __init__(self, index: int, fact: str, reason: str) -> None:
        self.index = index
        super().__init__(f"{fact}: {reason}")


@dataclass(frozen=True)
class Scores:
    """Scores of n cases by a model of f factors and r rules.

    Attributes:
        model: what scored.
        score: (n,) float64 [0 … 100].
        known: (n,) float64 [0 … 1], share of the weight of which the indicators' facts were known.
        values: (n, f) float64 [0 … 1].
        contributions: (n, f) float64, points of the score.
        holding: one (n, indicators) bool for each factor.
        rules: (n, r) bool in the order of `model.rules`.
        level: (n,) int64, index into LEVELS.
    """

    model: RiskModel
    score: NDArray[np.float64]
    known: NDArray[np.float64]
    values: NDArray[np.float64]
    contributions: NDArray[np.float64]
    holding: tuple[NDArray[np.bool_], ...]
    rules: NDArray[np.bool_]
    level: NDArray[np.int64]

    def level_of(self, index: int) -> Level:
        """What follows for a case."""
        return LEVELS[int(self.level[index])]

    def rules_of(self, index: int) -> tuple[str, ...]:
        """The rules that held for a case."""
        return tuple(rule.id for j, (rule, _) in enumerate(self.model.rules) if self.rules[index, j])

    def probability(self) -> NDArray[np.float64] | None:
        """(n,) probability of a failed inspection, where the model was calibrated on results."""
        calibration = self.model.data.calibration
        if calibration is None:
            return None
        return np.asarray(1 / (1 + np.exp(-calibration.intercept - calibration.slope * self.score / 100)))

    def contributions_of(self, index: int) -> list[dict[str, Any]]:
        """A case's factors, the heaviest contribution first, with the indicators that held."""
        rows = [
            {
                "factor": factor.id,
                "points": round(float(self.contributions[index, i]), 4),
                "value": round(float(self.values[index, i]), 4),
                "indicators": [
                    indicator.id for j, indicator in enumerate(factor.indicators) if self.holding[i][index, j]
                ],
            }
            for i, factor in enumerate(self.model.data.factors)
        ]
        return sorted(rows, key=lambda row: (-row["points"], row["factor"]))


def score(model: RiskModel, cases: Sequence[Facts]) -> Scores:
    """Score cases.

    Args:
        model: the model.
        cases: n mappings of facts; what is absent or None is not known.

    Raises:
        FactError: a case has a fact that the model does not have, or a value that does not fit.
    """
    n = len(cases)
    columns = read_columns(model.data.facts, cases)
    for name, expression in model.derived:
        columns[name] = _broadcast(expression.evaluate(columns), n)
    factors = model.data.factors
    values, known = np.empty((n, len(factors))), np.empty((n, len(factors)))
    holding = []
    for i, factor in enumerate(factors):
        holds, known_share = _evaluate_all(model.indicators[i], columns, n)
        points = holds * np.array([indicator.points for indicator in factor.indicators])
        reached = points.max(axis=1) if factor.combine == "highest" else np.minimum(points.sum(axis=1), 1.0)
        unknown = model.data.unknown if factor.unknown is None else factor.unknown
        values[:, i] = np.where(holds.any(axis=1), reached, unknown * (1 - known_share))
        known[:, i] = known_share
        holding.append(holds)
    weights = np.array([factor.weight for factor in factors])
    share = weights / weights.sum()
    contributions = 100 * values * share
    total = np.clip(contributions.sum(axis=1), 0.0, 100.0)
    fired = _fire(model, columns, values, total)
    return Scores(
        model, total, known @ share, values, contributions, tuple(holding), fired, _levels(model, total, fired)
    )


def read_columns(facts: Mapping[str, Fact], cases: Sequence[Facts]) -> dict[str, Column]:
    """Facts of many cases as columns.

    Raises:
        FactError: a case has a fact that is not declared, or a value that does not fit its declaration.
    """
    for index, case in enumerate(cases):
        if not case.keys() <= facts.keys():
            name = min(case.keys() - facts.keys())
            raise FactError(index, str(name)[:80], "there is no such fact in this model")
    return {name: _column(name, fact, [case.get(name) for case in cases]) for name, fact in facts.items()}


def _column(name: str, fact: Fact, values: list[FactValue]) -> Column:
    absent = {"number": math.nan, "text": "", "flag": False}[fact.type]
    known = np.fromiter((value is not None for value in values), np.bool_, len(values))
    wanted = {"number": (int, float), "text": (str,), "flag": (bool,)}[fact.type]
    if {type(value) for value in values} - {*wanted, type(None)}:
        place = next(i for i, value in enumerate(values) if value is not None and type(value) not in wanted)
        raise FactError(place, name, f"must be a {fact.type}, not {str(values[place])[:80]!r}")
    filled = [absent if value is None else value for value in values]
    if fact.type == "number":
        return _number_column(name, fact, filled, known)
    if fact.type == "flag":
        return Column(np.array(filled, dtype=np.bool_).reshape(len(values)), known)
    for text in {str(value) for value in filled}:
        if len(text) > _LONGEST_TEXT or "\x00" in text:
            raise FactError(filled.index(text), name, f"must have at most {_LONGEST_TEXT} characters, and no NUL")
        if fact.choices is not None and text not in fact.choices and text in (v for v in values if v is not None):
            raise FactError(filled.index(text), name, f"{text[:80]!r} is none of {', '.join(fact.choices)}")
    return Column(np.array(filled, dtype=np.str_).reshape(len(values)), known)


def _number_column(name: str, fact: Fact, filled: list[Any], known: NDArray[np.bool_]) -> Column:
    try:
        numbers = np.array(filled, dtype=np.float64).reshape(len(filled))
    except OverflowError as error:
        place = next(i for i, value in enumerate(filled) if abs(value) > 1e300)
        raise FactError(place, name, "is too large") from error
    low = -math.inf if fact.minimum is None else fact.minimum
    high = math.inf if fact.maximum is None else fact.maximum
    wrong = known & ~((numbers >= low) & (numbers <= high) & np.isfinite(numbers))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise FactError(place, name, f"{filled[place]} is not a number within {low:g} … {high:g}")
    return Column(numbers, known)


def _evaluate_all(
    expressions: Sequence[Expression], columns: Mapping[str, Column], n: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    holds = np.empty((n, len(expressions)), np.bool_)
    known_count = np.zeros(n)
    for j, expression in enumerate(expressions):
        column = expression.evaluate(columns)
        holds[:, j] = column.values & column.known
        known_count += column.known
    return holds, known_count / len(expressions)


def _fire(
    model: RiskModel, columns: dict[str, Column], values: NDArray[np.float64], total: NDArray[np.float64]
) -> NDArray[np.bool_]:
    n = len(total)
    always = np.ones(n, np.bool_)
    columns["score"] = Column(total, always)
    for i, factor in enumerate(model.data.factors):
        columns[f"factor.{factor.id}"] = Column(values[:, i], always)
    fired = np.zeros((n, len(model.rules)), np.bool_)
    for j, (rule, expression) in enumerate(model.rules):
        column = _broadcast(expression.evaluate(columns), n)
        columns[f"rule.{rule.id}"] = column
        fired[:, j] = column.values & column.known
    return fired


def _levels(model: RiskModel, total: NDArray[np.float64], fired: NDArray[np.bool_]) -> NDArray[np.int64]:
    levels = model.data.levels
    level = (total >= levels.draw).astype(np.int64) + (total >= levels.inspect)
    lowest, raised = level.copy(), np.zeros_like(level)
    for j, (rule, _) in enumerate(model.rules):
        if rule.lower_to is not None:
            lowest = np.where(fired[:, j], np.minimum(lowest, LEVELS.index(rule.lower_to)), lowest)
        elif rule.raise_to is not None:
            raised = np.where(fired[:, j], np.maximum(raised, LEVELS.index(rule.raise_to)), raised)
    # What a rule raises, no other rule lowers.
    return np.where(raised > 0, np.maximum(level, raised), lowest)


def _broadcast(column: Column, n: int) -> Column:
    return Column(np.broadcast_to(column.values, n), np.broadcast_to(column.known, n))
