"""Warnings in the database: lists are imported, withdrawn, and matched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.database.bulk import insert_rows
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.problems import Conflict, NotFound, Unfit
from inspection_center.risk.tables import risk_case, risk_warning
from inspection_center.risk.warnings import Goods, GoodsWarning, Matcher
from inspection_center.supervision.events import BusinessEvent, emit, emit_all

_COLUMNS = ("id", "source", "kind", "severity", "content", "until", "imported", "imported_by")
_LOOKED_BACK = 2000
_MATCHERS: dict[str, tuple[tuple[Any, ...], Matcher]] = {}


def import_warnings(transaction: Transaction, officer: Principal, warnings: Sequence[GoodsWarning]) -> dict[str, int]:
    """Bring a list in; entries that are there already and say the same are passed over (a list may come twice).

    Returns:
        How many were new, and how many were there already.

    Raises:
        Conflict: an id is there and says something else: withdraw it first, so that this shows.
    """
    connection = transaction.connection
    there = {
        row.id: (row.content, row.removed)
        for row in connection.execute(select(risk_warning.c.id, risk_warning.c.content, risk_warning.c.removed))
    }
    fresh = []
    for warning in warnings:
        held = there.get(warning.id)
        if held is None:
            fresh.append(warning)
        elif held[0] != warning.model_dump_json():
            raise Conflict(f"{warning.id} is there already and says something else")
        elif held[1] is not None:
            raise Conflict(f"{warning.id} was withdrawn")
    present = now_text()
    rows = [
        (
            warning.id,
            warning.source,
            warning.kind,
            warning.severity,
            warning.model_dump_json(),
            None if warning.until is None else warning.until.isoformat(),
            present,
            officer.actor[:80],
        )
        for warning in fresh
    ]
    if rows:
        insert_rows(connection, risk_warning, _COLUMNS, rows)
    counts = {"new": len(fresh), "known": len(warnings) - len(fresh)}
    record(transaction, officer.actor, "risk.warnings_imported", "", **counts, ids=[w.id for w in fresh[:1000]])
    matches = _matches(connection, fresh)
    emit_all(
        transaction,
        [
            BusinessEvent(
                "risk.warning_imported",
                officer.name,
                {"warning": warning.id, "source": warning.source, "matches": float(matches.get(warning.id, 0))},
            )
            for warning in fresh
        ],
    )
    return counts


def remove_warning(transaction: Transaction, officer: Principal, identity: str, reason: str) -> None:
    """Withdraw a warning.

    Raises:
        NotFound: it is not there, or withdrawn already.
        Unfit: no reason.
    """
    if not reason.strip():
        raise Unfit("withdrawing a warning needs a reason")
    changed = transaction.connection.execute(
        update(risk_warning)
        .where(risk_warning.c.id == identity, risk_warning.c.removed.is_(None))
        .values(removed=now_text())
    )
    if changed.rowcount == 0:
        raise NotFound("there is no such warning")
    record(transaction, officer.actor, "risk.warning_removed", identity, reason=reason)
    emit(transaction, "risk.warning_removed", officer, warning=identity, reason=reason)


def list_warnings(connection: Connection, limit: int = 500) -> list[dict[str, Any]]:
    """Warnings in force, the gravest and newest first."""
    rows = connection.execute(
        select(risk_warning)
        .where(_in_force())
        .order_by(risk_warning.c.severity.desc(), risk_warning.c.imported.desc(), risk_warning.c.id)
        .limit(limit)
    )
    return [{**row_dict(row), "content": json.loads(row.content)} for row in rows]


def matcher(connection: Connection) -> Matcher:
    """What finds the warnings in force; made anew only when they changed."""
    revision = (
        *connection.execute(
            select(
                func.count(),
                func.max(risk_warning.c.imported),
                func.max(risk_warning.c.removed),
                func.min(risk_warning.c.id),
            )
        ).one(),
        now_text()[:10],
    )
    key = str(connection.engine.url)
    held = _MATCHERS.get(key)
    if held is None or held[0] != revision:
        contents = connection.execute(select(risk_warning.c.content).where(_in_force())).scalars()
        held = (revision, Matcher(GoodsWarning.model_validate_json(content) for content in contents))
        _MATCHERS[key] = held
    return held[1]


def _in_force() -> Any:
    return risk_warning.c.removed.is_(None) & or_(
        risk_warning.c.until.is_(None), risk_warning.c.until >= now_text()[:10]
    )


def _matches(connection: Connection, warnings: Sequence[GoodsWarning]) -> dict[str, int]:
    """How many of the latest cases' goods each new warning matches."""
    if not warnings:
        return {}
    find = Matcher(warnings)
    counts: dict[str, int] = {}
    goods = connection.execute(
        select(risk_case.c.goods).order_by(risk_case.c.number.desc()).limit(_LOOKED_BACK)
    ).scalars()
    for content in goods:
        for warning in find.match_any([Goods(**one) for one in json.loads(content)]):
            counts[warning.id] = counts.get(warning.id, 0) + 1
    return counts
