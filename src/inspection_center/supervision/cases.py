"""Opening cases: each occurrence once, one open case for one matter, in the hands of somebody it does not concern."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from inspection_center.clock import now_text, parse, text
from inspection_center.database import schema
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.supervision import tables
from inspection_center.supervision.columns import EventRow
from inspection_center.supervision.conditions import Match, microseconds
from inspection_center.supervision.events import emit
from inspection_center.supervision.reading import RuleBook
from inspection_center.supervision.rules import Absence, Level, RiskPoint, Statistic

OPEN_STATES = ("open", "proposed")
SYSTEM = "center:supervision"
_READ_AT_ONCE = 500


@dataclass(frozen=True)
class Opened:
    """An occurrence that was taken in: for the counts."""

    rule: str
    unit: str
    officers: tuple[str, ...]
    time: str


def moment(time_us: int) -> str:
    """A time in microseconds as the tables hold it."""
    return text(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_us))


def microseconds_of(time: str) -> int:
    """A stored time in microseconds since 1970."""
    return microseconds(parse(time) - datetime.fromtimestamp(0, UTC))


def read_rows(connection: Connection, numbers: Iterable[int]) -> dict[int, EventRow]:
    """Events by their numbers."""
    table = tables.enforcement_event
    wanted = sorted(set(numbers))
    found: dict[int, EventRow] = {}
    for start in range(0, len(wanted), _READ_AT_ONCE):
        rows = connection.execute(select(table).where(table.c.number.in_(wanted[start : start + _READ_AT_ONCE])))
        for row in rows:
            found[row.number] = EventRow(row.number, row.type, microseconds_of(row.time), row.actor, row.unit, row.data)
    return found


def fields_of(row: EventRow) -> dict[str, Any]:
    """All fields of an event, the common ones too."""
    return {**json.loads(row.data), "actor": row.actor, "unit": row.unit, "type": row.type}


def matter_of(point: RiskPoint, fields: dict[str, Any]) -> str:
    """What a case is about: the values of the rule's key."""
    return " · ".join(str(fields.get(name, "")) for name in point.key)[:500]


def take_in(transaction: Transaction, book: RuleBook, matches: Sequence[Match]) -> list[Opened]:
    """Turn matches into occurrences of cases; what was taken in before changes nothing. Returns the new ones."""
    if not matches:
        return []
    connection = transaction.connection
    numbers = {match.number for match in matches} | {match.partner for match in matches if match.partner is not None}
    rows = read_rows(connection, numbers)
    accounts = {str(name) for name in connection.execute(select(schema.account.c.name)).scalars()}
    opened = []
    for match in matches:
        point = book.points[match.rule]
        row = rows.get(match.number)
        partner = rows.get(match.partner) if match.partner is not None else None
        if row is None or not _confirmed(point, row, partner):
            continue
        fields = fields_of(row)
        officers = tuple(
            dict.fromkeys(name for field in point.concerns if (name := str(fields.get(field, ""))) in accounts)
        )
        if _take_in(transaction, book, point, match, [one for one in (partner, row) if one is not None], officers):
            opened.append(Opened(point.id, row.unit, officers, moment(match.time_us)))
    return opened


def _confirmed(point: RiskPoint, row: EventRow, partner: EventRow | None) -> bool:
    """Whether two events really have the same key: the engine compared hashes."""
    if partner is None:
        return True
    own, other = fields_of(row), fields_of(partner)
    return all(own.get(name) == other.get(name) for name in point.key)


