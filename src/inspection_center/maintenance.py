"""What the center does by itself: sign checkpoints, let commands expire, remove what has had its time."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import DBAPIError

from inspection_center.alerts import SHOWN_STATES
from inspection_center.audit.log import record, sign_checkpoint
from inspection_center.clock import now_text
from inspection_center.commands.issuing import expire
from inspection_center.database import schema
from inspection_center.database.partitions import drop_days, prepare_days
from inspection_center.database.writer import StorageError, Transaction
from inspection_center.service import Center
from inspection_center.settings import RetentionSettings
from inspection_center.supervision.erasing import delete_old

_LOG = logging.getLogger(__name__)
_ROUND_S = 10.0
_RETENTION_ROUNDS = 360
_CHUNK = 5000
_UPLOAD_LIFE_S = 7 * 86400.0
_ACTOR = "center:retention"


async def keep_house(center: Center) -> None:
    """Run for ever; a database that is away is tried again in the next round."""
    rounds = 0
    while True:
        try:
            await center.write(lambda transaction: (expire(transaction), sign_checkpoint(transaction, center.key)))
            if rounds % _RETENTION_ROUNDS == 0:
                await center.write(lambda transaction: prepare_days(transaction.connection))
                await remove_old(center)
        except (StorageError, DBAPIError) as error:
            _LOG.warning("house-keeping waits: %s", error)
        rounds += 1
        await asyncio.sleep(_ROUND_S)


async def remove_old(center: Center) -> int:
    """Remove evidence and events whose time is over; returns how many pieces of evidence went.

    Evidence of alerts that are not decided yet stays, whatever its age. The bytes go first: a crash in between leaves a
    row whose bytes are gone, which the next round settles, and never bytes that no row knows.
    """
    retention = center.settings.retention
    await run_in_threadpool(center.uploads.sweep, _UPLOAD_LIFE_S)
    hashes = await run_in_threadpool(_overdue, center, retention)
    for start in range(0, len(hashes), _CHUNK):
        chunk = hashes[start : start + _CHUNK]
        for digest in chunk:
            await run_in_threadpool(center.blobs.remove, digest)
        await center.write(lambda transaction, chunk=chunk: _mark_removed(transaction, chunk))  # type: ignore[misc]
    if retention.events_days:
        before = now_text(-timedelta(days=retention.events_days))
        await center.write(lambda transaction: drop_days(transaction.connection, before))
        while await center.write(lambda transaction: _delete_events(transaction, before)) == _CHUNK:
            await asyncio.sleep(0)
        while await center.write(lambda transaction: delete_old(transaction, before, _CHUNK)) == _CHUNK:
            await asyncio.sleep(0)
    return len(hashes)


def _overdue(center: Center, retention: RetentionSettings) -> list[str]:
    blob = schema.blob
    found: list[str] = []
    with center.engine.connect() as connection:
        needed = _evidence_of_open_alerts(connection)
        for name in ("routine", "incident", "personal"):
            days = getattr(retention, f"{name}_evidence_days")
            if not days:
                continue
            rows = connection.execute(
                select(blob.c.sha256).where(
                    blob.c.removed.is_(None),
                    blob.c.retention == name,
                    blob.c.received < now_text(-timedelta(days=days)),
                )
            )
            found += [row[0] for row in rows if row[0] not in needed]
    return found


def _evidence_of_open_alerts(connection: Connection) -> set[str]:
    alert, incident, detection = schema.alert, schema.incident, schema.detection
    uuids = {
        row[0]
        for row in connection.execute(select(alert.c.id).where(alert.c.state.in_((*SHOWN_STATES, "handed_over"))))
    }
    merged = connection.execute(select(incident.c.detections).where(incident.c.uuid.in_(uuids)))
    uuids |= {uuid for row in merged for uuid in json.loads(row[0])}
    rows = connection.execute(select(detection.c.evidence).where(detection.c.uuid.in_(uuids)))
    return {item["sha256"] for row in rows for item in json.loads(row[0])}


def _mark_removed(transaction: Transaction, hashes: list[str]) -> None:
    blob = schema.blob
    transaction.connection.execute(update(blob).where(blob.c.sha256.in_(hashes)).values(removed=now_text()))
    record(transaction, _ACTOR, "retention.removed", "", evidence=len(hashes), first=hashes[:20])


def _delete_events(transaction: Transaction, before: str) -> int:
    event = schema.event
    numbers = select(event.c.number).where(event.c.received < before).order_by(event.c.number).limit(_CHUNK)
    return int(transaction.connection.execute(delete(event).where(event.c.number.in_(numbers))).rowcount)
