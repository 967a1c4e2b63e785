"""The exchange with other systems, for programs: signed messages in, files in and out, deliveries, ships, CAP."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from sqlalchemy import Connection

from inspection_center.api.bodies import read_body
from inspection_center.api.events import Reader
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.exchange import cap, delivering, receiving, ships
from inspection_center.exchange.alerts import alert_message
from inspection_center.exchange.arrivals import Report, store
from inspection_center.exchange.files import export, load_export, load_import
from inspection_center.exchange.partners import webhook_key
from inspection_center.exchange.reading import MAXIMUM_BYTES, read_records
from inspection_center.exchange.signing import public_key_text
from inspection_center.service import center_of

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
router = APIRouter(prefix="/api/v1/exchange", tags=["exchange"])
ExchangeReader = Annotated[Principal, Depends(require("exchange.read"))]
ExchangeWriter = Annotated[Principal, Depends(require("exchange.write"))]
Importer = Annotated[Principal, Depends(require("declarations.receive"))]
DeclarationReader = Annotated[Principal, Depends(require("declarations.read"))]
Name = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,62}$")]
_LINE = {"description": "Refused; `detail` says why in one line."}
PROBLEMS: dict[int | str, dict[str, Any]] = dict.fromkeys((401, 403, 404, 409, 413, 422, 503), _LINE)
_ANY_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}
}


@router.post("/messages/{partner}", responses={**PROBLEMS, 400: _LINE}, openapi_extra=_ANY_BODY)
async def take_message(
    request: Request,
    partner: Name,
    identity: Annotated[str, Header(alias="webhook-id", max_length=2000)] = "",
    timestamp: Annotated[str, Header(alias="webhook-timestamp", max_length=2000)] = "",
    signature: Annotated[str, Header(alias="webhook-signature", max_length=2000)] = "",
) -> dict[str, Any]:
    """Take a partner's message, signed as Standard Webhooks has it. The same message once more is refused with 409."""
    center = center_of(request)
    body = await read_body(request, MAXIMUM_BYTES)
    try:
        records = receiving.check(center.partners.senders, partner, (identity, timestamp, signature), body)
    except receiving.UntrustedError as error:
        _LOG.info("message of %s refused: %s", partner, error)
        raise HTTPException(401, "this message cannot be trusted") from error
    report = await center.write(lambda transaction: receiving.take(transaction, center.key, partner, identity, records))
    return told(report)


@router.post("/imports/{mapping}", responses={**PROBLEMS, 400: _LINE}, openapi_extra=_ANY_BODY)
async def import_file(request: Request, officer: Importer, mapping: Name) -> dict[str, Any]:
    """Take a file's records by a mapping (`import_….yaml`); those that do not fit are refused with their line."""
    center = center_of(request)
    rules = load_import(center.settings, mapping)
    records = read_records(await read_body(request, MAXIMUM_BYTES), rules)
    report = await center.write(lambda transaction: store(transaction, center.key, officer.actor, mapping, records))
    return told(report)


@router.get(
    "/exports/{mapping}",
    responses={**PROBLEMS, 200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
def export_file(
    request: Request,
    _reader: DeclarationReader,
    mapping: Name,
    since: Annotated[str, Query(pattern=r"^(\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?)?$")] = "",
) -> Response:
    """Declarations that changed since a time, by a mapping (`export_….yaml`)."""
    rules = load_export(center_of(request).settings, mapping)
    content = _read(request, lambda connection: export(connection, rules, since))
    media_type = "text/csv; charset=utf-8" if rules.format == "csv" else "application/json"
    return Response(content, media_type=media_type)


@router.get("/deliveries", responses=PROBLEMS)
def list_deliveries(
    request: Request,
    _reader: ExchangeReader,
    state: Annotated[Literal["waiting", "delivered", "dead"] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """What partners were told, newest first; `dead` is what was given up."""
    return _read(request, lambda connection: delivering.list_deliveries(connection, state or "", limit))


@router.post("/deliveries/{number}/again", responses=PROBLEMS, status_code=204)
async def deliver_again(
    request: Request, officer: ExchangeWriter, number: Annotated[int, Path(ge=1, le=2**53 - 1)]
) -> Response:
    """Try a dead letter again."""
    await center_of(request).write(lambda transaction: delivering.again(transaction, officer, number))
    return Response(status_code=204)


@router.get("/key")
def show_key(request: Request) -> dict[str, str]:
    """The public key that checks our Ed25519 webhooks (`v1a`), and the one that checks receipts and certificates."""
    key = center_of(request).key
    return {"webhooks": public_key_text(webhook_key(key)), "receipts": key.public.to_text()}


@router.get("/ships", responses=PROBLEMS)
def list_ships(request: Request, _reader: Reader) -> list[dict[str, Any]]:
    """Ships heard over AIS in the last minutes."""
    origin = center_of(request).settings.map_origin
    return _read(request, lambda connection: ships.list_ships(connection, origin))


@router.get(
    "/alerts/{alert_id}.cap",
    responses={**PROBLEMS, 200: {"content": {"application/cap+xml": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
def export_alert(request: Request, _reader: Reader, alert_id: UUID) -> Response:
    """An alert as a CAP 1.2 document."""
    settings = center_of(request).settings
    data = _read(request, lambda connection: alert_message(connection, str(alert_id), settings.map_origin))
    content = cap.write_alert(data, settings.public_url or "inspection-center")
    return Response(content, media_type="application/cap+xml")


def told(report: Report) -> dict[str, Any]:
    """A report as JSON."""
    refused = [{"place": one.place, "reason": one.reason} for one in report.refused]
    return {"accepted": list(report.accepted), "repeated": report.repeated, "refused": refused}


def _read(request: Request, query: Callable[[Connection], T]) -> T:
    with center_of(request).engine.connect() as connection:
        return query(connection)
