"""Personal data: opened for those who may, each look recorded; erased for good."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from inspection_center.api.events import stored_event
from inspection_center.api.officers import PROBLEMS
from inspection_center.audit.log import record
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.erasure import erase
from inspection_center.ingest.sealing import open_event
from inspection_center.problems import NotFound
from inspection_center.service import center_of
from inspection_center.tail import LogEvent
from inspection_contract.receipts import StoredEvent

router = APIRouter(prefix="/api/v1", tags=["personal data"])


class Erasure(BaseModel):
    """Who shall be erased: `watchlist:<entry>`, `session:<robot>:<session>` or `person:<robot>:<subject>`."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(pattern=r"^(watchlist|session|person):[^\u0000]{1,280}$")]


class Erased(BaseModel):
    """What an erasure changed apart from the sealed data itself."""

    audit_entries: int


@router.post("/events/{number}/personal", responses=PROBLEMS)
async def open_personal(
    request: Request,
    reader: Annotated[Principal, Depends(require("personal.read"))],
    number: Annotated[int, Path(ge=1, le=2**53 - 1)],
) -> StoredEvent:
    """An event with what it seals opened. Who looked is recorded."""
    center = center_of(request)

    def job(transaction: Transaction) -> StoredEvent:
        table = schema.event
        columns = (table.c.number, table.c.robot, table.c.sequence, table.c.type, table.c.time, table.c.received)
        row = transaction.connection.execute(select(*columns, table.c.data).where(table.c.number == number)).first()
        if row is None:
            raise NotFound("there is no such event")
        event = LogEvent(*row)
        values = open_event(center.vault, transaction.connection, event.robot, event.type, json.loads(event.data))
        record(transaction, reader.actor, "personal.read", str(number))
        return stored_event(event._replace(data=json.dumps(values)))

    return await center.write(job)


@router.post("/personal/erasures", responses=PROBLEMS, status_code=201)
async def erase_person(
    request: Request, officer: Annotated[Principal, Depends(require("personal.erase"))], erasure: Erasure
) -> Erased:
    """Destroy the key of all that is sealed about a person. Nothing brings it back."""
    entries = await center_of(request).write(lambda transaction: erase(transaction, officer.actor, erasure.subject))
    return Erased(audit_entries=entries)
