"""The pages anybody may open: no sign-in, no cookie, no script but the one that solves the challenge."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from sqlalchemy import Connection

from inspection_center.clock import now_text
from inspection_center.database.writer import Transaction
from inspection_center.declarations.item_codes import ITEM_CODE_KINDS, read_code
from inspection_center.declarations.lookup import derived_key, lookup_digest
from inspection_center.declarations.receipts import qr_svg
from inspection_center.draws.outcomes import entry_of
from inspection_center.pages.rendering import LANGUAGES, render
from inspection_center.public import challenge, items, progress, statistics, subjects
from inspection_center.public.limits import PublicLimits
from inspection_center.service import Center, center_of
from inspection_center.supervision.events import emit

T = TypeVar("T")
router = APIRouter(prefix="/public", include_in_schema=False)
Line = Annotated[str, Form(max_length=200)]
_STATISTICS_DAYS = 30
_HEADERS = {"Cache-Control": "no-store"}


@router.get("")
def home(request: Request) -> HTMLResponse:
    """What can be asked here."""
    return _page(request, "public_home.html")


@router.get("/progress")
def progress_form(request: Request) -> HTMLResponse:
    """The form with its challenges."""
    if not _allowed(request, "pages_by_address"):
        return _busy(request)
    return _form(request)


@router.post("/progress")
async def show_progress(
    request: Request,
    registration_number: Line = "",
    number: Line = "",
    token: Annotated[str, Form(max_length=1000)] = "",
    answer: Line = "",
    sum_token: Annotated[str, Form(max_length=1000)] = "",
    sum_answer: Line = "",
) -> Response:
    """How far a declaration is: the same answer for every pair of numbers that is none."""
    if not _allowed(request, "by_address"):
        return await _refuse(request, "address")
    center = center_of(request)
    secret = derived_key(center.key, "public.challenge")
    try:
        given = (token, answer) if answer else (sum_token, sum_answer)
        solved = challenge.check(secret, *given, time.time())
        if solved.kind == "sum" and not _allowed(request, "sums_by_address"):
            return await _refuse(request, "address")
        lookup = lookup_digest(center.key, registration_number, number)
        if not _allowed_numbers(request, center, registration_number, lookup):
            return await _refuse(request, "number")
        found = await run_in_threadpool(_read, center, lambda connection: progress.find_progress(connection, lookup))
        await center.write(lambda transaction: _use(transaction, solved, found))
    except challenge.ChallengeError:
        return _form(request, 403, failed=True)
    if found is None:
        return _page(request, "public_progress.html", 404, progress=None, path_of_stages=progress.PATH)
    entry = await run_in_threadpool(_read, center, lambda connection: entry_of(connection, found["reference"]))
    return _page(request, "public_progress.html", progress=found, entry=entry, path_of_stages=progress.PATH)


@router.get("/items")
def item_form(
    request: Request,
    kind: Annotated[str, Query(max_length=20)] = "",
    code: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Type a code that cannot be scanned; a VIN is checked by its check digit."""
    if not _allowed(request, "by_address"):
        return _busy(request)
    if not code.strip():
        return _page(request, "public_item.html", item=None, fault="", kind=kind, code="", kinds=ITEM_CODE_KINDS)
    try:
        read = read_code(kind, code)
    except ValueError:
        return _page(
            request, "public_item.html", 422, item=None, fault="malformed", kind=kind, code=code, kinds=ITEM_CODE_KINDS
        )
    language = request.query_params.get("language", "")
    suffix = f"?language={language}" if language in LANGUAGES else ""
    return RedirectResponse(f"/public/items/{kind}/{read}{suffix}", 303)


@router.get("/items/{kind}/{code}")
async def show_item(request: Request, kind: str, code: str) -> Response:
    """What was published about the item that carries a code."""
    if not _allowed(request, "by_address"):
        return _busy(request)
    found = await _item(request, kind, code)
    values: dict[str, Any] = {"kind": kind[:20], "code": code[:80], "kinds": ITEM_CODE_KINDS}
    if found is None:
        return _page(request, "public_item.html", 404, item=None, fault="unknown", **values)
    certificate = found.certificate
    address = f"{base_url(request)}/public/items/{certificate.content['kind']}/{certificate.content['code']}"
    holds = certificate.holds(center_of(request).key.public)
    return _page(request, "public_item.html", item=found, holds=holds, fault="", qr=qr_svg(address), **values)


@router.get("/items/{kind}/{code}/certificate.json")
async def show_certificate(request: Request, kind: str, code: str) -> Response:
    """An item's certificate with its signature and the key that checks it."""
    if not _allowed(request, "by_address"):
        return _busy(request)
    found = await _item(request, kind, code)
    if found is None:
        return JSONResponse({"detail": "there is no such item"}, 404, headers=_HEADERS)
    signed, key = found.certificate, center_of(request).key.public.to_text()
    return JSONResponse({"content": signed.content, "signature": signed.signature, "key": key}, headers=_HEADERS)


