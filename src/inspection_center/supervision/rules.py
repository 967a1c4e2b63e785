"""Risk points as data: what is looked for in the stream of events, how grave it is, who looks after it, until when."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from inspection_center.supervision.events import COMMON_FIELDS

DERIVED_FIELDS: dict[str, str] = {"type": "text", "hour": "number", "weekday": "number"}
"""Fields every event has beside its own: its type; from its time, in the port's time zone, the hour of the day [0, 24)
and the weekday (0 is Monday)."""
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(s|min|h|d)")
_UNIT_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Scalar = bool | int | float | str


def duration(value: Any) -> timedelta:
    """Read `90 s`, `10 min`, `24 h` or `30 d`.

    Raises:
        ValueError: it is none of these, or not longer than zero.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a number with s, min, h or d")
    seconds = float(match[1]) * _UNIT_S[match[2]]
    if not 0.0 < seconds <= 3650 * 86400:
        raise ValueError("a duration is longer than zero and at most 3650 d")
    return timedelta(seconds=seconds)


Duration = Annotated[timedelta, BeforeValidator(duration)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Where(_Part):
    """One demand on a field; exactly one operator."""

    field: _FieldName
    equals: Scalar | None = None
    differs_from: Scalar | None = None
    one_of: tuple[str, ...] | None = None
    over: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    outside: tuple[float, float] | None = None
    """Below the first or at or above the second number."""
    empty: bool | None = None
    same_as: _FieldName | None = None
    """Another field of the same event has the same text, and is not empty."""

    @model_validator(mode="after")
    def _one_operator(self) -> Where:
        if len(self.model_fields_set) != 2:
            raise ValueError("a demand has a field and one operator")
        if self.outside is not None and not self.outside[0] < self.outside[1]:
            raise ValueError("outside needs a lower and a higher number")
        return self

    @property
    def operator(self) -> str:
        """The name of the operator."""
        (name,) = self.model_fields_set - {"field"}
        return name


class Selector(_Part):
    """Some events: of these types, meeting every demand."""

    event: tuple[str, ...]
    where: tuple[Where, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _single_type(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("event"), str):
            return {**value, "event": (value["event"],)}
        return value

    @model_validator(mode="after")
    def _some_type(self) -> Selector:
        if not self.event:
            raise ValueError("no event type is named")
        return self


class PersonSelector(Selector):
    """A deed that must be another person's: the person stands in this field."""

    person: _FieldName = "actor"


class Sequence(_Part):
    """`then` happens within some time after the latest `first` with the same key."""

    kind: Literal["sequence"]
    first: Selector
    then: Selector
    key: Annotated[tuple[_FieldName, ...], Field(min_length=1)]
    within: Duration
    different: tuple[_FieldName, ...] = ()
    """Fields whose texts must differ between the two."""


class Absence(_Part):
    """`missing` does not happen within some time after (or before) another event with the same key.

    Without key fields any such event counts.
    """

    kind: Literal["absence"]
    missing: Selector
    after: Selector | None = None
    before: Selector | None = None
    key: tuple[_FieldName, ...]
    within: Duration

    @model_validator(mode="after")
    def _one_side(self) -> Absence:
        if (self.after is None) == (self.before is None):
            raise ValueError("an absence is after something or before something")
        return self


class Threshold(_Part):
    """An event meets demands on its fields; or as many such events with the same key come within some time."""

    kind: Literal["threshold"]
    of: Selector
    times: Annotated[int, Field(ge=1, le=10_000)] = 1
    within: Duration | None = None
    key: tuple[_FieldName, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Threshold:
        if (self.times > 1) != (self.within is not None):
            raise ValueError("times and within belong together")
        if self.times == 1 and not self.of.where:
            raise ValueError("a threshold needs a demand on a field, or times and within")
        return self


class FourEyes(_Part):
    """One person did two deeds about the same thing that two persons must do."""

    kind: Literal["four_eyes"]
    first: PersonSelector
    second: PersonSelector
    key: Annotated[tuple[_FieldName, ...], Field(min_length=1)]
    within: Duration


class Statistic(_Part):
    """A group (officer, unit, company, pair) stands out over a window, by a test with a minimum sample.

    `rate`: how many of the events meet `which`; `mean`: values of `field`; `concentration`: how large a part of the
    second group field's events falls to the first's value, against its part elsewhere.
    """

    kind: Literal["statistic"]
    measure: Literal["rate", "mean", "concentration"]
    of: Selector
    which: tuple[Where, ...] = ()
    field: _FieldName | None = None
    group: Annotated[tuple[_FieldName, ...], Field(min_length=1, max_length=2)]
    window: Duration
    every: Duration
    against: Literal["peers", "limit"] = "peers"
    limit: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    direction: Literal["above", "below"] = "above"
    factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.5
    """How many times as large (or small) as the other side it must be, beside being significant."""
    minimum: Annotated[int, Field(ge=5)] = 20
    significance: Annotated[float, Field(gt=0, le=0.05)] = 0.001
    """Of the whole round: divided by the number of groups tested (Bonferroni)."""

    @model_validator(mode="after")
    def _whole(self) -> Statistic:
        if self.measure == "rate" and not self.which:
            raise ValueError("a rate needs which")
        if (self.measure == "mean") != (self.field is not None):
            raise ValueError("a mean, and only a mean, needs a field")
        if (self.against == "limit") != (self.limit is not None):
            raise ValueError("a limit belongs to against: limit")
        if self.measure == "rate" and self.limit is not None and not 0 < self.limit < 1:
            raise ValueError("the limit of a rate lies between 0 and 1")
        if self.measure == "concentration" and (len(self.group) != 2 or self.against != "peers"):
            raise ValueError("a concentration has two group fields and is against peers")
        if self.window.total_seconds() % self.every.total_seconds():
            raise ValueError("the window is no multiple of every")
        return self


Condition = Annotated[Sequence | Absence | Threshold | FourEyes | Statistic, Field(discriminator="kind")]


class RiskPoint(_Part):
    """One risk point."""

    id: _Name
    area: _Name
    tier: Annotated[int, Field(ge=1, le=9)]
    level: _Name
    """Who looks after its cases first: a level of the escalation chain."""
    deadline: Duration
    concerns: tuple[_FieldName, ...] = ()
    """Fields that name the officers concerned."""
    condition: Condition

    @property
    def digest(self) -> str:
        """Of everything that decides what is found: another digest is another rule."""
        return hashlib.sha256(self.condition.model_dump_json().encode()).hexdigest()

    @property
    def key(self) -> tuple[str, ...]:
        """Fields whose values say what a case is about."""
        condition = self.condition
        return condition.group if isinstance(condition, Statistic) else condition.key


class Level(_Part):
    """One level of supervision."""

    role: Literal["supervisor", "auditor"]
    own_unit: bool = False
    """People of the concerned officer's unit come first."""
    next: _Name | None = None


class Tier(_Part):
    """How cases of one gravity are handled."""

    escalates_after: Duration
    answer_within: Duration
    second_person: bool
    """Closing needs a second person's consent."""


class Handling(_Part):
    """Levels and tiers."""

    levels: dict[_Name, Level]
    tiers: dict[int, Tier]


class Measure(_Part):
    """Something counted by day, unit and officer: events, or cases opened by some risk points."""

    of: Selector | None = None
    points: tuple[_Name, ...] = ()

    @model_validator(mode="after")
    def _one_source(self) -> Measure:
        if (self.of is None) == (not self.points):
            raise ValueError("a measure counts events or risk points")
        return self


class Rate(_Part):
    """One count as a part of another."""

    part: _Name
    of: _Name


class Measures(_Part):
    """What statistics show."""

    measures: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], Measure]
    rates: dict[_Name, Rate]


def selectors(condition: Any) -> list[tuple[str, Selector]]:
    """The selectors of a condition with the names of their fields."""
    found = []
    for name in ("first", "then", "second", "missing", "after", "before", "of"):
        part = getattr(condition, name, None)
        if isinstance(part, Selector):
            found.append((name, part))
    return found


def field_kind(types: dict[str, dict[str, str]], event_type: str, name: str) -> str | None:
    """`text`, `number` or `flag`; None when the type has no such field."""
    return types[event_type].get(name) or COMMON_FIELDS.get(name) or DERIVED_FIELDS.get(name)
