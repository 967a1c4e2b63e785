"""Pages of declarations and of the exchange: list, one with its deeds, receipt to print, import, deliveries, ships."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from inspection_center.api.declarations import Reader, carry_out, check_permission
from inspection_center.api.exchange import ExchangeReader, ExchangeWriter, Importer
from inspection_center.auth.permissions import Principal
from inspection_center.database.writer import StorageError
from inspection_center.declarations import queries, receipts
from inspection_center.declarations.model import KINDS
from inspection_center.declarations.officers import PERMISSION_OF, NewDeed
from inspection_center.declarations.states import State
from inspection_center.exchange import delivering, ships
from inspection_center.exchange.arrivals import store
from inspection_center.exchange.files import load_import, mappings
from inspection_center.exchange.reading import MAXIMUM_BYTES, read_records
from inspection_center.pages.public import base_url
from inspection_center.pages.rendering import page
from inspection_center.problems import NotFound, Unfit
from inspection_center.service import Center, center_of
from inspection_center.supervision.events import emit

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)
Line = Annotated[str, Form(max_length=200)]
_STATES = tuple(state.value for state in State)


@router.get("/declarations")
async def declarations_page(
    request: Request,
    officer: Reader,
    state: Annotated[str, Query(max_length=16)] = "",
    kind: Annotated[str, Query(max_length=16)] = "",
    late: Annotated[str, Query(max_length=3)] = "",
) -> HTMLResponse:
    """The newest declarations, and the import of a file."""
    center = center_of(request)
    found = await _read(
        center,
        lambda connection: queries.list_declarations(
            connection,
            state=state if state in _STATES else "",
            kind=kind if kind in KINDS else "",
            late=bool(late),
        ),
    )
    return page(
        request, "declarations.html", officer, declarations=found, report=None, **_choices(center, state, kind, late)
    )


@router.post("/declarations/import")
async def import_file(request: Request, officer: Importer, mapping: Line, file: UploadFile) -> HTMLResponse:
    """Take a file's declarations; what is refused is shown with its line."""
    center = center_of(request)
    content = await file.read(MAXIMUM_BYTES + 1)
    records = await run_in_threadpool(lambda: read_records(content, load_import(center.settings, mapping)))
    report = await center.write(lambda transaction: store(transaction, center.key, officer.actor, mapping, records))
    found = await _read(center, queries.list_declarations)
    return page(
        request, "declarations.html", officer, declarations=found, report=report, **_choices(center, "", "", "")
    )


@router.get("/declarations/{declaration_id}")
async def declaration_page(request: Request, officer: Reader, declaration_id: str) -> HTMLResponse:
    """One declaration, and what may be done about it."""

    def query(connection: Connection) -> dict[str, Any]:
        return {
            "declaration": queries.details(connection, declaration_id),
            "photos": queries.photos(connection, declaration_id),
        }

    center = center_of(request)
    found = await _read(center, query)
    company = found["declaration"]["registration_number"]
    _tell_viewed(center, officer, declaration_id, company)
    possible = [
        deed for deed in found["declaration"]["possible"] if deed in PERMISSION_OF and officer.may(PERMISSION_OF[deed])
    ]
    return page(request, "declaration.html", officer, deeds=possible, **found)


@router.post("/declarations/{declaration_id}/deeds")
async def deed(
    request: Request,
    officer: Reader,
    declaration_id: str,
    deed: Line,
    reason: Annotated[str, Form(max_length=4000)] = "",
    inspector: Line = "",
    robot: Line = "",
    due_minutes: Line = "60",
    place_name: Line = "",
    follow_up: Line = "",
    follow_up_days: Line = "30",
    photos: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Do something about a declaration."""
    wanted = NewDeed.model_validate(
        {
            "deed": deed,
            "reason": reason,
            "inspector": inspector,
            "robot": robot or None,
            "due_minutes": _number(due_minutes),
            "place_name": place_name,
            "follow_up": follow_up,
            "follow_up_days": _number(follow_up_days),
            "photos": photos or [],
        }
    )
    check_permission(officer, wanted)
    await carry_out(center_of(request), officer, declaration_id, wanted)
    return RedirectResponse(f"/declarations/{declaration_id}", 303)


@router.get("/declarations/{declaration_id}/receipt")
async def receipt_page(request: Request, officer: Reader, declaration_id: str) -> HTMLResponse:
    """The newest valid receipt, to print: its QR code leads to the public check."""
    center = center_of(request)
    found = await _read(center, lambda connection: receipts.of_declaration(connection, declaration_id))
    valid = [one for one in found if one["revoked"] is None]
    if not valid:
        raise NotFound("there is no valid receipt")
    receipt = valid[-1]
    await center.write(
        lambda transaction: emit(
            transaction, "receipt.printed", officer, declaration=declaration_id, order="", copies=1
        )
    )
    address = f"{base_url(request)}/public/receipts/{receipt['id']}"
    return page(request, "receipt.html", officer, receipt=receipt, qr=receipts.qr_svg(address), address=address)


@router.get("/exchange")
async def exchange_page(
    request: Request, officer: ExchangeReader, state: Annotated[str, Query(max_length=16)] = ""
) -> HTMLResponse:
    """Messages to partners, the dead letters among them, and ships heard."""
    center = center_of(request)

    def query(connection: Connection) -> dict[str, Any]:
        return {
            "deliveries": delivering.list_deliveries(connection, "dead" if state == "dead" else ""),
            "counts": delivering.delivery_counts(connection),
            "ships": ships.list_ships(connection, center.settings.map_origin),
        }

    return page(request, "exchange.html", officer, state=state, **await _read(center, query))


@router.post("/exchange/deliveries/{number}/again")
async def deliver_again(request: Request, officer: ExchangeWriter, number: int) -> Response:
    """Try a dead letter again."""
    await center_of(request).write(lambda transaction: delivering.again(transaction, officer, number))
    return RedirectResponse("/exchange", 303)


def _tell_viewed(center: Center, officer: Principal, declaration_id: str, company: str) -> None:
    """Nobody waits for this; what the officer decides next is written by the same writer, hence after it."""
    try:
        center.writer.submit(
            lambda transaction: emit(
                transaction, "declaration.viewed", officer, declaration=declaration_id, company=company
            )
        )
    except StorageError as error:
        _LOG.warning("a look at declaration %s is not recorded: %s", declaration_id, error)


def _choices(center: Center, state: str, kind: str, late: str) -> dict[str, Any]:
    return {
        "states": _STATES,
        "kinds": KINDS,
        "mappings": list(mappings(center.settings, "import")),
        "chosen": {"state": state, "kind": kind, "late": bool(late)},
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Unfit(f"{text[:20]!r} is no number") from None


async def _read(center: Center, query: Callable[[Connection], T]) -> T:
    def read() -> T:
        with center.engine.connect() as connection:
            return query(connection)

    return await run_in_threadpool(read)
