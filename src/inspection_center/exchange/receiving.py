"""Signed messages of partners: the signature first, then whether the message is new, then its records."""

from __future__ import annotations

import time
from datetime import timedelta

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from inspection_center.clock import now_text
from inspection_center.database.writer import Transaction
from inspection_center.exchange.arrivals import Report, store
from inspection_center.exchange.partners import Sender
from inspection_center.exchange.reading import Record, Refused, read_records
from inspection_center.exchange.signing import TOLERANCE_S, verify
from inspection_center.exchange.tables import message
from inspection_center.problems import Conflict
from inspection_contract.signatures import SignatureError, SigningKey

_KEPT = timedelta(seconds=4 * TOLERANCE_S)
"""Ids are kept longer than a message can be taken: before and after its time stamp, with both clocks off."""


class UntrustedError(Exception):
    """Whoever sent this is not who he says; the text is for our log and not for him."""


def check(
    senders: dict[str, Sender], partner: str, headers: tuple[str, str, str], body: bytes
) -> list[Record | Refused]:
    """Check a message and read it; headers are id, time stamp and signature.

    Raises:
        UntrustedError: no such partner, or the signature does not hold.
        Unfit: it is not of the partner's format.
    """
    sender = senders.get(partner)
    if sender is None:
        raise UntrustedError("there is no such partner")
    try:
        verify(sender.verifier, *headers, body, time.time())
    except SignatureError as error:
        raise UntrustedError(str(error)) from error
    return read_records(body, sender.mapping)


def take(
    transaction: Transaction, key: SigningKey, partner: str, identity: str, records: list[Record | Refused]
) -> Report:
    """Take a checked message in.

    Raises:
        Conflict: a message with this id was taken before.
    """
    try:
        with transaction.connection.begin_nested():
            transaction.connection.execute(insert(message).values(partner=partner, id=identity, received=now_text()))
    except IntegrityError as error:
        raise Conflict(f"message {identity} was taken before") from error
    transaction.connection.execute(delete(message).where(message.c.received < now_text(-_KEPT)))
    return store(transaction, key, f"partner:{partner}", partner, records)
