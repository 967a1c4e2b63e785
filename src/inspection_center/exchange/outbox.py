"""What others are told: written in the transaction of the deed, so that nothing else is told, and nothing is lost."""

from __future__ import annotations

import json
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import insert, select

from inspection_center.clock import now_text
from inspection_center.database.writer import Transaction
from inspection_center.declarations.tables import receipt
from inspection_center.exchange.tables import outgoing

MessageType = Literal["inspection.release.v1", "inspection.release_revoked.v1", "inspection.alert.v1"]
RELEASE: MessageType = "inspection.release.v1"
"""The e-gate lets these containers out: the signed receipt itself."""
REVOCATION: MessageType = "inspection.release_revoked.v1"
ALERT: MessageType = "inspection.alert.v1"
TYPES: tuple[MessageType, ...] = (RELEASE, REVOCATION, ALERT)


def tell(transaction: Transaction, kind: MessageType, data: dict[str, Any], identity: str = "") -> str:
    """Put a message into the outbox, under an id of its own if none is given; returns the id."""
    identity = identity or str(uuid4())
    transaction.connection.execute(
        insert(outgoing).values(
            id=identity,
            type=kind,
            created=now_text(),
            data=json.dumps(data, ensure_ascii=False),
            addressed=False,
        )
    )
    return identity


def announce_release(transaction: Transaction, identity: str) -> str:
    """Tell e-gates of a release: its receipt with the center's signature, which they can check by themselves."""
    row = transaction.connection.execute(
        select(receipt.c.content, receipt.c.signature).where(receipt.c.id == identity)
    ).one()
    return tell(transaction, RELEASE, {"receipt": json.loads(row.content), "signature": row.signature})


def announce_revocation(transaction: Transaction, declaration: str, receipts: list[str]) -> None:
    """Tell e-gates that releases of a declaration no longer stand."""
    for identity in receipts:
        tell(transaction, REVOCATION, {"receipt": identity, "declaration": declaration, "revoked": now_text()})
