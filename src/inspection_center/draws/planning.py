"""Plans of draws out of a rule and what it is about: objects by risk, officers by duty and workload, allotments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspection_center.draws.plan import LARGEST_WEIGHT, Bound, Item, Place, Plan, check_plan
from inspection_center.draws.rules import DrawRule
from inspection_center.problems import Unfit

_WEIGHT_UNIT = 1000  # Weights are integers, so that everybody computes the same: thousandths.
LEAD = "lead"


@dataclass(frozen=True)
class RiskObject:
    """A risk case that may be drawn."""

    case: int
    reference: str
    model: str
    level: str
    score: float
    group: str = ""
    warned: bool = False
    company_grade: str = ""


@dataclass(frozen=True)
class Officer:
    """An officer of the roster who may be on duty."""

    name: str
    unit: str
    lead: bool = False
    qualifications: frozenset[str] = frozenset()
    conflicts: frozenset[str] = frozenset()
    on_duty: bool = True
    load: int = 0
    """Inspections in the last days that the rule counts."""


@dataclass(frozen=True)
class Task:
    """What officers are needed for."""

    reference: str
    company: str = ""
    requires: frozenset[str] = frozenset()


def object_plan(rule: DrawRule, objects: Sequence[RiskObject]) -> Plan:
    """Draw objects by risk, with what is certain and what must be covered.

    Raises:
        Unfit: the list is empty, or the rules cannot be met.
    """
    data = rule.data.objects
    assert data is not None
    if not objects:
        raise Unfit("no case waits for a draw")
    items = []
    for found in objects:
        weight = data.weight.base + data.weight.per_point * found.score
        weight *= data.weight.warning_factor if found.warned else 1.0
        classes = {f"{c.each}:{getattr(found, c.each)}" for c in data.coverage if getattr(found, c.each)}
        always = ("inspect" in data.always and found.level == "inspect") or ("warning" in data.always and found.warned)
        label = {"id": found.reference, "case": found.case, "model": found.model}
        items.append(Item(label, _weight(weight), always, 0, tuple(sorted(classes))))
    certain = sum(item.always for item in items)
    wanted = math.ceil(data.how_many.share * len(items) - 1e-9)
    count = min(len(items), max(certain, min(max(wanted, data.how_many.minimum), data.how_many.maximum), 1))
    bounds: list[Bound] = []
    for coverage in data.coverage:
        names = sorted({name for item in items for name in item.classes if name.startswith(f"{coverage.each}:")})
        there = {name: sum(name in item.classes for item in items) for name in names}
        bounds.extend(Bound(name, min(coverage.at_least, there[name])) for name in names)
    plan = Plan(tuple(items), (Place({"id": "inspection"}, count, None, tuple(bounds)),), rule.data.load_factor)
    check_plan(plan)
    return plan


def officer_plan(
    rule: DrawRule,
    officers: Sequence[Officer],
    tasks: Sequence[Task],
    last_visits: Mapping[tuple[str, str], float] | None = None,
) -> Plan:
    """Draw officers for tasks: on duty, qualified, without conflict of interest, by workload.

    Args:
        rule: the rule for officers.
        officers: everybody on the roster.
        tasks: what officers are needed for.
        last_visits: days since an officer was last at a company, by (officer, company).

    Raises:
        Unfit: nobody is on duty, or a task cannot get its officers; the text says which and why.
    """
    data = rule.data.officers
    assert data is not None
    present = sorted((officer for officer in officers if officer.on_duty), key=lambda officer: officer.name)
    if not tasks:
        raise Unfit("no task waits for officers")
    if len(present) < data.officers_each:
        raise Unfit(f"{len(present)} on duty, a task needs {data.officers_each}")
    least = min(officer.load for officer in present)
    items = tuple(
        Item(
            {"id": officer.name, "unit": officer.unit},
            _weight(1000 * 2 ** (-(officer.load - least) / data.workload_halves_at)),
            capacity=data.at_most_a_draw,
            classes=(f"unit:{officer.unit}", *((LEAD,) if officer.lead else ())),
        )
        for officer in present
    )
    visits = last_visits or {}
    notes: list[str] = []
    places = []
    for task in tasks:
        able = []
        for position, officer in enumerate(present):
            reason = _unable(officer, task, visits, data.not_again_days)
            if reason:
                notes.append(f"{task.reference}: {officer.name} {reason}")
            else:
                able.append(position)
        units = sorted({present[position].unit for position in able})
        at_most = tuple(Bound(f"unit:{u}", data.at_most_of_a_unit) for u in units) if data.at_most_of_a_unit else ()
        at_least = (Bound(LEAD, data.leads_each),) if data.leads_each else ()
        places.append(
            Place({"id": task.reference}, data.officers_each, tuple(able), at_least, at_most),
        )
    plan = Plan(items, tuple(places), rule.data.load_factor, tuple(notes))
    check_plan(plan)
    return plan


@dataclass(frozen=True)
class Choice:
    """Something to allot: a berth, team or channel; `fits` names the places it may go to (empty: all)."""

    name: str
    weight: float = 1.0
    fits: frozenset[str] = frozenset()


def allotment_plan(
    rule: DrawRule, choices: Sequence[Choice], places: Sequence[str], last: Mapping[str, str] | None = None
) -> Plan:
    """Allot berths, teams or channels to places, one each.

    Args:
        rule: the rule of the kind.
        choices: what is allotted.
        places: ships, tasks, zones or vehicles.
        last: what each place got last time.

    Raises:
        Unfit: a list is empty, a name unknown or twice, or the rules leave no way.
    """
    data = rule.data.allotment
    assert data is not None
    if len(set(places)) < len(places):
        raise Unfit("a place stands in the list twice")
    for choice in choices:
        unknown = choice.fits - set(places)
        if unknown:
            raise Unfit(f"{choice.name} fits {sorted(unknown)[0]!r}, which is not in the list of places")
        if not (math.isfinite(choice.weight) and 0 <= choice.weight <= LARGEST_WEIGHT / _WEIGHT_UNIT):
            raise Unfit(f"{choice.name}: the weight must lie within 0 … {LARGEST_WEIGHT // _WEIGHT_UNIT}")
    if choices and all(choice.weight == 0 for choice in choices):
        raise Unfit("the weights sum to nothing")
    usable = [choice for choice in choices if choice.weight > 0]
    before = last or {}
    items = tuple(
        Item({"id": choice.name}, _weight(choice.weight), capacity=1 if data.each_item_once else 0) for choice in usable
    )
    drawn_for = []
    for place in places:
        able = tuple(
            position
            for position, choice in enumerate(usable)
            if (not choice.fits or place in choice.fits)
            and not (data.not_as_last_time and before.get(place) == choice.name)
        )
        drawn_for.append(Place({"id": place}, 1, able))
    # Those that can take least come first: fewer draws end in a dead end.
    drawn_for.sort(key=lambda place: len(place.candidates or ()))
    plan = Plan(items, tuple(drawn_for), rule.data.load_factor)
    check_plan(plan)
    return plan


def _unable(officer: Officer, task: Task, visits: Mapping[tuple[str, str], float], not_again_days: int) -> str:
    missing = task.requires - officer.qualifications
    if missing:
        return f"is not qualified ({', '.join(sorted(missing))})"
    if task.company and task.company in officer.conflicts:
        return "has a conflict of interest"
    days = visits.get((officer.name, task.company))
    if task.company and days is not None and days < not_again_days:
        return f"was there {days:.0f} days ago"
    return ""


def _weight(value: float) -> int:
    return max(1, min(LARGEST_WEIGHT, round(value * _WEIGHT_UNIT)))