def _take_in(
    transaction: Transaction,
    book: RuleBook,
    point: RiskPoint,
    match: Match,
    rows: Sequence[EventRow],
    officers: tuple[str, ...],
) -> bool:
    connection = transaction.connection
    fields = fields_of(rows[-1])
    matter = matter_of(point, fields)
    if isinstance(point.condition, Statistic) and _closed_since(
        connection, point.id, matter, match.facts["window_start_us"]
    ):
        return False  # The same figures have been answered for; only a fresh window counts.
    occurrence, case = tables.occurrence, tables.case
    known = select(occurrence.c.case).where(occurrence.c.rule == point.id, occurrence.c.trigger == match.trigger)
    if connection.execute(known).first() is not None:
        return False
    present = connection.execute(
        select(case.c.id).where(case.c.rule == point.id, case.c.matter == matter, case.c.state.in_(OPEN_STATES))
    ).scalar()
    identity = present or hashlib.sha256(f"{point.id}:{match.trigger}".encode()).hexdigest()[:20]
    connection.execute(
        insert(occurrence).values(
            rule=point.id,
            trigger=match.trigger,
            case=identity,
            time=moment(match.time_us),
            events=json.dumps([_shown(row) for row in rows], ensure_ascii=False),
            facts=json.dumps({**match.facts, **_window(point, match, rows[-1])}),
        )
    )
    if present is None:
        _open(transaction, book, point, identity, matter, rows[-1].unit, officers)
    else:
        add_deed(transaction, identity, SYSTEM, "met_again", "", open_to_concerned=True)
        already = set(_concerned(connection, identity))
        _add_concerned(connection, identity, [name for name in officers if name not in already])
        release_if_concerned(transaction, book, identity)
    return True


def _window(point: RiskPoint, match: Match, row: EventRow) -> dict[str, int]:
    """For an absence: between which times the missing event would have had to come."""
    if not isinstance(point.condition, Absence):
        return {}
    within = microseconds(point.condition.within)
    if match.deadline_us is not None:
        return {"expected_from_us": row.time_us, "expected_until_us": match.deadline_us}
    return {"expected_from_us": row.time_us - within, "expected_until_us": row.time_us}


def _shown(row: EventRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "type": row.type,
        "time": moment(row.time_us),
        "actor": row.actor,
        "unit": row.unit,
        "fields": json.loads(row.data),
    }


def _closed_since(connection: Connection, rule: str, matter: str, since_us: int) -> bool:
    case = tables.case
    closed = connection.execute(
        select(func.max(case.c.closed)).where(case.c.rule == rule, case.c.matter == matter)
    ).scalar()
    return closed is not None and closed > moment(since_us)


def _open(
    transaction: Transaction,
    book: RuleBook,
    point: RiskPoint,
    identity: str,
    matter: str,
    unit: str,
    officers: tuple[str, ...],
) -> None:
    connection = transaction.connection
    tier = book.handling.tiers[point.tier]
    level, assignee = place(connection, book, point.level, unit, officers)
    connection.execute(
        insert(tables.case).values(
            id=identity,
            rule=point.id,
            rule_digest=point.digest,
            matter=matter,
            tier=point.tier,
            level=level,
            unit=unit,
            state="open",
            opened=now_text(),
            due=now_text(point.deadline),
            answer_due=now_text(tier.answer_within),
            escalates=now_text(tier.escalates_after) if book.handling.levels[level].next else None,
            overdue=False,
            assignee=assignee,
            outcome="",
            reason="",
            version=1,
        )
    )
    _add_concerned(connection, identity, officers)
    add_deed(transaction, identity, SYSTEM, "opened", "", open_to_concerned=True)
    if assignee is not None:
        add_deed(transaction, identity, SYSTEM, "assigned", assignee, open_to_concerned=True)
    emit(
        transaction,
        "case.opened",
        case=identity,
        rule=point.id,
        tier=point.tier,
        officer=officers[0] if officers else "",
    )


def place(
    connection: Connection, book: RuleBook, level: str, unit: str, concerned: Iterable[str]
) -> tuple[str, str | None]:
    """The level, from one upwards, that has somebody a case does not concern, and who of them has the least to do.

    When nobody is there at all the case stays at the level it was meant for, in nobody's hands.
    """
    name: str | None = level
    excluded = set(concerned)
    while name is not None:
        present = book.handling.levels[name]
        found = _least_loaded(connection, present, unit, excluded)
        if found is not None:
            return name, found
        name = present.next
    return level, None


