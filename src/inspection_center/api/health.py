"""Whether the center lives, and whether it can really take a finding."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError

from inspection_center.database.writer import StorageError
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
