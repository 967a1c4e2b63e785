"""Erasing a person: the key of what is sealed, the name in the audit log, what robots were given."""

from __future__ import annotations

import json

from sqlalchemy import select, update

from inspection_center import watchlist
from inspection_center.audit import log as audit
from inspection_center.auth import accounts
from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.personal import destroy_key
from inspection_contract.commands import WatchlistUpdate

_ENTRY = "watchlist:"


def erase(transaction: Transaction, actor: str, subject: str) -> int:
    """Erase a subject (see `personal`) or, without a colon, an account's person; returns how many audit entries.

    The audit log's tree and proofs stay whole. An entry of the watch-list also leaves the list and the commands that
    were sent with it; robots forget it with the next list that is published.

    Raises:
        NotFound: there is no such subject or account.
    """
    if ":" not in subject:
        return accounts.erase(transaction, actor, subject)
    destroy_key(transaction.connection, subject)
    entries = 0
    if subject.startswith(_ENTRY):
        identity = subject.removeprefix(_ENTRY)
        watchlist.forget_entry(transaction, identity)
        _scrub_commands(transaction, identity)
        entries = audit.erase_object(transaction, "watchlist.", identity)
    audit.record(transaction, actor, audit.ERASURE, "", kind=subject.split(":")[0], entries=entries)
    return entries


def _scrub_commands(transaction: Transaction, identity: str) -> None:
    """Take an entry out of the lists that were sent; one not applied yet lapses, for its signature no longer holds."""
    table = schema.command
    rows = transaction.connection.execute(
        select(table.c.number, table.c.state, table.c.data).where(
            table.c.type == WatchlistUpdate.TYPE, table.c.data.contains(json.dumps(identity), autoescape=True)
        )
    ).all()
    for number, state, data in rows:
        values = json.loads(data)
        kept = [entry for entry in values["entries"] if entry["id"] != identity]
        if len(kept) == len(values["entries"]):
            continue
        changes = {"data": json.dumps({**values, "entries": kept}, ensure_ascii=False)}
        if state == "issued":
            changes |= {"state": "superseded", "state_time": now_text(), "expires": now_text()}
        transaction.connection.execute(update(table).where(table.c.number == number).values(**changes))
