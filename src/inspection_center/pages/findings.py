"""The live page: findings as they arrive, with their evidence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, StreamingResponse

from inspection_center.api import sse
from inspection_center.api.events import Reader
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.database import queries
from inspection_center.pages.rendering import language_of, page, render
from inspection_center.service import center_of
from inspection_center.tail import LogEvent, Tail
from inspection_contract.events import Detection

router = APIRouter(include_in_schema=False)
_SHOWN = 100


@router.get("/findings")
async def findings_page(request: Request, reader: Reader) -> HTMLResponse:
    """The newest findings, then every further one as it is stored."""
    center = center_of(request)
    cursor = center.tail.last
    rows = await run_in_threadpool(queries.detections, center.engine, _SHOWN)
    return page(request, "findings.html", reader, findings=rows, cursor=cursor)


@router.get("/findings/stream")
async def findings_stream(
    request: Request,
    _reader: Annotated[Principal, Depends(require("findings.read"))],
    after: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
) -> StreamingResponse:
    """Findings as rows of the page."""
    tail = center_of(request).tail
    return sse.stream(_rows(tail, sse.resume_from(request, after, tail.last), language_of(request)))


def finding_of(event: LogEvent) -> dict[str, Any]:
    """A detection event as a row of the detections table."""
    body = json.loads(event.data)
    position = (body.get("pose") or {}).get("position") or {}
    return {
        "value": None,
        "unit": "",
        "standard_uncertainty": None,
        "subject": "",
        "evidence": [],
        "attributes": {},
        "rule_id": "",
        "rule_version": "",
        **body,
        "robot": event.robot,
        "received": event.received,
        "x": position.get("x"),
        "y": position.get("y"),
    }


async def _rows(tail: Tail, cursor: int, language: str) -> AsyncIterator[bytes]:
    yield sse.KEEP_ALIVE
    async for events in tail.stream(cursor):
        if not events:
            yield sse.KEEP_ALIVE
        for event in events:
            if event.type == Detection.TYPE:
                row = render("finding_row.html", language, finding=finding_of(event))
                yield sse.frame(row, event="finding", cursor=event.number)
