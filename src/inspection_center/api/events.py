"""The event log for those who read: pages and a stream, both with a cursor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from inspection_center.api import sse
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.database import schema
from inspection_center.problems import NotFound
from inspection_center.service import center_of
from inspection_center.tail import LogEvent, Tail, read_log
from inspection_contract.receipts import StoredEvent
from inspection_contract.schemas import json_schemas
from inspection_contract.streams import asyncapi

router = APIRouter(prefix="/api/v1", tags=["findings"])
Reader = Annotated[Principal, Depends(require("findings.read"))]
Cursor = Annotated[int | None, Query(ge=0, le=2**53 - 1, description="Number of the last event already seen.")]
READER_PROBLEMS: dict[int | str, dict[str, str]] = {
    code: {"description": "Refused; `detail` says why in one line."} for code in (401, 403)
}
_SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "audio/wav", "application/json", "text/csv"})


@router.get("/asyncapi.json")
def describe_streams(request: Request) -> dict[str, Any]:
    """The event streams in AsyncAPI 3. Public, like the OpenAPI description."""
    return asyncapi(center_of(request).settings.public_url or str(request.base_url).rstrip("/"))


@router.get("/schemas/{name}", responses={404: {"description": "There is no such event or command."}})
def show_schema(name: Annotated[str, Path(max_length=100)]) -> dict[str, Any]:
    """JSON Schema of an event or command type. Public."""
    schema_of_name = json_schemas().get(name)
    if schema_of_name is None:
        raise NotFound("there is no such event or command")
    return schema_of_name


@router.get("/events", responses=READER_PROBLEMS)
async def list_events(
    request: Request, _reader: Reader, after: Cursor = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[StoredEvent]:
    """Stored events after a cursor, oldest first."""
    events = await run_in_threadpool(read_log, center_of(request).engine, after or 0, limit)
    return [stored_event(event) for event in events]


@router.get(
    "/events/stream",
    responses={**READER_PROBLEMS, 200: {"content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    response_class=StreamingResponse,
)
async def stream_events(request: Request, _reader: Reader, after: Cursor = None) -> StreamingResponse:
    """Stored events as they arrive; without a cursor from now on. Each is told after its commit."""
    tail = center_of(request).tail
    return sse.stream(_frames(tail, sse.resume_from(request, after, tail.last)))


@router.get(
    "/blobs/{sha256}",
    responses={**READER_PROBLEMS, 404: {"description": "Not here (any more)."}, 422: {"description": "No hash."}},
    response_class=StreamingResponse,
)
async def get_evidence(
    request: Request, _reader: Reader, sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
) -> StreamingResponse:
    """Evidence by its hash. What a browser might run is never given a type that it would."""
    center = center_of(request)
    media_type = await run_in_threadpool(_media_type, request, sha256)
    pieces = center.blobs.read(sha256) if media_type is not None else None
    if pieces is None or media_type is None:
        raise HTTPException(404, "this evidence is not here")
    shown = media_type in _SHOWN_TYPES
    return StreamingResponse(
        pieces,
        media_type=media_type if shown else "application/octet-stream",
        headers={
            "Content-Disposition": "inline" if shown else "attachment",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, max-age=86400, immutable",
        },
    )


def stored_event(event: LogEvent) -> StoredEvent:
    """A row of the log as the contract tells it."""
    return StoredEvent.model_validate(
        {
            "number": event.number,
            "robot": event.robot,
            "sequence": event.sequence,
            "type": event.type,
            "time": event.time,
            "received": event.received,
            "data": json.loads(event.data),
        }
    )


async def _frames(tail: Tail, cursor: int) -> AsyncIterator[bytes]:
    yield sse.KEEP_ALIVE
    async for events in tail.stream(cursor):
        if not events:
            yield sse.KEEP_ALIVE
        for event in events:
            yield sse.frame(stored_event(event).model_dump_json(), event=event.type, cursor=event.number)


def _media_type(request: Request, sha256: str) -> str | None:
    blob = schema.blob
    with center_of(request).engine.connect() as connection:
        return connection.execute(
            select(blob.c.media_type).where(blob.c.sha256 == sha256, blob.c.removed.is_(None))
        ).scalar()
