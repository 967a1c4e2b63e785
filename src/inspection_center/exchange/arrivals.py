"""Records that arrive: each taken once, whatever comes twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from inspection_center.clock import now_text
from inspection_center.database.writer import Transaction
from inspection_center.declarations.automatic import accept
from inspection_center.exchange.reading import Record, Refused
from inspection_center.exchange.tables import arrival
from inspection_center.problems import Problem
from inspection_center.supervision.events import emit
from inspection_contract.canonical import canonical_bytes
from inspection_contract.signatures import SigningKey

_MAXIMUM_TOLD = 1000


@dataclass(frozen=True)
class Report:
    """What became of an import: ids of new declarations, how many were there already, what was refused and why."""

    accepted: tuple[str, ...]
    repeated: int
    refused: tuple[Refused, ...]


def store(
    transaction: Transaction, key: SigningKey, actor: str, partner: str, records: Sequence[Record | Refused]
) -> Report:
    """Take records in. One that cannot be taken costs the others nothing; the same once more changes nothing.

    Args:
        transaction: of the writer.
        key: the center's.
        actor: as the audit log names who imports.
        partner: the system they come from; external ids are its own.
        records: as read.
    """
    accepted: list[str] = []
    refused: list[Refused] = []
    repeated = 0
    for one in records:
        if isinstance(one, Refused):
            refused.append(one)
            continue
        digest = hashlib.sha256(canonical_bytes(one.declaration.model_dump(mode="json"))).hexdigest()
        known = transaction.connection.execute(
            select(arrival.c.digest).where(arrival.c.partner == partner, arrival.c.external_id == one.external_id)
        ).scalar()
        if known is not None:
            if known == digest:
                repeated += 1
            else:
                refused.append(Refused(one.place, f"{one.external_id} was taken before with another content"))
            continue
        savepoint = transaction.connection.begin_nested()
        try:
            identity = accept(transaction, key, actor, partner, one.declaration)
        except Problem as problem:
            savepoint.rollback()
            refused.append(Refused(one.place, str(problem)))
            continue
        transaction.connection.execute(
            insert(arrival).values(
                partner=partner,
                external_id=one.external_id,
                digest=digest,
                declaration=identity,
                received=now_text(),
            )
        )
        savepoint.commit()
        accepted.append(identity)
    emit(
        transaction,
        "import.received",
        "",
        source=partner,
        records=len(records),
        repeated=repeated > 0 and not accepted,
        refused=bool(refused) and not accepted,
        reason=f"{refused[0].place}: {refused[0].reason}" if refused else "",
    )
    return Report(tuple(accepted), repeated, tuple(refused[:_MAXIMUM_TOLD]))
