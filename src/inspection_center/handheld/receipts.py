"""Receipts: what an inspection found, signed by the center, checked by anybody who holds the paper."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import Any

import segno
from sqlalchemy import Connection, RowMapping, insert, select

from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.database.writer import Transaction
from inspection_center.handheld.tables import order_receipt
from inspection_center.problems import NotFound
from inspection_contract.canonical import canonical_bytes
from inspection_contract.signatures import SigningKey

_PURPOSE = b"inspection receipt v1\n"
"""Begins what is signed, so that no other signature of the center can pass for a receipt's."""
_PRIVATE = ("officer", "remark")


@dataclass(frozen=True)
class Receipt:
    """A receipt as it was issued: `body` is covered by `signature` (Ed25519, base64url)."""

    number: str
    body: dict[str, Any]
    signature: str


def issue_receipt(
    transaction: Transaction, key: SigningKey, officer: Principal, order: RowMapping, steps: list[dict[str, Any]]
) -> str:
    """Issue the receipt of an order that is finished and return its number."""
    issued = now_text()
    number = f"{issued[:10].replace('-', '')}-{order['id']}"
    found = {step["kind"]: step for step in steps}
    result = found["result"]
    body = {
        "number": number,
        "order": order["id"],
        "place": order["place_name"],
        "issued": issued,
        "officer": officer.name,
        "result": result["value"],
        "remark": result["note"],
        "container": found.get("container_number", {}).get("number", ""),
        "seal": found.get("seal", {}).get("number", ""),
        "steps": [
            {
                "kind": step["kind"],
                "state": step["state"],
                "value": step.get("value", ""),
                "photos": [item["sha256"] for item in step.get("evidence", ())],
            }
            for step in steps
        ],
    }
    signed = canonical_bytes(body)
    transaction.connection.execute(
        insert(order_receipt).values(
            number=number,
            order_id=order["id"],
            issued=issued,
            body=signed.decode(),
            signature=key.sign(_PURPOSE + signed),
        )
    )
    return number


def read_receipt(connection: Connection, number: str) -> Receipt:
    """A receipt.

    Raises:
        NotFound: none was issued under this number.
    """
    row = connection.execute(select(order_receipt).where(order_receipt.c.number == number)).mappings().first()
    if row is None:
        raise NotFound("there is no such receipt")
    return Receipt(number, json.loads(row["body"]), row["signature"])


def check_receipt(connection: Connection, key: SigningKey, number: str, signature: str) -> Receipt:
    """What whoever holds a receipt may see of it: not who inspected, nor the remarks.

    Raises:
        NotFound: no such receipt, or this is not its signature; the two cannot be told apart.
    """
    receipt = read_receipt(connection, number)
    if not hmac.compare_digest(receipt.signature.encode(), signature.encode()):
        raise NotFound("there is no such receipt")
    key.public.verify(_PURPOSE + canonical_bytes(receipt.body), signature)
    return Receipt(number, {name: value for name, value in receipt.body.items() if name not in _PRIVATE}, signature)


def qr_svg(address: str) -> str:
    """An address as a QR code (SVG, inline); level M, so that a creased paper still reads."""
    return str(segno.make(address, error="m", micro=False).svg_inline(scale=4, border=4, dark="#000", light="#fff"))
