"""Whether the center lives, and whether it can really take a finding."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError

from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.database.writer import StorageError
from inspection_center.metrics import exposition
from inspection_center.service import center_of

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"description": "Findings cannot be stored now."}})
async def ready(request: Request) -> JSONResponse:
    """A real write to the database and to the evidence store went through."""
    try:
        await center_of(request).check()
    except (StorageError, DBAPIError) as error:
        return JSONResponse({"status": "unavailable", "detail": str(error)[:200]}, 503)
    return JSONResponse({"status": "ok"})


@router.get(
    "/metrics",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        401: {"description": "Not signed in."},
        403: {"description": "Not for this role."},
    },
    response_class=Response,
)
def metrics(request: Request, _reader: Annotated[Principal, Depends(require("statistics.read"))]) -> Response:
    """Figures for Prometheus (scrape with a service token)."""
    return Response(exposition(request.app.state.metrics), media_type="text/plain; version=0.0.4; charset=utf-8")
