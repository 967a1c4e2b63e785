"""A risk model as data: facts, factors with their indicators and weights, rules, levels. See config/risk/."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inspection_center.expressions import Expression, ExpressionError, Kind, compile_expression
from inspection_center.located_yaml import Located, Place, read_located

Level = Literal["release", "draw", "inspect"]
LEVELS: tuple[Level, ...] = ("release", "draw", "inspect")
"""Released on documents; takes part in the draw, weighted by risk; always inspected."""
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
_Text = Annotated[str, Field(min_length=1, max_length=300)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Titled(_Part):
    zh: _Text
    en: _Text

    def title(self, language: str) -> str:
        """The name in a language."""
        return self.zh if language == "zh" else self.en


class Title(_Titled):
    """A name in both languages."""


class Fact(_Titled):
    """Something that may be known about a case."""

    type: Kind
    unit: Annotated[str, Field(max_length=20)] = ""
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    choices: Annotated[tuple[_Text, ...], Field(min_length=1)] | None = None
    given_by: Literal["declaration", "company", "warnings"] = "declaration"
    """Who knows it: the declaration, the company's history at this center, or the warnings in force."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Fact:
        if self.choices is not None and self.type != "text":
            raise ValueError("only a text has choices")
        if (self.minimum is not None or self.maximum is not None) and self.type != "number":
            raise ValueError("only a number has a minimum or a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("the minimum is above the maximum")
        return self


class Derived(_Titled):
    """Something computed out of facts."""

    type: Literal["number", "flag"]
    value: _Text


class Indicator(_Titled):
    """A condition, and how much of its factor it makes up."""

    id: _Name
    when: _Text
    points: Annotated[float, Field(gt=0, le=1)]


class Factor(_Titled):
    """A side of the risk: the highest of its indicators, or their sum up to 1."""

    id: _Name
    group: _Name
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    source: Annotated[str, Field(max_length=300)] = ""
    combine: Literal["highest", "sum"] = "highest"
    unknown: Annotated[float, Field(ge=0, le=1)] | None = None
    indicators: Annotated[tuple[Indicator, ...], Field(min_length=1)]


class Rule(_Titled):
    """A decision that a condition alone makes: up, or down where no rule leads up."""

    id: _Name
    when: _Text
    raise_to: Literal["draw", "inspect"] | None = None
    lower_to: Literal["release", "draw"] | None = None

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Rule:
        if (self.raise_to is None) == (self.lower_to is None):
            raise ValueError("needs either raise_to or lower_to")
        return self


class Levels(_Part):
    """Scores [0 … 100] from which a case takes part in the draw, and from which it is always inspected."""

    draw: Annotated[float, Field(ge=0, le=100)]
    inspect: Annotated[float, Field(ge=0, le=100)]

    @model_validator(mode="after")
    def _in_order(self) -> Levels:
        if self.draw > self.inspect:
            raise ValueError("inspect must not lie below draw")
        return self


class Calibration(_Part):
    """Probability of a failed inspection at a score: 1 / (1 + exp(−intercept − slope × score / 100))."""

    intercept: Annotated[float, Field(allow_inf_nan=False)]
    slope: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    cases: Annotated[int, Field(ge=1)]


class ModelData(_Part):
    """A whole model file."""

    model: _Name
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    zh: _Text
    en: _Text
    unknown: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Value of a factor of which nothing is known, where the factor does not say otherwise."""
    levels: Levels
    calibration: Calibration | None = None
    groups: Annotated[dict[_Name, Title], Field(min_length=1)]
    facts: Annotated[dict[_Name, Fact], Field(min_length=1)]
    derived: dict[_Name, Derived] = {}
    factors: Annotated[tuple[Factor, ...], Field(min_length=1)]
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class RiskModel:
    """A model that was read, checked and compiled.

    `derived` and `rules` are in an order in which each needs only what stands before it.
    """

    data: ModelData
    text: str
    sha256: str
    derived: tuple[tuple[str, Expression], ...]
    indicators: tuple[tuple[Expression, ...], ...]
    rules: tuple[tuple[Rule, Expression], ...]

    @property
    def name(self) -> str:
        """Name and version as decisions are stored with: ships#1."""
        return f"{self.data.model}#{self.data.version}"


def read_model(text: str, name: str | Path) -> RiskModel:
    """Read, check and compile a model.

    Raises:
        InputError: the text names the line and what is wrong with it: a field, an unknown fact or factor, a cycle, a
            name twice, weights that sum to nothing, a fact that nothing uses.
    """
    located = read_located(text, name, ModelData)
    data = located.content
    _check_names(located)
    kinds: dict[str, Kind] = {fact_name: fact.type for fact_name, fact in data.facts.items()}
    derived_kinds: dict[str, Kind] = {derived_name: derived.type for derived_name, derived in data.derived.items()}
    derived = _ordered(
        located,
        {
            derived_name: _compile(
                located, ("derived", derived_name, "value"), item.value, {**kinds, **derived_kinds}, item.type
            )
            for derived_name, item in data.derived.items()
        },
        {derived_name: ("derived", derived_name) for derived_name in data.derived},
        "",
    )
    kinds |= derived_kinds
    indicators = tuple(
        tuple(
            _compile(located, ("factors", i, "indicators", j, "when"), indicator.when, kinds)
            for j, indicator in enumerate(factor.indicators)
        )
        for i, factor in enumerate(data.factors)
    )
    rules = _compile_rules(located, kinds)
    _check_use(located, [e for _, e in derived] + [e for row in indicators for e in row] + [e for _, e in rules])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return RiskModel(data, text, digest, derived, indicators, rules)


def read_model_file(path: Path) -> RiskModel:
    """Read a model file; see `read_model`.

    Raises:
        InputError: the file cannot be read, or the model is refused.
    """
    from inspection_contract.errors import InputError

    try:
        return read_model(path.read_text(encoding="utf-8"), path)
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8") from error


def _check_names(located: Located[ModelData]) -> None:
    data = located.content
    if sum(factor.weight for factor in data.factors) <= 0:
        raise located.fault(("factors",), "the weights sum to nothing")
    _check_once(located, [(("factors", i, "id"), factor.id) for i, factor in enumerate(data.factors)])
    _check_once(
        located,
        [
            (("factors", i, "indicators", j, "id"), indicator.id)
            for i, factor in enumerate(data.factors)
            for j, indicator in enumerate(factor.indicators)
        ],
    )
    _check_once(located, [(("rules", i, "id"), rule.id) for i, rule in enumerate(data.rules)])
    for name in data.derived:
        if name in data.facts:
            raise located.fault(("derived", name), "is the name of a fact")
    for name in (*data.facts, *data.derived):
        if name in ("score", "factor", "rule"):
            raise located.fault(
                ("facts", name) if name in data.facts else ("derived", name), "is a word of the language"
            )
    for i, factor in enumerate(data.factors):
        if factor.group not in data.groups:
            raise located.fault(("factors", i, "group"), f"there is no group {factor.group!r}")


def _check_once(located: Located[ModelData], names: list[tuple[Place, str]]) -> None:
    seen: dict[str, Place] = {}
    for place, name in names:
        if name in seen:
            raise located.fault(place, f"{name!r} stands already in line {located.line_of(seen[name])}")
        seen[name] = place


def _check_use(located: Located[ModelData], expressions: list[Expression]) -> None:
    used = frozenset[str]().union(*(expression.names for expression in expressions))
    for section, names in (("facts", located.content.facts), ("derived", located.content.derived)):
        for name in names:
            if name not in used:
                raise located.fault((section, name), "nothing uses it")


def _compile(
    located: Located[ModelData], place: Place, text: str, kinds: Mapping[str, Kind], wanted: Kind = "flag"
) -> Expression:
    try:
        return compile_expression(text, kinds, wanted)
    except ExpressionError as error:
        raise located.fault(place, str(error)) from error


def _compile_rules(located: Located[ModelData], kinds: Mapping[str, Kind]) -> tuple[tuple[Rule, Expression], ...]:
    """Rules may name facts, `score`, `factor.<id>` (0 … 1) and other rules, `rule.<id>`."""
    data = located.content
    known: dict[str, Kind] = {**kinds, "score": "number"}
    known |= {f"factor.{factor.id}": "number" for factor in data.factors}
    known |= {f"rule.{rule.id}": "flag" for rule in data.rules}
    compiled = {rule.id: _compile(located, ("rules", i, "when"), rule.when, known) for i, rule in enumerate(data.rules)}
    by_id = {rule.id: rule for rule in data.rules}
    places: dict[str, Place] = {rule.id: ("rules", i) for i, rule in enumerate(data.rules)}
    return tuple((by_id[rule_id], expression) for rule_id, expression in _ordered(located, compiled, places, "rule."))


def _ordered(
    located: Located[ModelData], expressions: Mapping[str, Expression], places: Mapping[str, Place], prefix: str
) -> tuple[tuple[str, Expression], ...]:
    """Expressions so ordered that each follows those it names.

    Raises:
        InputError: some name each other in a circle.
    """
    graph = {
        name: [other for other in expressions if f"{prefix}{other}" in expression.names]
        for name, expression in expressions.items()
    }
    try:
        return tuple((name, expressions[name]) for name in TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle: list[str] = error.args[1]
        raise located.fault(places[circle[0]], f"a cycle: {' → '.join(reversed(circle))}") from error
