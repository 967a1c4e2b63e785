"""What happens to cases by itself: they become overdue, and go up the chain when their level does not close them."""

from __future__ import annotations

from sqlalchemy import Connection, and_, or_, select, update

from inspection_center.clock import now_text
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.supervision import tables
from inspection_center.supervision.cases import OPEN_STATES, SYSTEM, add_deed, place
from inspection_center.supervision.events import emit
from inspection_center.supervision.handling import concerned
from inspection_center.supervision.reading import RuleBook


def due(connection: Connection) -> bool:
    """Whether anything is due now."""
    case, present = tables.case, now_text()
    condition = or_(and_(~case.c.overdue, case.c.due < present), case.c.escalates < present)
    return (
        connection.execute(select(case.c.id).where(case.c.state.in_(OPEN_STATES), condition).limit(1)).first()
        is not None
    )


def ring(transaction: Transaction, book: RuleBook) -> int:
    """Carry out what is due now; returns how many cases changed. Rings that were missed are made up for once."""
    connection = transaction.connection
    case = tables.case
    present = now_text()
    late = connection.execute(
        select(case.c.id).where(case.c.state.in_(OPEN_STATES), ~case.c.overdue, case.c.due < present)
    ).scalars()
    changed = 0
    for identity in list(late):
        connection.execute(update(case).where(case.c.id == identity).values(overdue=True))
        add_deed(transaction, identity, SYSTEM, "overdue", "", open_to_concerned=True)
        changed += 1
    rising = connection.execute(select(case).where(case.c.state.in_(OPEN_STATES), case.c.escalates < present)).all()
    for row in map(row_dict, rising):
        following = book.handling.levels[row["level"]].next if row["level"] in book.handling.levels else None
        if following is None:
            connection.execute(update(case).where(case.c.id == row["id"]).values(escalates=None))
            continue
        # Who had it and did not close it does not get it again one level higher.
        people = [*concerned(connection, row["id"]), *([row["assignee"]] if row["assignee"] else [])]
        level, assignee = place(connection, book, following, row["unit"], people)
        wait = book.handling.tiers[int(row["tier"])].escalates_after
        connection.execute(
            update(case)
            .where(case.c.id == row["id"])
            .values(level=level, assignee=assignee,
                    escalates=now_text(wait) if book.handling.levels[level].next else None,
                    version=case.c.version + 1)
        )  # fmt: skip
        add_deed(transaction, row["id"], SYSTEM, "escalated", level, open_to_concerned=True)
        if assignee is not None:
            add_deed(transaction, row["id"], SYSTEM, "assigned", assignee, open_to_concerned=True)
        emit(transaction, "case.escalated", case=row["id"], rule=row["rule"], level=level)
        changed += 1
    return changed
