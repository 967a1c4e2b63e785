"""Risk points from YAML files. Whatever is wrong is told in one line with the file and the line number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from inspection_center.located_yaml import Located, Place, read_located_file
from inspection_center.supervision.events import read_event_types
from inspection_center.supervision.rules import (
    Absence,
    FourEyes,
    Handling,
    Measures,
    RiskPoint,
    Selector,
    Sequence,
    Statistic,
    Where,
    field_kind,
    selectors,
)
from inspection_contract.errors import InputError

_NUMERIC = frozenset({"over", "at_least", "below", "at_most", "outside"})
_Document = Located[Any]
_Types = dict[str, dict[str, str]]


class _PointFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    points: tuple[RiskPoint, ...]


@dataclass(frozen=True)
class RuleBook:
    """Everything supervision works by."""

    types: _Types
    points: dict[str, RiskPoint]
    handling: Handling
    measures: Measures


def read_rule_book(folder: Path) -> RuleBook:
    """Read a folder: `events.yaml`, `handling.yaml`, `measures.yaml`, and risk points in `points/*.yaml`.

    Raises:
        InputError: a file is missing or no YAML, names an event type, field, level or tier that does not exist, has a
            deadline of zero, or its escalation goes round in a circle; the line stands behind the file's name.
    """
    types = read_event_types(folder / "events.yaml")
    handling_file = read_located_file(folder / "handling.yaml", Handling)
    handling = handling_file.content
    _check_chain(handling_file, handling)
    points: dict[str, RiskPoint] = {}
    for path in sorted((folder / "points").glob("*.yaml")):
        document = read_located_file(path, _PointFile)
        for index, point in enumerate(document.content.points):
            place: Place = ("points", index)
            if point.id in points:
                raise document.fault((*place, "id"), f"there are two risk points {point.id}")
            _check_point(document, place, point, types, handling)
            points[point.id] = point
    if not points:
        raise InputError(folder / "points", "holds no risk point")
    measures_file = read_located_file(folder / "measures.yaml", Measures)
    measures = measures_file.content
    _check_measures(measures_file, measures, types, points)
    return RuleBook(types, points, handling, measures)


def _check_chain(document: _Document, handling: Handling) -> None:
    for name in handling.levels:
        seen = [name]
        while (following := handling.levels[seen[-1]].next) is not None:
            place = ("levels", seen[-1], "next")
            if following not in handling.levels:
                raise document.fault(place, f"there is no level {following}")
            if following in seen:
                raise document.fault(place, f"escalation goes in a circle: {' → '.join([*seen, following])}")
            seen.append(following)


def _check_point(document: _Document, place: Place, point: RiskPoint, types: _Types, handling: Handling) -> None:
    if point.level not in handling.levels:
        raise document.fault((*place, "level"), f"there is no level {point.level}")
    if point.tier not in handling.tiers:
        raise document.fault((*place, "tier"), f"there is no tier {point.tier}")
    condition = point.condition
    inside: Place = (*place, "condition")
    named = selectors(condition)
    for name, selector in named:
        _check_selector(document, (*inside, name), selector, types)
    for index, field in enumerate(point.key):
        part = "group" if isinstance(condition, Statistic) else "key"
        _check_text_field(document, (*inside, part, index), field, [selector for _, selector in named], types)
    for index, field in enumerate(getattr(condition, "different", ())):
        _check_text_field(document, (*inside, "different", index), field, [part for _, part in named], types)
    if isinstance(condition, FourEyes):
        for name, deed in (("first", condition.first), ("second", condition.second)):
            _check_text_field(document, (*inside, name, "person"), deed.person, [deed], types)
    if isinstance(condition, Statistic):
        for index, demand in enumerate(condition.which):
            _check_demand(document, (*inside, "which", index), demand, condition.of, types)
        if condition.field is not None:
            for event_type in condition.of.event:
                if field_kind(types, event_type, condition.field) != "number":
                    raise document.fault((*inside, "field"), f"{event_type} has no number {condition.field}")
    shown = subject_selector(point)
    for index, field in enumerate(point.concerns):
        _check_text_field(document, (*place, "concerns", index), field, [shown], types)


def subject_selector(point: RiskPoint) -> Selector:
    """The events whose fields say what a case of a risk point is about and whom it concerns."""
    condition = point.condition
    if isinstance(condition, Absence):
        found = condition.after or condition.before
        assert found is not None
        return found
    if isinstance(condition, Sequence):
        return condition.then
    return condition.second if isinstance(condition, FourEyes) else condition.of


def _check_selector(document: _Document, place: Place, selector: Selector, types: _Types) -> None:
    for event_type in selector.event:
        if event_type not in types:
            raise document.fault((*place, "event"), f"there is no event type {event_type}")
    for index, demand in enumerate(selector.where):
        _check_demand(document, (*place, "where", index), demand, selector, types)


def _check_demand(document: _Document, place: Place, demand: Where, selector: Selector, types: _Types) -> None:
    for event_type in selector.event:
        kind = field_kind(types, event_type, demand.field)
        if kind is None:
            raise document.fault((*place, "field"), f"{event_type} has no field {demand.field}")
        operator = demand.operator
        value = getattr(demand, operator)
        if operator in _NUMERIC:
            fits = kind == "number"
        elif operator in ("one_of", "empty", "same_as"):
            fits = kind == "text" and (operator != "same_as" or field_kind(types, event_type, str(value)) == "text")
        else:
            wanted = "flag" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
            fits = kind == wanted
        if not fits:
            raise document.fault((*place, operator), f"{operator} does not fit {demand.field}, a {kind}")


def _check_text_field(document: _Document, place: Place, field: str, used: list[Selector], types: _Types) -> None:
    for selector in used:
        for event_type in selector.event:
            if event_type in types and field_kind(types, event_type, field) != "text":
                raise document.fault(place, f"{event_type} has no text {field}")


def _check_measures(document: _Document, measures: Measures, types: _Types, points: dict[str, RiskPoint]) -> None:
    for name, measure in measures.measures.items():
        if measure.of is not None:
            _check_selector(document, ("measures", name, "of"), measure.of, types)
        for index, point in enumerate(measure.points):
            if point not in points:
                raise document.fault(("measures", name, "points", index), f"there is no risk point {point}")
    for name, rate in measures.rates.items():
        for side in ("part", "of"):
            if getattr(rate, side) not in measures.measures:
                raise document.fault(("rates", name, side), f"there is no measure {getattr(rate, side)}")
