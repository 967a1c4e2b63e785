"""The handheld: orders step by step, photos, what was recorded offline, receipts."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, insert, update

from inspection_center import orders
from inspection_center.api.bodies import read_body
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.blobs import BlobError
from inspection_center.clock import now_text
from inspection_center.commands.doorbell import ALERTS
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.handheld.receipts import check_receipt, qr_svg, read_receipt
from inspection_center.handheld.records import CHOICES, StepRecord, store
from inspection_center.pages.rendering import Words, language_of, page
from inspection_center.pages.sign_in import limit_of
from inspection_center.problems import Unfit
from inspection_center.service import center_of
from inspection_contract.fields import SHA256_PATTERN

T = TypeVar("T")
router = APIRouter(include_in_schema=False)
Inspector = Annotated[Principal, Depends(require("orders.write"))]
_STATIC = Path(__file__).resolve().parents[1] / "static"
_FINISHED_SHOWN = timedelta(hours=24)
_PHOTO_BYTES = 12 * 2**20
_RECORDS_BYTES = 2**20
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_MANIFEST_COLOUR = "#0d2b3e"


class Records(BaseModel):
    """What a handheld sends: in the order in which it was recorded."""

    model_config = ConfigDict(extra="forbid")

    records: Annotated[list[StepRecord], Field(max_length=200)]


@router.get("/handheld")
async def handheld_page(request: Request, officer: Inspector) -> HTMLResponse:
    """The page; what it shows comes from `/handheld/state` or, offline, from what the handheld keeps."""
    return page(request, "handheld.html", officer, choices=CHOICES)


@router.get("/handheld/state")
async def handheld_state(request: Request, officer: Inspector) -> JSONResponse:
    """Orders to do, to take and just finished, and what a form of this session needs."""
    since = now_text(-_FINISHED_SHOWN)
    found = await _read(request, lambda connection: orders.orders_of(connection, officer.name, since))
    for order in found:
        order["mine"] = order["assignee"] == officer.name
    content = {"officer": officer.name, "csrf": officer.csrf, "time": now_text(), "orders": found}
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


@router.put("/handheld/photos/{sha256}")
async def put_photo(
    request: Request, officer: Inspector, sha256: Annotated[str, InPath(pattern=SHA256_PATTERN)]
) -> Response:
    """Store a photo under its hash; the same again costs nothing."""
    center = center_of(request)
    photo = await read_body(request, _PHOTO_BYTES)
    media_type = "image/jpeg" if photo.startswith(_JPEG) else "image/png" if photo.startswith(_PNG) else ""
    if not media_type:
        raise HTTPException(415, "neither JPEG nor PNG")
    if hashlib.sha256(photo).hexdigest() != sha256:
        raise Unfit("the bytes do not have this hash")
    try:
        size = await center.blobs.put(sha256, _once(photo), _PHOTO_BYTES)
    except BlobError as error:
        raise HTTPException(error.status, str(error)) from error

    def job(transaction: Transaction) -> None:
        blob = schema.blob
        values: dict[str, Any] = {"removed": None, "received": now_text(), "retention": "incident"}
        changed = transaction.connection.execute(update(blob).where(blob.c.sha256 == sha256).values(**values))
        if changed.rowcount == 0:
            made_by = f"officer:{officer.name}"[:63]
            transaction.connection.execute(
                insert(blob).values(sha256=sha256, media_type=media_type, size_bytes=size, robot=made_by, **values)
            )

    await center.write(job)
    return Response(status_code=201)


@router.post("/handheld/records")
async def put_records(request: Request, officer: Inspector) -> JSONResponse:
    """Store what was recorded; each record is answered by its id with why it is refused, or nothing."""
    center = center_of(request)
    given = Records.model_validate_json(await read_body(request, _RECORDS_BYTES))
    answers: dict[str, str] = {}
    for item in given.records:
        answers[str(item.id)] = await center.write(
            lambda transaction, item=item: store(transaction, center.key, officer, item)  # type: ignore[misc]
        )
    center.ring(ALERTS)
    return JSONResponse({"answers": answers}, headers={"Cache-Control": "no-store"})


@router.get("/handheld/manifest.webmanifest")
def manifest(request: Request) -> JSONResponse:
    """What makes the page installable. Public: it says nothing."""
    language = language_of(request)
    words = Words(language)
    return JSONResponse(
        {
            "id": "/handheld",
            "name": f"{words('handheld.title')} · {words('center.title')}",
            "short_name": words("handheld.title"),
            "lang": "zh-CN" if language == "zh" else "en",
            "start_url": "/handheld",
            "scope": "/",
            "display": "standalone",
            "background_color": _MANIFEST_COLOUR,
            "theme_color": _MANIFEST_COLOUR,
            "icons": [
                {"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
                {"src": "/static/handheld/icon-192.png", "sizes": "192x192", "type": "image/png"},
                {
                    "src": "/static/handheld/icon-512.png",
                    "sizes": "512x512",
                    "type": "image/png",
                    "purpose": "maskable",
                },
            ],
        },
        media_type="application/manifest+json",
    )


@router.get("/handheld-worker.js")
def worker() -> FileResponse:
    """The service worker; it lies at the root because a worker sees only what lies below it."""
    return FileResponse(
        _STATIC / "handheld" / "worker.js", media_type="text/javascript", headers={"Cache-Control": "no-cache"}
    )


@router.get("/receipts/{number}")
async def receipt_page(request: Request, officer: Inspector, number: str) -> HTMLResponse:
    """A receipt to print or to show."""
    center = center_of(request)
    receipt = await _read(request, lambda connection: read_receipt(connection, number))
    base = center.settings.public_url or str(request.base_url).rstrip("/")
    code = Markup(qr_svg(f"{base}/receipts/{number}/{receipt.signature}"))
    fingerprint = center.key.public.to_text()
    return page(request, "order_receipt.html", officer, receipt=receipt, code=code, key=fingerprint, public=False)


@router.get("/receipts/{number}/{signature}", dependencies=[Depends(limit_of)])
async def check_page(request: Request, number: str, signature: str) -> HTMLResponse:
    """What the QR code leads to: public, for whoever holds the receipt, and nothing about anything else."""
    center = center_of(request)
    receipt = await _read(request, lambda connection: check_receipt(connection, center.key, number, signature))
    fingerprint = center.key.public.to_text()
    return page(request, "order_receipt.html", None, receipt=receipt, code="", key=fingerprint, public=True)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _read(request: Request, query: Callable[[Connection], T]) -> T:
    center = center_of(request)

    def run() -> T:
        with center.engine.connect() as connection:
            return query(connection)

    return await run_in_threadpool(run)
