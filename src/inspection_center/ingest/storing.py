"""A batch into the database: exactly once and in order by the outbox's sequence, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, insert, select, update

from inspection_center.clock import text
from inspection_center.database import schema
from inspection_center.database.bulk import insert_rows
from inspection_center.database.writer import Transaction
from inspection_center.ingest.projections import project
from inspection_center.ingest.reading import Batch
from inspection_center.ingest.sealing import seal_event
from inspection_center.personal import Vault
from inspection_center.supervision.events import emit
from inspection_contract.receipts import IngestReceipt, QuarantinedEvent


class SequenceGapError(Exception):
    """Events are missing before this batch; the robot shall go on from `expected`."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        super().__init__(f"expected sequence {expected}")


@dataclass(frozen=True)
class Arrival:
    """The circumstances of a batch."""

    received: datetime
    clock_offset_s: float
    outbox_first: int
    """Lowest sequence the robot's outbox still holds: what lies before it and is not here is lost and said so."""


_EVENT_COLUMNS = ("sequence", "id", "type", "time", "data", "outbox", "robot", "received")
_EVENT_FIELDS = 5
"""How many of the columns are the first fields of a `ReadEvent`."""
# Made once: making a statement costs more than running it.
_LAST = select(schema.outbox.c.last_sequence).where(schema.outbox.c.id == bindparam("outbox"))
_ADVANCE = (
    update(schema.outbox)
    .where(schema.outbox.c.id == bindparam("outbox"))
    .values(
        last_sequence=bindparam("acknowledged"),
        missing=schema.outbox.c.missing + bindparam("newly_missing", type_=BigInteger),
    )
)
_SEEN = (
    update(schema.robot)
    .where(schema.robot.c.name == bindparam("robot"))
    .values(last_seen=bindparam("received"), clock_offset_s=bindparam("offset_s"))
)


def store_batch(transaction: Transaction, batch: Batch, arrival: Arrival, vault: Vault) -> IngestReceipt:
    """Store what is new of a batch.

    Raises:
        SequenceGapError: the batch begins after what is expected and the robot still holds what lies between.
    """
    connection = transaction.connection
    last = connection.execute(_LAST, {"outbox": batch.outbox}).scalar()
    if last is None:
        connection.execute(insert(schema.outbox).values(id=batch.outbox, robot=batch.robot, last_sequence=0, missing=0))
        last = 0
    missing = 0
    if batch.first > last + 1:
        if arrival.outbox_first <= last + 1:
            raise SequenceGapError(last + 1)
        missing = batch.first - last - 1
    fresh = batch.events[max(0, last + 1 - batch.first) :]
    acknowledged = max(last, batch.events[-1].sequence)
    received = text(arrival.received)
    good = [
        seal_event(vault, connection, batch.robot, event) if event.personal else event
        for event in fresh
        if not event.fault
    ]
    bad = [event for event in fresh if event.fault]
    if good:
        insert_rows(
            connection,
            schema.event,
            _EVENT_COLUMNS,
            [(*event[:_EVENT_FIELDS], batch.outbox, batch.robot, received) for event in good],
        )
        project(connection, batch.robot, good, received)
    if bad:
        emit(transaction, "robot.quarantined", robot=batch.robot, events=len(bad))
        connection.execute(
            insert(schema.quarantine),
            [
                {
                    "robot": batch.robot,
                    "outbox": batch.outbox,
                    "sequence": event.sequence,
                    "received": received,
                    "reason": event.fault[:2000],
                    "data": event.data,
                }
                for event in bad
            ],
        )
    if missing:
        emit(transaction, "robot.findings_missing", robot=batch.robot, missing=missing)
    if fresh:
        connection.execute(_ADVANCE, {"outbox": batch.outbox, "acknowledged": acknowledged, "newly_missing": missing})
    connection.execute(_SEEN, {"robot": batch.robot, "received": received, "offset_s": arrival.clock_offset_s})
    return IngestReceipt(
        acknowledged=acknowledged,
        stored=len(good),
        duplicates=len(batch.events) - len(fresh),
        quarantined=tuple(
            QuarantinedEvent(sequence=event.sequence, id=UUID(event.id), reason=event.fault[:2000]) for event in bad
        ),
        clock_offset_s=arrival.clock_offset_s,
    )
