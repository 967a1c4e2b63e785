"""Release receipts and certificates of items: what they say in canonical form, signed by the center."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import segno
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from inspection_center.clock import now_text
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.declarations.item_codes import read_code
from inspection_center.declarations.tables import item, receipt
from inspection_center.problems import NotFound
from inspection_contract.canonical import canonical_bytes
from inspection_contract.signatures import SignatureError, SigningKey, VerifyKey


@dataclass(frozen=True)
class Signed:
    """A statement of the center: its content, the signature over its canonical bytes, and whether it still stands."""

    content: dict[str, Any]
    signature: str
    revoked: str | None

    def holds(self, key: VerifyKey) -> bool:
        """Whether the center made it."""
        try:
            key.verify(canonical_bytes(self.content), self.signature)
        except SignatureError:
            return False
        return True


def issue(transaction: Transaction, key: SigningKey, row: RowMapping, *, under: str, follow_up: str) -> str:
    """Issue the receipt of a release and return its id.

    Args:
        transaction: of the writer.
        key: the center's.
        row: the declaration.
        under: `documents` or `inspection`.
        follow_up: the condition that stays; empty without one.
    """
    identity = uuid4().hex
    content = {
        "purpose": "inspection.release",
        "id": identity,
        "declaration": row["id"],
        "registration_number": row["registration_number"],
        "number": row["number"],
        "kind": row["kind"],
        "released_on": under,
        "follow_up": follow_up,
        "containers": sorted({one["container"] for one in json.loads(row["content"])["items"] if one["container"]}),
        "issued": now_text(),
    }
    transaction.connection.execute(
        insert(receipt).values(
            id=identity,
            declaration=row["id"],
            issued=content["issued"],
            content=json.dumps(content, ensure_ascii=False),
            signature=key.sign(canonical_bytes(content)),
        )
    )
    return identity


def revoke(transaction: Transaction, identity: str) -> list[str]:
    """What was issued about a declaration no longer stands: its items' certificates, its receipts; returns these."""
    present = now_text()
    valid = (receipt.c.declaration == identity, receipt.c.revoked.is_(None))
    revoked = [str(row[0]) for row in transaction.connection.execute(select(receipt.c.id).where(*valid))]
    transaction.connection.execute(update(receipt).where(*valid).values(revoked=present))
    transaction.connection.execute(
        update(item).where(item.c.declaration == identity, item.c.revoked.is_(None)).values(revoked=present)
    )
    return revoked


def find(connection: Connection, identity: str) -> Signed:
    """A receipt by its id.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(select(receipt).where(receipt.c.id == identity)).first()
    if row is None:
        raise NotFound("there is no such receipt")
    return Signed(json.loads(row.content), row.signature, row.revoked)


def of_declaration(connection: Connection, identity: str) -> list[dict[str, Any]]:
    """The receipts of a declaration, oldest first."""
    rows = connection.execute(select(receipt).where(receipt.c.declaration == identity).order_by(receipt.c.issued))
    return [{**row_dict(row), "content": json.loads(row.content)} for row in rows]


def publish_items(transaction: Transaction, key: SigningKey, row: RowMapping, photos: list[dict[str, Any]]) -> int:
    """Show each item that carries a code to whoever reads that code; returns how many.

    Args:
        transaction: of the writer.
        key: the center's.
        row: the declaration.
        photos: references of evidence that the deciding officer released for the public.
    """
    number = 0
    for one in json.loads(row["content"])["items"]:
        if not one["code_kind"]:
            continue
        code = read_code(one["code_kind"], one["code"])
        content = {
            "purpose": "inspection.item",
            "kind": one["code_kind"],
            "code": code,
            "description": one["description"],
            "commodity_code": one["commodity_code"],
            "origin": one["origin"],
            "result": "released",
            "issued": now_text(),
            "photos": [photo["sha256"] for photo in photos],
        }
        # A code can be declared again (a car that left and came back): the newest release counts.
        transaction.connection.execute(delete(item).where(item.c.kind == one["code_kind"], item.c.code == code))
        transaction.connection.execute(
            insert(item).values(
                kind=one["code_kind"],
                code=code,
                declaration=row["id"],
                published=content["issued"],
                content=json.dumps(content, ensure_ascii=False),
                signature=key.sign(canonical_bytes(content)),
                photos=json.dumps(photos),
            )
        )
        number += 1
    return number


def qr_svg(text: str) -> str:
    """A QR code (ISO/IEC 18004, error correction M) as an SVG element that scales."""
    content = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        content, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4, light="#fff"
    )
    return content.getvalue().decode()