def _least_loaded(connection: Connection, level: Level, unit: str, excluded: set[str]) -> str | None:
    account, units, case = schema.account, tables.officer_unit, tables.case
    rows = connection.execute(
        select(account.c.name, units.c.unit)
        .outerjoin(units, units.c.account == account.c.name)
        .where(account.c.role == level.role, account.c.active)
    ).all()
    candidates = [(str(row[0]), row[1]) for row in rows if row[0] not in excluded]
    if level.own_unit and unit:
        candidates = [one for one in candidates if one[1] == unit] or candidates
    if not candidates:
        return None
    loads = {
        str(row[0]): int(row[1])
        for row in connection.execute(
            select(case.c.assignee, func.count()).where(case.c.state.in_(OPEN_STATES)).group_by(case.c.assignee)
        )
    }
    return min(candidates, key=lambda one: (loads.get(one[0], 0), one[0]))[0]


def release_if_concerned(transaction: Transaction, book: RuleBook, identity: str) -> None:
    """Take a case out of the hands of somebody it has come to concern."""
    connection = transaction.connection
    case = row_dict(connection.execute(select(tables.case).where(tables.case.c.id == identity)).one())
    people = _concerned(connection, identity)
    if case["assignee"] not in people and case["proposed_by"] not in people:
        return
    level, assignee = place(connection, book, case["level"], case["unit"], people)
    connection.execute(
        update(tables.case)
        .where(tables.case.c.id == identity)
        .values(level=level, assignee=assignee, state="open", proposed_by=None, outcome="", reason="",
                version=tables.case.c.version + 1)
    )  # fmt: skip
    add_deed(transaction, identity, SYSTEM, "assigned", assignee or "", open_to_concerned=True)


def _concerned(connection: Connection, identity: str) -> list[str]:
    table = tables.concerned
    return [str(name) for name in connection.execute(select(table.c.account).where(table.c.case == identity)).scalars()]


def _add_concerned(connection: Connection, identity: str, officers: Iterable[str]) -> None:
    rows = [{"case": identity, "account": name} for name in officers]
    if rows:
        connection.execute(insert(tables.concerned), rows)


def add_deed(
    transaction: Transaction, identity: str, actor: str, action: str, words: str, *, open_to_concerned: bool
) -> None:
    """Append to a case's history."""
    transaction.connection.execute(
        insert(tables.deed).values(
            case=identity, time=now_text(), actor=actor, action=action, text=words, open_to_concerned=open_to_concerned
        )
    )


def withdraw_answered(transaction: Transaction, point: RiskPoint, row: EventRow) -> bool:
    """Take back a case whose missing event came late although it had happened in time.

    Returns:
        Whether a case was taken back.
    """
    connection = transaction.connection
    case, occurrence = tables.case, tables.occurrence
    identity = connection.execute(
        select(case.c.id).where(
            case.c.rule == point.id, case.c.matter == matter_of(point, fields_of(row)), case.c.state.in_(OPEN_STATES)
        )
    ).scalar()
    if identity is None:
        return False
    windows = [
        json.loads(facts)
        for facts in connection.execute(select(occurrence.c.facts).where(occurrence.c.case == identity)).scalars()
    ]
    if not all(window["expected_from_us"] <= row.time_us <= window["expected_until_us"] for window in windows):
        return False
    connection.execute(
        update(case)
        .where(case.c.id == identity)
        .values(state="withdrawn", outcome="answered_late", closed=now_text(), escalates=None,
                version=case.c.version + 1)
    )  # fmt: skip
    add_deed(transaction, identity, SYSTEM, "withdrawn", f"{row.type} · {moment(row.time_us)}", open_to_concerned=True)
    return True
