"""What is done about declarations: each deed checked against the table of states, its duties and its time, then kept.

Everything happens inside the caller's transaction: the new state, the deed in the declaration's history and the audit
entry are there together or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from inspection_center.audit.log import record
from inspection_center.clock import now_text
from inspection_center.database.writer import Transaction
from inspection_center.declarations import separation
from inspection_center.declarations.deadlines import ALLOWED
from inspection_center.declarations.lookup import lookup_digest
from inspection_center.declarations.model import NewDeclaration
from inspection_center.declarations.states import NEEDS_REASON, Deed, Duty, State, after, duty_of
from inspection_center.declarations.tables import declaration, declaration_deed, declaration_duty
from inspection_center.problems import Conflict, NotFound, Unfit
from inspection_contract.signatures import SigningKey

CENTER_ACTOR = "center:declarations"


def receive(transaction: Transaction, key: SigningKey, actor: str, source: str, new: NewDeclaration) -> str:
    """Keep a new declaration and return its id.

    Raises:
        Conflict: the company has declared under this number before.
    """
    identity = uuid4().hex[:20]
    present = now_text()
    values = {
        "id": identity,
        "registration_number": new.registration_number,
        "number": new.number,
        "kind": new.kind,
        "company": new.company,
        "content": new.model_dump_json(include={"items", "documents", "attributes"}),
        "lookup": lookup_digest(key, new.registration_number, new.number),
        "state": State.RECEIVED.value,
        "version": 1,
        "received": present,
        "changed": present,
        "due": now_text(ALLOWED[State.RECEIVED]),
        "source": source,
    }
    try:
        with transaction.connection.begin_nested():
            transaction.connection.execute(insert(declaration).values(**values))
    except IntegrityError as error:
        raise Conflict(f"{new.registration_number} has declared under number {new.number} before") from error
    _note(transaction, identity, "receive", "", State.RECEIVED, actor, "", {"source": source, "kind": new.kind})
    return identity


def change(
    transaction: Transaction,
    actor: str,
    identity: str,
    deed: Deed,
    reason: str = "",
    *,
    person: str = "",
    due: timedelta | None = None,
    details: Mapping[str, Any] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> State:
    """Do a deed and return the state it led to.

    Args:
        transaction: of the writer.
        actor: as the audit log names who does it.
        identity: of the declaration.
        deed: what is done.
        reason: why; some deeds need it.
        person: the officer whose duty the deed is; empty for the center itself.
        due: how long the new state may last; without it as `ALLOWED` says.
        details: what else the history tells.
        columns: further columns that change with it.

    Raises:
        NotFound: there is no such declaration.
        Conflict: the deed is not possible now, or not for this person.
        Unfit: a reason is missing.
    """
    reason = reason.strip()
    if deed in NEEDS_REASON and not reason:
        raise Unfit(f"{deed} needs a reason")
    row = find(transaction, identity)
    before = State(row["state"])
    state = after(before, deed)
    if deed is Deed.SPOT_CHECK and not row["on_documents"]:
        raise Conflict("only a release on documents is spot-checked")
    duty = duty_of(deed, before)
    if duty is not None and person:
        take_duty(transaction, identity, duty, person)
    allowed = due if due is not None else ALLOWED.get(state)
    transaction.connection.execute(
        update(declaration)
        .where(declaration.c.id == identity)
        .values(
            state=state.value,
            version=declaration.c.version + 1,
            changed=now_text(),
            due=None if allowed is None else now_text(allowed),
            **(columns or {}),
        )
    )
    _note(transaction, identity, deed, before, state, actor, reason, details or {})
    return state


def take_duty(transaction: Transaction, identity: str, duty: Duty, person: str) -> None:
    """Write down that a person has a duty about a declaration.

    Raises:
        Conflict: the person had another duty that excludes it.
    """
    table = declaration_duty
    rows = transaction.connection.execute(
        select(table.c.duty, table.c.person).where(table.c.declaration == identity)
    ).all()
    held = [(row[0], row[1]) for row in rows]
    separation.check(held, duty, person)
    if (duty, person) not in held:
        transaction.connection.execute(insert(table).values(declaration=identity, duty=duty, person=person))


def find(transaction: Transaction, identity: str) -> RowMapping:
    """A declaration as it stands.

    Raises:
        NotFound: there is no such declaration.
    """
    row = transaction.connection.execute(select(declaration).where(declaration.c.id == identity)).mappings().first()
    if row is None:
        raise NotFound("there is no such declaration")
    return row


def _note(
    transaction: Transaction,
    identity: str,
    deed: str,
    before: str,
    state: State,
    actor: str,
    reason: str,
    details: Mapping[str, Any],
) -> None:
    transaction.connection.execute(
        insert(declaration_deed).values(
            declaration=identity,
            time=now_text(),
            deed=deed,
            from_state=before,
            to_state=state.value,
            actor=actor,
            reason=reason,
            details=json.dumps(dict(details), ensure_ascii=False, sort_keys=True),
        )
    )
    record(transaction, actor, f"declaration.{deed}", identity, state=state.value, reason=reason, **details)