@router.get("/items/{kind}/{code}/photos/{sha256}")
async def show_photo(request: Request, kind: str, code: str, sha256: str) -> Response:
    """A picture that was released with an item, and no other."""
    if not _allowed(request, "pages_by_address"):
        return _busy(request)
    found = await _item(request, kind, code)
    photo = next((one for one in found.photos if one["sha256"] == sha256), None) if found is not None else None
    pieces = None if photo is None else await run_in_threadpool(center_of(request).blobs.read, sha256)
    if photo is None or pieces is None:
        return JSONResponse({"detail": "there is no such picture"}, 404, headers=_HEADERS)
    return StreamingResponse(pieces, media_type=photo["media_type"], headers=_HEADERS)


@router.get("/receipts/{receipt_id}")
async def show_receipt(request: Request, receipt_id: str) -> Response:
    """Whether a release receipt is ours and still stands: where its QR code leads."""
    if not _allowed(request, "by_address"):
        return _busy(request)
    center = center_of(request)
    found = await run_in_threadpool(_read, center, lambda connection: items.find_receipt(connection, receipt_id[:40]))
    if found is None:
        return _page(request, "public_receipt.html", 404, receipt=None)
    return _page(request, "public_receipt.html", receipt=found, holds=found.holds(center.key.public))


@router.get("/statistics")
async def show_statistics(request: Request) -> Response:
    """Published figures of the last days."""
    if not _allowed(request, "pages_by_address"):
        return _busy(request)
    since = now_text(-timedelta(days=_STATISTICS_DAYS))[:10]
    figures = await run_in_threadpool(
        _read, center_of(request), lambda connection: statistics.published(connection, since)
    )
    smallest = statistics.SMALLEST_SHOWN
    return _page(request, "public_statistics.html", figures=figures, days=_STATISTICS_DAYS, smallest=smallest)


@router.get("/subjects")
async def show_subjects(request: Request) -> HTMLResponse:
    """The menu 1 … 9 of the robot's voice."""
    menu = await run_in_threadpool(subjects.subjects, public_language(request), datetime.now(UTC).date())
    return _page(request, "public_subjects.html", menu=menu, digit=None, person=subjects.PERSON)


@router.get("/subjects/{digit}")
async def show_subject(request: Request, digit: str) -> HTMLResponse:
    """The questions and answers under a digit."""
    menu = await run_in_threadpool(subjects.subjects, public_language(request), datetime.now(UTC).date())
    if digit not in {str(one) for one in menu.names}:
        return _page(request, "public_problem.html", 404, problem="no_page")
    return _page(request, "public_subjects.html", menu=menu, digit=int(digit), person=subjects.PERSON)


def public_language(request: Request) -> str:
    """The language in the address, else what the browser accepts, else the installation's; no cookie."""
    chosen = request.query_params.get("language", "")
    if chosen in LANGUAGES:
        return chosen
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return center_of(request).settings.language


def base_url(request: Request) -> str:
    """How others reach this center."""
    return (center_of(request).settings.public_url or str(request.base_url)).rstrip("/")


def _page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    text = render(template, public_language(request), path=request.url.path, **values)
    return HTMLResponse(text, status, headers=_HEADERS)


def _form(request: Request, status: int = 200, failed: bool = False) -> HTMLResponse:
    secret = derived_key(center_of(request).key, "public.challenge")
    present = time.time()
    return _page(
        request,
        "public_progress_form.html",
        status,
        failed=failed,
        work=challenge.make(secret, "work", present),
        sum=challenge.make(secret, "sum", present),
        bits=challenge.WORK_BITS,
    )


def _busy(request: Request) -> HTMLResponse:
    answer = _page(request, "public_problem.html", 429, problem="too_often")
    answer.headers["Retry-After"] = "60"
    return answer


async def _refuse(request: Request, reason: str) -> Response:
    """Too many questions: told, and left for supervision without the address itself."""
    center = center_of(request)
    client = hashlib.sha256(derived_key(center.key, "public.client") + _address(request).encode()).hexdigest()[:16]
    await center.write(lambda transaction: emit(transaction, "enquiry.refused", "", client=client, reason=reason))
    return _busy(request)


def _use(transaction: Transaction, solved: challenge.Solved, found: dict[str, Any] | None) -> None:
    challenge.use(transaction, solved)
    emit(transaction, "enquiry.answered", "", declaration=found["reference"] if found else "")


def _limits(request: Request) -> PublicLimits:
    limits: PublicLimits = request.app.state.public_limits
    return limits


def _allowed(request: Request, limit: str) -> bool:
    return bool(getattr(_limits(request), limit).allows(_address(request), monotonic()))


def _allowed_numbers(request: Request, center: Center, registration_number: str, lookup: str) -> bool:
    limits, present = _limits(request), monotonic()
    company = lookup_digest(center.key, registration_number, "")
    by_company = limits.by_registration.allows(company, present)
    return limits.by_declaration.allows(lookup, present) and by_company


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _item(request: Request, kind: str, code: str) -> items.PublishedItem | None:
    try:
        read = read_code(kind, code[:80])
    except ValueError:
        return None
    center = center_of(request)
    return await run_in_threadpool(_read, center, lambda connection: items.find_item(connection, kind, read))


def _read(center: Center, query: Callable[[Connection], T]) -> T:
    with center.engine.connect() as connection:
        return query(connection)
