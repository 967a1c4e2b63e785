"""What supervisors, auditors and administrators work with: watch-list, statistics, audit, quarantine, accounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from inspection_center import robots, statistics, watchlist
from inspection_center.api.events import Reader
from inspection_center.auth import accounts
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import OFFICER_ROLES, Principal
from inspection_center.clock import now_text
from inspection_center.database import queries
from inspection_center.pages.rendering import page
from inspection_center.problems import Unfit
from inspection_center.service import center_of
from inspection_center.supervision.events import emit
from inspection_contract.errors import InputError

T = TypeVar("T")
router = APIRouter(include_in_schema=False)
ListReader = Annotated[Principal, Depends(require("watchlist.read"))]
ListWriter = Annotated[Principal, Depends(require("watchlist.write"))]
Administrator = Annotated[Principal, Depends(require("accounts.write"))]
Line = Annotated[str, Form(max_length=500)]
Part = Annotated[str, Query(max_length=80)]
Day = Annotated[str, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
_IMPORT_BYTES = 20 * 2**20
_CSV_COLUMNS = ("hour", "kind", "findings", "alarms")


@router.get("/watchlist")
async def watchlist_page(request: Request, officer: ListReader) -> HTMLResponse:
    """The list, and which version each robot holds."""
    center = center_of(request)
    settings = center.settings

    def query(connection: Connection) -> dict[str, Any]:
        return {
            "entries": watchlist.list_entries(connection, center.vault),
            "version": watchlist.version(connection),
            "robots": robots.overview(connection, settings),
        }

    found = await _read(request, query)
    shown = len(found["entries"])
    await center.write(lambda transaction: emit(transaction, "watchlist.viewed", officer, entries=shown))
    return page(request, "watchlist.html", officer, kinds=watchlist.KINDS, **found)


@router.post("/watchlist")
async def add_to_watchlist(
    request: Request,
    officer: ListWriter,
    identity: Annotated[str, Form(alias="id", max_length=64)],
    kind: Line,
    identifier: Line,
    birth_date: Line = "",
    advice: Line = "",
    expires: Line = "",
) -> Response:
    """Add one entry."""
    row = {"id": identity, "kind": kind, "identifier": identifier, "birth_date": birth_date, "advice": advice}
    center = center_of(request)
    await center.write(
        lambda transaction: watchlist.add_entries(transaction, center.vault, officer, [{**row, "expires": expires}])
    )
    return RedirectResponse("/watchlist", 303)


@router.post("/watchlist/import")
async def import_watchlist(request: Request, officer: ListWriter, file: UploadFile) -> Response:
    """Add entries from a CSV file."""
    content = await file.read(_IMPORT_BYTES + 1)
    if len(content) > _IMPORT_BYTES:
        raise Unfit(f"the file is longer than {_IMPORT_BYTES} bytes")
    try:
        rows = watchlist.read_csv(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unfit("the file is not UTF-8") from error
    center = center_of(request)
    await center.write(lambda transaction: watchlist.add_entries(transaction, center.vault, officer, rows))
    return RedirectResponse("/watchlist", 303)


@router.post("/watchlist/remove")
async def remove_from_watchlist(
    request: Request, officer: ListWriter, identity: Annotated[str, Form(alias="id", max_length=64)]
) -> Response:
    """Take an entry off."""
    await center_of(request).write(lambda transaction: watchlist.remove_entry(transaction, officer, identity))
    return RedirectResponse("/watchlist", 303)


@router.post("/watchlist/publish")
async def publish_watchlist(request: Request, officer: ListWriter) -> Response:
    """Send every robot what it lacks."""
    center = center_of(request)
    names = await center.write(lambda transaction: watchlist.publish(transaction, center.vault, center.key, officer))
    for name in names:
        center.ring(name)
    return RedirectResponse("/watchlist", 303)


@router.get("/statistics")
async def statistics_page(
    request: Request, officer: Reader, days: Annotated[int, Query(ge=1, le=366)] = 7
) -> HTMLResponse:
    """Totals and trends."""
    since = now_text(-timedelta(days=days))

    def query(connection: Connection) -> dict[str, Any]:
        return {
            "findings": statistics.findings_by_hour(connection, since),
            "screenings": statistics.screenings(connection, since),
            "decisions": statistics.decisions(connection, since),
        }

    return page(request, "statistics.html", officer, days=days, **await _read(request, query))


@router.get("/statistics.csv")
async def statistics_csv(request: Request, _officer: Reader, days: Annotated[int, Query(ge=1, le=366)] = 7) -> Response:
    """Findings by hour and kind as a table for spreadsheets."""
    since = now_text(-timedelta(days=days))
    rows = await _read(request, lambda connection: statistics.findings_by_hour(connection, since))
    return Response(
        statistics.to_csv(rows, _CSV_COLUMNS),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="findings.csv"'},
    )


@router.get("/audit")
async def audit_page(
    request: Request,
    officer: Annotated[Principal, Depends(require("audit.read"))],
    before: Annotated[int | None, Query(ge=0, le=2**53 - 1)] = None,
    actor: Part = "",
    action: Part = "",
    target: Annotated[str, Query(alias="object", max_length=200)] = "",
    since: Day = "",
    until: Day = "",
) -> HTMLResponse:
    """Who did what, as far as asked for."""
    wanted = {"actor": actor, "action": action, "target": target, "since": since, "until": until}
    entries = await _read(request, lambda connection: queries.audit_entries(connection, 200, before, **wanted))
    older = urlencode({**wanted, "object": target, "before": entries[-1]["leaf"]}) if len(entries) == 200 else ""
    return page(request, "audit.html", officer, entries=entries, wanted=wanted, older=older)


@router.get("/quarantine")
async def quarantine_page(
    request: Request, officer: Annotated[Principal, Depends(require("quarantine.read"))]
) -> HTMLResponse:
    """What was not believed."""
    return page(request, "quarantine.html", officer, entries=await _read(request, queries.quarantined))


@router.get("/accounts")
async def accounts_page(request: Request, officer: Administrator) -> HTMLResponse:
    """Accounts and the enrolment of robots."""
    found = await _read(request, queries.accounts)
    return page(request, "accounts.html", officer, accounts=found, roles=OFFICER_ROLES, code="", robot="")


@router.post("/accounts")
async def add_account(
    request: Request,
    officer: Administrator,
    name: Annotated[str, Form(max_length=64)],
    role: Line,
    password: Annotated[str, Form(max_length=1000)],
    display_name: Line = "",
) -> Response:
    """Make an account."""
    try:
        account = await run_in_threadpool(accounts.new_account, name, display_name, role, password)
        await center_of(request).write(lambda transaction: accounts.add_account(transaction, officer.actor, account))
    except InputError as error:
        raise Unfit(str(error)) from error
    return RedirectResponse("/accounts", 303)


@router.post("/accounts/{name}/active")
async def set_active(
    request: Request, officer: Administrator, name: str, active: Annotated[str, Form(max_length=3)]
) -> Response:
    """Close an account or open it again; its sessions end at once."""
    await center_of(request).write(lambda transaction: accounts.set_active(transaction, officer, name, active == "yes"))
    return RedirectResponse("/accounts", 303)


@router.post("/accounts/robots")
async def enrol_robot(
    request: Request, officer: Administrator, robot: Annotated[str, Form(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
) -> HTMLResponse:
    """Give out a one-time code; it is shown once."""
    code = await center_of(request).write(lambda transaction: accounts.new_enrolment(transaction, officer.actor, robot))
    found = await _read(request, queries.accounts)
    return page(request, "accounts.html", officer, accounts=found, roles=OFFICER_ROLES, code=code, robot=robot)


@router.post("/robots/{name}/revoke")
async def revoke_robot(request: Request, officer: Administrator, name: str) -> Response:
    """Take a robot's access away."""
    await center_of(request).write(lambda transaction: robots.revoke(transaction, officer, name))
    return RedirectResponse("/robots", 303)


async def _read(request: Request, query: Callable[[Connection], T]) -> T:
    center = center_of(request)

    def run() -> T:
        with center.engine.connect() as connection:
            return query(connection)

    return await run_in_threadpool(run)
