"""Gathers from the database what a draw chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, func, select

from inspection_center.clock import now, now_text, parse
from inspection_center.draws.plan import MAXIMUM_ITEMS, MAXIMUM_PLACES, Plan
from inspection_center.draws.planning import (
    Choice,
    Officer,
    RiskObject,
    Task,
    allotment_plan,
    object_plan,
    officer_plan,
)
from inspection_center.draws.roster import roster
from inspection_center.draws.rules import DrawRule
from inspection_center.draws.tables import draw, draw_assignment
from inspection_center.risk.tables import risk_case


def gather(connection: Connection, rule: DrawRule, choices: Sequence[Choice], places: Sequence[str]) -> Plan:
    """The plan of a draw of a rule's kind.

    Raises:
        Unfit: nothing to draw from, or rules that cannot be met.
    """
    if rule.data.kind == "objects":
        return object_plan(rule, waiting_objects(connection))
    if rule.data.kind == "officers":
        assert rule.data.officers is not None
        tasks, companies = waiting_tasks(connection, rule)
        present = officers(connection, rule.data.officers.workload_days)
        return officer_plan(rule, present, tasks, last_visits(connection, companies))
    return allotment_plan(rule, choices, places, last_allotment(connection, rule.data.kind))


def waiting_objects(connection: Connection) -> list[RiskObject]:
    """The newest case of each reference that no draw has taken."""
    newest = select(func.max(risk_case.c.number)).group_by(risk_case.c.reference)
    rows = connection.execute(
        select(risk_case)
        .where(
            risk_case.c.drawn == "",
            risk_case.c.outcome == "",
            risk_case.c.level.in_(("draw", "inspect")),
            risk_case.c.number.in_(newest),
        )
        .order_by(risk_case.c.number)
        .limit(MAXIMUM_ITEMS)
    )
    return [
        RiskObject(
            row.number,
            row.reference,
            row.model,
            row.level,
            row.score,
            row.category,
            row.warnings != "[]",
            row.company_grade,
        )
        for row in rows
    ]


def waiting_tasks(connection: Connection, rule: DrawRule) -> tuple[list[Task], set[str]]:
    """Drawn cases that have no officers, and their companies."""
    assert rule.data.officers is not None
    requires = rule.data.officers.requires
    rows = connection.execute(
        select(risk_case.c.reference, risk_case.c.company, risk_case.c.model)
        .where(risk_case.c.drawn == "selected", risk_case.c.officers_draw.is_(None), risk_case.c.outcome == "")
        .order_by(risk_case.c.number)
        .limit(MAXIMUM_PLACES)
    ).all()
    tasks = [Task(row.reference, row.company, frozenset(requires.get(row.model, ()))) for row in rows]
    return tasks, {row.company for row in rows if row.company}


def officers(connection: Connection, days: int) -> list[Officer]:
    """Everybody on the roster with the inspections of the last days."""
    since = now_text(-timedelta(days=days))
    loads = {
        str(item): int(count)
        for item, count in connection.execute(
            select(draw_assignment.c.item, func.count())
            .where(draw_assignment.c.kind == "officers", draw_assignment.c.time >= since)
            .group_by(draw_assignment.c.item)
        )
    }
    return [
        Officer(
            row["officer"],
            row["unit"],
            bool(row["lead"]),
            frozenset(row["qualifications"]),
            frozenset(row["conflicts"]),
            row["on_duty"],
            loads.get(row["officer"], 0),
        )
        for row in roster(connection)
    ]


def last_visits(connection: Connection, companies: set[str]) -> dict[tuple[str, str], float]:
    """Days since an officer was last drawn for a company."""
    present = now()
    rows = connection.execute(
        select(draw_assignment.c.item, draw_assignment.c.company, func.max(draw_assignment.c.time))
        .where(draw_assignment.c.kind == "officers", draw_assignment.c.company != "")
        .group_by(draw_assignment.c.item, draw_assignment.c.company)
    )
    return {
        (str(item), str(company)): (present - parse(time)).total_seconds() / 86400
        for item, company, time in rows
        if company in companies
    }


def last_allotment(connection: Connection, kind: str) -> dict[str, str]:
    """What each place got in the last draw of a kind."""
    newest = (
        select(func.max(draw_assignment.c.number))
        .where(draw_assignment.c.kind == kind)
        .group_by(draw_assignment.c.place)
    )
    rows = connection.execute(
        select(draw_assignment.c.place, draw_assignment.c.item).where(draw_assignment.c.number.in_(newest))
    )
    return {str(place): str(item) for place, item in rows}


def follows(connection: Connection) -> str:
    """The first-round draws whose objects wait for officers."""
    rows = connection.execute(
        select(draw.c.series, draw.c.in_series)
        .join(risk_case, risk_case.c.draw == draw.c.number)
        .where(risk_case.c.drawn == "selected", risk_case.c.officers_draw.is_(None), risk_case.c.outcome == "")
        .distinct()
        .order_by(draw.c.series, draw.c.in_series)
    )
    return " ".join(f"{series}#{number}" for series, number in rows)[:1000]
