"""What the public finds under the code on an item, and under the QR code of a receipt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from inspection_center.declarations.receipts import Signed
from inspection_center.declarations.tables import item, receipt


@dataclass(frozen=True)
class PublishedItem:
    """An item's certificate and the references of the pictures released with it."""

    certificate: Signed
    photos: tuple[dict[str, Any], ...]


def find_item(connection: Connection, kind: str, code: str) -> PublishedItem | None:
    """What was published about an item; None without anything that still stands."""
    row = connection.execute(
        select(item).where(item.c.kind == kind, item.c.code == code, item.c.revoked.is_(None))
    ).first()
    if row is None:
        return None
    return PublishedItem(Signed(json.loads(row.content), row.signature, row.revoked), tuple(json.loads(row.photos)))


def find_receipt(connection: Connection, identity: str) -> Signed | None:
    """A receipt with what the public may see of it: not the company."""
    row = connection.execute(select(receipt).where(receipt.c.id == identity)).first()
    return None if row is None else Signed(json.loads(row.content), row.signature, row.revoked)
