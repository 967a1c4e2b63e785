"""Telling partners: each message until they say they have it, later and later, then to the dead letters."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import StorageError, Transaction
from inspection_center.exchange import cap
from inspection_center.exchange.alerts import announce_decided
from inspection_center.exchange.outbox import ALERT
from inspection_center.exchange.partners import Target
from inspection_center.exchange.signing import sign
from inspection_center.exchange.tables import delivery, outgoing
from inspection_center.problems import NotFound
from inspection_center.service import Center

_LOG = logging.getLogger(__name__)
MAXIMUM_ATTEMPTS = 12
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 4 * 3600.0
_TIMEOUT_S = 10.0
_ROUND_S = 2.0
_CHUNK = 50


def wait_s(attempts: int, chance: float) -> float:
    """How long to wait after so many failed attempts: doubling from 5 s to 4 h, half of it by chance.

    Args:
        attempts: failed so far, from 1.
        chance: 0 … 1, so that partners that came back are not all told in the same second.
    """
    longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (attempts - 1))
    return longest * (0.5 + 0.5 * chance)


def address(transaction: Transaction, targets: dict[str, Target]) -> int:
    """Make a delivery for each partner of each new message; returns how many."""
    rows = transaction.connection.execute(
        select(outgoing.c.number, outgoing.c.type)
        .where(~outgoing.c.addressed)
        .order_by(outgoing.c.number)
        .limit(_CHUNK)
    ).all()
    present = now_text()
    made = [
        {"outgoing": number, "partner": name, "state": "waiting", "attempts": 0, "next_attempt": present,
         "changed": present, "fault": ""}
        for number, kind in rows
        for name, target in targets.items()
        if kind in target.receives.types
    ]  # fmt: skip
    if made:
        transaction.connection.execute(insert(delivery), made)
    if rows:
        numbers = [row[0] for row in rows]
        transaction.connection.execute(update(outgoing).where(outgoing.c.number.in_(numbers)).values(addressed=True))
    return len(made)


def due(connection: Connection) -> list[dict[str, Any]]:
    """Deliveries whose time has come, oldest message first."""
    rows = connection.execute(
        select(delivery, outgoing.c.id.label("message"), outgoing.c.type, outgoing.c.created, outgoing.c.data)
        .join(outgoing, outgoing.c.number == delivery.c.outgoing)
        .where(delivery.c.state == "waiting", delivery.c.next_attempt <= now_text())
        .order_by(delivery.c.outgoing)
        .limit(_CHUNK)
    )
    return [row_dict(row) for row in rows]


def body_of(row: dict[str, Any], target: Target, sender: str) -> tuple[bytes, str]:
    """The bytes and media type of a message for a partner."""
    data = json.loads(row["data"])
    if target.receives.format == "cap":
        return cap.write_alert(data, sender), "application/cap+xml"
    told = {"type": row["type"], "timestamp": row["created"], "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"


async def deliver(http: httpx.AsyncClient, row: dict[str, Any], target: Target, sender: str) -> str:
    """Try once; returns what went wrong, empty when the partner took it (any 2xx)."""
    body, media_type = body_of(row, target, sender)
    headers = {"content-type": media_type, **sign(target.signer, row["message"], int(time.time()), body)}
    try:
        answer = await http.post(target.receives.url, content=body, headers=headers)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"[:500]
    return "" if answer.is_success else f"answered {answer.status_code}"


def settle(transaction: Transaction, number: int, attempts: int, fault: str) -> None:
    """Write down how an attempt went; `attempts` counts this one."""
    state = "delivered" if not fault else "dead" if attempts >= MAXIMUM_ATTEMPTS else "waiting"
    wait = timedelta(seconds=wait_s(attempts, random.random()))
    transaction.connection.execute(
        update(delivery)
        .where(delivery.c.number == number, delivery.c.state == "waiting")
        .values(state=state, attempts=attempts, next_attempt=now_text(wait), changed=now_text(), fault=fault)
    )
    if state == "dead":
        record(transaction, "center:exchange", "delivery.dead", str(number), fault=fault)


def again(transaction: Transaction, officer: Principal, number: int) -> None:
    """Try a dead letter again from the beginning.

    Raises:
        NotFound: there is no such dead letter.
    """
    changed = transaction.connection.execute(
        update(delivery)
        .where(delivery.c.number == number, delivery.c.state == "dead")
        .values(state="waiting", attempts=0, next_attempt=now_text(), changed=now_text())
    )
    if changed.rowcount == 0:
        raise NotFound("there is no such dead letter")
    record(transaction, officer.actor, "delivery.again", str(number))


def list_deliveries(connection: Connection, state: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Deliveries, newest first."""
    query = (
        select(delivery, outgoing.c.type, outgoing.c.id.label("message"))
        .join(outgoing, outgoing.c.number == delivery.c.outgoing)
        .order_by(delivery.c.number.desc())
        .limit(limit)
    )
    if state:
        query = query.where(delivery.c.state == state)
    return [row_dict(row) for row in connection.execute(query)]


def delivery_counts(connection: Connection) -> dict[str, int]:
    """How many deliveries are in each state."""
    rows = connection.execute(select(delivery.c.state, func.count()).group_by(delivery.c.state))
    return {str(row[0]): int(row[1]) for row in rows}


async def deliver_for_ever(center: Center) -> None:
    """The worker of an instance; a database that is away is tried again in the next round."""
    targets = center.partners.targets
    sender = center.settings.public_url or "inspection-center"
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as http:
        while targets:
            try:
                await _round(center, http, targets, sender)
            except (StorageError, DBAPIError) as error:
                _LOG.warning("deliveries wait: %s", error)
            await asyncio.sleep(_ROUND_S)


async def _round(center: Center, http: httpx.AsyncClient, targets: dict[str, Target], sender: str) -> None:
    origin = center.settings.map_origin
    if any(ALERT in target.receives.types for target in targets.values()):
        await center.write(lambda transaction: announce_decided(transaction, origin))
    await center.write(lambda transaction: address(transaction, targets))

    def read() -> list[dict[str, Any]]:
        with center.engine.connect() as connection:
            return due(connection)

    for row in await asyncio.to_thread(read):
        target = targets.get(row["partner"])
        fault = "no longer a partner" if target is None else await deliver(http, row, target, sender)
        attempts = MAXIMUM_ATTEMPTS if target is None else row["attempts"] + 1
        await center.write(
            lambda transaction, row=row, attempts=attempts, fault=fault: settle(  # type: ignore[misc]
                transaction, row["number"], attempts, fault
            )
        )
