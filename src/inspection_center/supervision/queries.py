"""What pages and the interface read of supervision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from inspection_center.database.engine import row_dict
from inspection_center.problems import NotFound
from inspection_center.supervision import tables
from inspection_center.supervision.cases import OPEN_STATES
from inspection_center.supervision.reading import RuleBook

CASE_STATES = ("open", "proposed", "closed", "withdrawn")
_MOST_OCCURRENCES = 200


def list_cases(
    connection: Connection,
    reader: str,
    states: Sequence[str] = OPEN_STATES,
    *,
    rule: str = "",
    overdue: bool = False,
    limit: int = 200,
) -> list[dict[str, Any]]:
    """Cases in some states, the gravest and oldest first; those that concern the reader are not among them."""
    case, concerned = tables.case, tables.concerned
    about_reader = select(concerned.c.case).where(concerned.c.account == reader)
    query = select(case).where(case.c.state.in_(states), case.c.id.not_in(about_reader))
    if rule:
        query = query.where(case.c.rule == rule)
    if overdue:
        query = query.where(case.c.overdue)
    rows = connection.execute(query.order_by(case.c.tier.desc(), case.c.opened, case.c.id).limit(limit))
    return [row_dict(row) for row in rows]


def show_case(connection: Connection, identity: str) -> dict[str, Any]:
    """A case with its occurrences, the persons concerned and its whole history.

    Raises:
        NotFound: there is no such case.
    """
    return {**_case(connection, identity), **_details(connection, identity, whole=True)}


def own_cases(connection: Connection, person: str) -> list[dict[str, Any]]:
    """The cases that concern a person, newest first."""
    case, concerned = tables.case, tables.concerned
    rows = connection.execute(
        select(case, concerned.c.answered)
        .join(concerned, concerned.c.case == case.c.id)
        .where(concerned.c.account == person)
        .order_by(case.c.opened.desc())
        .limit(200)
    )
    return [_without_handling(row_dict(row)) for row in rows]


def own_case(connection: Connection, identity: str, person: str) -> dict[str, Any]:
    """A case as the person concerned sees it: what it rests on, answers and outcome, without the handlers' own notes.

    Raises:
        NotFound: there is no such case, or it concerns somebody else.
    """
    for case in own_cases(connection, person):
        if case["id"] == identity:
            return {**case, **_details(connection, identity, whole=False)}
    raise NotFound("there is no such case")


def point_counts(connection: Connection) -> dict[str, dict[str, int]]:
    """How many cases each risk point has ever opened, and how many of them are open."""
    case = tables.case
    rows = connection.execute(select(case.c.rule, case.c.state, func.count()).group_by(case.c.rule, case.c.state))
    counts: dict[str, dict[str, int]] = {}
    for rule, state, number in rows:
        entry = counts.setdefault(str(rule), {"total": 0, "open": 0})
        entry["total"] += int(number)
        entry["open"] += int(number) if state in OPEN_STATES else 0
    return counts


def points(connection: Connection, book: RuleBook) -> list[dict[str, Any]]:
    """Every risk point with what it looks for and how many cases it opened."""
    counts = point_counts(connection)
    return [
        {
            **point.model_dump(mode="json", exclude={"condition"}),
            "deadline_s": point.deadline.total_seconds(),
            "condition": point.condition.model_dump(mode="json", exclude_unset=True),
            "digest": point.digest,
            **counts.get(point.id, {"total": 0, "open": 0}),
        }
        for point in book.points.values()
    ]


def position(connection: Connection) -> dict[str, Any] | None:
    """How far events have been judged; None before the first round."""
    row = connection.execute(select(tables.position)).first()
    return None if row is None else row_dict(row)


def _case(connection: Connection, identity: str) -> dict[str, Any]:
    row = connection.execute(select(tables.case).where(tables.case.c.id == identity)).first()
    if row is None:
        raise NotFound("there is no such case")
    return row_dict(row)


def _without_handling(case: dict[str, Any]) -> dict[str, Any]:
    """What was only proposed is not for the person concerned."""
    if case["state"] == "proposed":
        case.update(state="open", outcome="", reason="")
    case.pop("proposed_by")
    return case


def _details(connection: Connection, identity: str, *, whole: bool) -> dict[str, Any]:
    occurrence, concerned, deed = tables.occurrence, tables.concerned, tables.deed
    happened = connection.execute(
        select(occurrence.c.time, occurrence.c.events, occurrence.c.facts)
        .where(occurrence.c.case == identity)
        .order_by(occurrence.c.time.desc())
        .limit(_MOST_OCCURRENCES)
    )
    people = connection.execute(
        select(concerned.c.account, concerned.c.answered)
        .where(concerned.c.case == identity)
        .order_by(concerned.c.account)
    )
    history = select(deed.c.time, deed.c.actor, deed.c.action, deed.c.text).where(deed.c.case == identity)
    if not whole:
        history = history.where(deed.c.open_to_concerned)
    return {
        "occurrences": [
            {"time": row.time, "events": json.loads(row.events), "facts": _readable(json.loads(row.facts))}
            for row in happened
        ],
        "concerned": [row_dict(row) for row in people],
        "deeds": [row_dict(row) for row in connection.execute(history.order_by(deed.c.number))],
    }


def _readable(facts: dict[str, Any]) -> dict[str, Any]:
    """Figures without the times in microseconds that only the program needs."""
    return {name: value for name, value in facts.items() if not name.endswith("_us")}
