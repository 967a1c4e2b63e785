"""Events of other systems: a laboratory's results, changes made elsewhere. Numbered by their source, taken in once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.database.writer import Transaction
from inspection_center.problems import Conflict, Problem, Unfit
from inspection_center.supervision import tables
from inspection_center.supervision.events import BusinessEvent, emit_all

OUTSIDE_TYPES = frozenset(
    {
        "declaration.changed",
        "draw.assignment_changed",
        "draw.excluded",
        "draw.verified",
        "order.reassigned",
        "result.changed",
        "result.countersigned",
        "risk.overridden",
        "sample.result",
        "sample.taken",
    }
)
"""What the center does not do itself. What it does, nobody tells it from outside."""


@dataclass(frozen=True)
class TakenIn:
    """What became of a batch."""

    stored: int
    duplicates: int


class NotAProgram(Problem):
    """Persons' deeds are told by the programs in which they were done."""

    status = 403


def take_in_from(transaction: Transaction, source: Principal, first: int, events: Sequence[BusinessEvent]) -> TakenIn:
    """Append what is new of a batch whose events the source numbered from `first` without a gap; all or nothing.

    Raises:
        NotAProgram: a person asks.
        Conflict: events are missing before the batch.
        Unfit: a type is not for other systems, or its fields do not fit.
    """
    if source.kind != "service":
        raise NotAProgram("only a program with a token of its own tells events")
    connection, table = transaction.connection, tables.outside_source
    last = connection.execute(select(table.c.last).where(table.c.name == source.name)).scalar()
    if last is None:
        connection.execute(insert(table).values(name=source.name, last=0))
        last = 0
    if first > last + 1:
        raise Conflict(f"the center expects number {last + 1}")
    fresh = events[max(0, last + 1 - first) :]
    for event in fresh:
        if event.type not in OUTSIDE_TYPES:
            raise Unfit(f"{event.type} is not for other systems to tell")
    try:
        emit_all(transaction, fresh)
    except ValueError as error:
        raise Unfit(str(error)) from error
    if fresh:
        connection.execute(update(table).where(table.c.name == source.name).values(last=last + len(fresh)))
        record(transaction, source.actor, "supervision.told", "", first=first, events=len(fresh))
    return TakenIn(len(fresh), len(events) - len(fresh))
