"""Handling cases by people: taking, noting, answering, closing with a reason and, where it is grave, a second person.

Fair process: whom a case concerns sees it and answers, and handles nothing of it; a violation is found only after the
persons concerned have answered or had the time to; every look and every deed is in the audit log.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Connection, select, update

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now, now_text, parse
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.problems import Conflict, NotFound, Unfit
from inspection_center.supervision import tables
from inspection_center.supervision.cases import OPEN_STATES, add_deed
from inspection_center.supervision.events import emit
from inspection_center.supervision.reading import RuleBook

Outcome = Literal["no_fault", "explained", "corrected", "violation", "system_fault"]
OUTCOMES: tuple[str, ...] = ("no_fault", "explained", "corrected", "violation", "system_fault")
_SHORTEST_REASON = 10


class NotYours(Conflict):
    """This person may not do this with this case."""

    status = 403


def look(transaction: Transaction, identity: str, reader: Principal) -> None:
    """Record that somebody looks at a case.

    Raises:
        NotFound: there is no such case.
        NotYours: it concerns the reader, who sees it on the page for that.
    """
    case = _case(transaction.connection, identity)
    if reader.name in concerned(transaction.connection, identity):
        raise NotYours("this case is about you: see what concerns you")
    record(transaction, reader.actor, "case.viewed", identity)
    emit(
        transaction,
        "case.viewed",
        reader,
        case=identity,
        rule=case["rule"],
        handler=case["assignee"] == reader.name,
    )


def look_at_own(transaction: Transaction, identity: str, person: Principal) -> None:
    """Record that the person concerned looks at a case.

    Raises:
        NotFound: there is no such case, or it concerns somebody else.
    """
    _must_concern(transaction.connection, identity, person)
    record(transaction, person.actor, "case.viewed", identity, concerned=True)


def take(transaction: Transaction, book: RuleBook, identity: str, handler: Principal) -> None:
    """Take a case into one's hands.

    Raises:
        NotFound: there is no such case.
        NotYours: it concerns the handler, is at another level, or a program asks.
        Conflict: it is closed or somebody's own already.
    """
    case = _handled(transaction.connection, book, identity, handler)
    if case["assignee"] == handler.name:
        raise Conflict("this case is in your hands already")
    _change(transaction, case, assignee=handler.name)
    add_deed(transaction, identity, handler.name, "taken", "", open_to_concerned=True)
    record(transaction, handler.actor, "case.taken", identity)


def note(
    transaction: Transaction, book: RuleBook, identity: str, handler: Principal, words: str, open_to_concerned: bool
) -> None:
    """Add a note; the persons concerned read it only if it is meant for them.

    Raises:
        NotFound: there is no such case.
        NotYours: it concerns the handler, is at another level, or a program asks.
        Conflict: it is closed.
        Unfit: the note is empty.
    """
    _handled(transaction.connection, book, identity, handler)
    if not words.strip():
        raise Unfit("a note needs words")
    add_deed(transaction, identity, handler.name, "noted", words.strip(), open_to_concerned=open_to_concerned)
    record(transaction, handler.actor, "case.noted", identity)


def answer(transaction: Transaction, identity: str, person: Principal, words: str) -> None:
    """Answer as the person concerned.

    Raises:
        NotFound: there is no such case, or it concerns somebody else.
        Conflict: it is closed.
        Unfit: the answer is empty.
    """
    case = _must_concern(transaction.connection, identity, person)
    if case["state"] not in OPEN_STATES:
        raise Conflict("this case is closed")
    if not words.strip():
        raise Unfit("an answer needs words")
    table = tables.concerned
    transaction.connection.execute(
        update(table).where(table.c.case == identity, table.c.account == person.name).values(answered=now_text())
    )
    if case["state"] == "proposed":  # What was proposed was proposed without knowing this.
        _change(transaction, case, state="open", proposed_by=None, outcome="", reason="")
    add_deed(transaction, identity, person.name, "answered", words.strip(), open_to_concerned=True)
    record(transaction, person.actor, "case.answered", identity)
    emit(transaction, "case.answered", person, case=identity, rule=case["rule"])


def close(
    transaction: Transaction, book: RuleBook, identity: str, handler: Principal, outcome: Outcome, reason: str
) -> str:
    """Close a case, or propose it where a second person must agree; returns the state it is in then.

    Raises:
        NotFound: there is no such case.
        NotYours: it concerns the handler, is at another level or in another's hands, or a program asks.
        Conflict: it is closed or proposed already, or the persons concerned can still answer.
        Unfit: the reason says too little.
    """
    connection = transaction.connection
    case = _handled(connection, book, identity, handler)
    reason = reason.strip()
    if len(reason) < _SHORTEST_REASON:
        raise Unfit(f"closing needs a reason of at least {_SHORTEST_REASON} characters")
    if case["assignee"] != handler.name:
        raise NotYours("take the case first")
    if case["state"] == "proposed":
        raise Conflict("closing is proposed already")
    if outcome == "violation" and not _heard(connection, case):
        raise Conflict("the persons concerned have not answered yet and still have time to")
    if book.handling.tiers[int(case["tier"])].second_person:
        _change(transaction, case, state="proposed", proposed_by=handler.name, outcome=outcome, reason=reason)
        add_deed(transaction, identity, handler.name, "proposed", f"{outcome}: {reason}", open_to_concerned=False)
        record(transaction, handler.actor, "case.proposed", identity, outcome=outcome, reason=reason)
        return "proposed"
    _close(transaction, case, handler, outcome, reason)
    return "closed"


def confirm(transaction: Transaction, identity: str, second: Principal) -> None:
    """Agree to a proposed closing, as another person.

    Raises:
        NotFound: there is no such case.
        NotYours: it concerns the second person, who proposed it himself, or a program asks.
        Conflict: nothing is proposed.
    """
    case = _proposed(transaction.connection, identity, second)
    _close(transaction, case, second, case["outcome"], case["reason"])


def send_back(transaction: Transaction, identity: str, second: Principal, reason: str) -> None:
    """Refuse a proposed closing; the case goes on.

    Raises:
        NotFound: there is no such case.
        NotYours: it concerns the second person, who proposed it himself, or a program asks.
        Conflict: nothing is proposed.
        Unfit: no reason is given.
    """
    case = _proposed(transaction.connection, identity, second)
    if not reason.strip():
        raise Unfit("sending back needs a reason")
    _change(transaction, case, state="open", proposed_by=None, outcome="", reason="")
    add_deed(transaction, identity, second.name, "sent_back", reason.strip(), open_to_concerned=False)
    record(transaction, second.actor, "case.sent_back", identity, reason=reason.strip())


def concerned(connection: Connection, identity: str) -> dict[str, str | None]:
    """Whom a case concerns, and when each answered."""
    table = tables.concerned
    rows = connection.execute(
        select(table.c.account, table.c.answered).where(table.c.case == identity).order_by(table.c.account)
    )
    return {str(row[0]): row[1] for row in rows}


def _close(transaction: Transaction, case: dict[str, Any], closer: Principal, outcome: str, reason: str) -> None:
    identity = str(case["id"])
    _change(transaction, case, state="closed", outcome=outcome, reason=reason, closed=now_text(), escalates=None)
    add_deed(transaction, identity, closer.name, "closed", f"{outcome}: {reason}", open_to_concerned=True)
    record(transaction, closer.actor, "case.closed", identity, outcome=outcome, reason=reason)
    people = list(concerned(transaction.connection, identity))
    emit(
        transaction,
        "case.closed",
        closer,
        case=identity,
        rule=case["rule"],
        outcome=outcome,
        tier=int(case["tier"]),
        officer=people[0] if people else "",
        seconds=(now() - parse(case["opened"])).total_seconds(),
    )


def _heard(connection: Connection, case: dict[str, Any]) -> bool:
    answers = concerned(connection, str(case["id"]))
    return all(answers.values()) or str(case["answer_due"]) <= now_text()


def _handled(connection: Connection, book: RuleBook, identity: str, handler: Principal) -> dict[str, Any]:
    case = _case(connection, identity)
    _must_be_impartial(connection, identity, handler)
    if case["state"] not in OPEN_STATES:
        raise Conflict("this case is closed")
    if handler.role != book.handling.levels[str(case["level"])].role:
        raise NotYours(f"this case is at the level {case['level']}")
    return case


def _proposed(connection: Connection, identity: str, second: Principal) -> dict[str, Any]:
    case = _case(connection, identity)
    _must_be_impartial(connection, identity, second)
    if case["state"] != "proposed":
        raise Conflict("nothing is proposed")
    if case["proposed_by"] == second.name:
        raise NotYours("another person must agree")
    return case


def _must_be_impartial(connection: Connection, identity: str, handler: Principal) -> None:
    if handler.kind != "officer":
        raise NotYours("a program handles no cases")
    if handler.name in concerned(connection, identity):
        raise NotYours("this case is about you")


def _must_concern(connection: Connection, identity: str, person: Principal) -> dict[str, Any]:
    case = _case(connection, identity)
    if person.kind != "officer" or person.name not in concerned(connection, identity):
        raise NotFound("there is no such case")
    return case


def _case(connection: Connection, identity: str) -> dict[str, Any]:
    row = connection.execute(select(tables.case).where(tables.case.c.id == identity)).first()
    if row is None:
        raise NotFound("there is no such case")
    return row_dict(row)


def _change(transaction: Transaction, case: dict[str, Any], **values: Any) -> None:
    table = tables.case
    transaction.connection.execute(
        update(table).where(table.c.id == case["id"]).values(**values, version=table.c.version + 1)
    )
