"""Draws for supervisors (prepare, commit, reveal, result, proof), and as everybody may see them."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from inspection_center.api.draws import DrawReader, DrawWriter, NewChoice, NewDraw, carry_out, without_names
from inspection_center.api.risk import read
from inspection_center.clock import now_text
from inspection_center.draws import ledger, roster, verify_draw
from inspection_center.draws.planning import LEAD
from inspection_center.draws.rules import KINDS
from inspection_center.pages.public import public_language
from inspection_center.pages.rendering import page, render
from inspection_center.problems import Conflict, Unfit
from inspection_center.service import center_of
from inspection_contract.canonical import canonical_bytes

router = APIRouter(include_in_schema=False)
Line = Annotated[str, Form(max_length=200)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
_LONGEST_LIST = 100_000
_SHOWN = 100
_PUBLIC = {"Cache-Control": "public, max-age=5"}
_VERIFIER = FilePath(verify_draw.__file__)


@router.get("/draws")
async def draws_page(request: Request, officer: DrawReader) -> HTMLResponse:
    """All draws, and the preparation of a new one."""
    rows = await run_in_threadpool(read, request, lambda connection: ledger.list_draws(connection, _SHOWN))
    return page(request, "draws.html", officer, draws=rows, kinds=KINDS, beacons=ledger.beacons())


async def draw_form(
    kind: Annotated[str, Form(max_length=16)],
    purpose: Line,
    beacon: Line = "",
    wait_seconds: Annotated[str, Form(max_length=10)] = "120",
    party_commitment: Annotated[str, Form(max_length=64)] = "",
    replaces: Annotated[str, Form(max_length=10)] = "",
    reason: Line = "",
    series: Line = "",
    choices: Annotated[str, Form(max_length=_LONGEST_LIST)] = "",
    places: Annotated[str, Form(max_length=_LONGEST_LIST)] = "",
) -> NewDraw:
    """A form's fields as the interface takes them; a choice's line is `name weight place place …`."""
    return NewDraw.model_validate(
        {
            "kind": kind,
            "purpose": purpose.strip(),
            "beacon": beacon,
            "wait_seconds": wait_seconds,
            "party_commitment": party_commitment.strip().lower(),
            "replaces": replaces or 0,
            "reason": reason,
            "series": series.strip(),
            "choices": [_choice(line) for line in choices.splitlines() if line.strip()],
            "places": [line.strip() for line in places.splitlines() if line.strip()],
        }
    )


Filled = Annotated[NewDraw, Depends(draw_form)]


@router.post("/draws/preview")
async def preview(request: Request, officer: DrawWriter, new: Filled) -> HTMLResponse:
    """What would be drawn from, before anything is bound."""
    plan = await run_in_threadpool(read, request, lambda connection: ledger.prepare(connection, new.request()))
    return page(request, "draw_preview.html", officer, new=new, plan=plan, shown=_SHOWN, lead=LEAD)


@router.post("/draws")
async def commit(request: Request, officer: DrawWriter, new: Filled) -> Response:
    """Commit."""
    number = await center_of(request).write(lambda transaction: ledger.commit_draw(transaction, officer, new.request()))
    return RedirectResponse(f"/draws/{number}", 303)


@router.get("/draws/roster")
async def roster_page(request: Request, officer: DrawReader) -> HTMLResponse:
    """The duty roster."""
    rows = await run_in_threadpool(read, request, roster.roster)
    return page(request, "draw_roster.html", officer, officers=rows, columns=roster.COLUMNS)


@router.post("/draws/roster")
async def import_roster(request: Request, officer: DrawWriter, file: UploadFile) -> Response:
    """Put officers on the roster from a CSV file."""
    content = await file.read(2_000_001)
    try:
        rows = roster.read_roster(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unfit("the file is not UTF-8") from error
    await center_of(request).write(lambda transaction: roster.store_roster(transaction, officer, rows))
    return RedirectResponse("/draws/roster", 303)


@router.post("/draws/roster/remove")
async def remove_officer(request: Request, officer: DrawWriter, name: Line) -> Response:
    """Take somebody off the roster."""
    await center_of(request).write(lambda transaction: roster.remove_officer(transaction, officer, name))
    return RedirectResponse("/draws/roster", 303)


@router.get("/draws/{number}")
async def draw_page(request: Request, officer: DrawReader, number: Number) -> HTMLResponse:
    """A draw: statement, what it waits for, result, proof."""
    row = await run_in_threadpool(read, request, lambda connection: ledger.details(connection, number))
    return page(request, "draw.html", officer, draw=row, drawn=_drawn(row), shown=_SHOWN, now=now_text())


@router.post("/draws/{number}/reveal")
async def reveal(
    request: Request,
    officer: DrawWriter,
    number: Number,
    record: Annotated[str, Form(max_length=65_536)] = "",
    party_secret: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Draw."""
    await carry_out(request, officer, number, record, party_secret.strip().lower())
    return RedirectResponse(f"/draws/{number}", 303)


@router.post("/draws/{number}/abort")
async def abort(request: Request, officer: DrawWriter, number: Number, reason: Line = "") -> Response:
    """End an open draw."""
    await center_of(request).write(lambda transaction: ledger.abort_draw(transaction, officer, number, reason))
    return RedirectResponse(f"/draws/{number}", 303)


@router.get("/draws/{number}/proof.json")
async def proof(request: Request, _officer: DrawReader, number: Number) -> Response:
    """The whole proof, all names opened: for auditors, not for publishing."""
    row = await run_in_threadpool(read, request, lambda connection: ledger.details(connection, number))
    return _proof(row, {"Cache-Control": "no-store"})


@router.get("/public/draws")
async def public_draws(request: Request, before: Annotated[int, Query(ge=1, le=2**31 - 1)] = 2**31 - 1) -> HTMLResponse:
    """Draws as everybody may see them: aborted and repeated ones are among them."""
    rows = await run_in_threadpool(
        read, request, lambda connection: ledger.list_draws(connection, _SHOWN, before=before)
    )
    return _public(request, "public_draws.html", draws=[without_names(row) for row in rows], shown=_SHOWN)


@router.get("/public/draws/verify_draw.py")
def verifier() -> FileResponse:
    """The verifier: one file, Python's standard library."""
    return FileResponse(_VERIFIER, media_type="text/x-python; charset=utf-8", filename="verify_draw.py")


@router.get("/public/draws/{number}")
async def public_draw(request: Request, number: Number) -> HTMLResponse:
    """A draw for everybody."""
    row = await run_in_threadpool(read, request, lambda connection: ledger.details(connection, number, public=True))
    return _public(request, "public_draw.html", draw=without_names(row), drawn=_drawn(row), shown=_SHOWN)


@router.get("/public/draws/{number}/proof.json")
async def public_proof(request: Request, number: Number) -> Response:
    """The proof for everybody: names only where the rule publishes them."""
    row = await run_in_threadpool(read, request, lambda connection: ledger.details(connection, number, public=True))
    return _proof(row, _PUBLIC)


def _public(request: Request, template: str, **values: Any) -> HTMLResponse:
    text = render(template, public_language(request), path=request.url.path, **values)
    return HTMLResponse(text, headers=_PUBLIC)


def _proof(row: dict[str, Any], headers: dict[str, str]) -> Response:
    if row["proof"] is None:
        raise Conflict("this draw has no proof: it was not made")
    name = f"draw-{row['kind']}-{row['number']}.json"
    return Response(
        canonical_bytes(row["proof"]),
        media_type="application/json",
        headers={**headers, "Content-Disposition": f'attachment; filename="{name}"'},
    )


def _drawn(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The result for a page: place and items, by name where it is known, else by the beginning of the digest."""
    found = row["proof"]
    if found is None:
        return []
    labels, places = found["labels"]["items"], found["labels"]["places"]

    def name(label: dict[str, Any] | None, leaf: str) -> str:
        return str(label["label"]["id"]) if label is not None else leaf[:16]

    return [
        {
            "place": name(places[number], found["places"][number]["leaf"]),
            "items": [
                {"name": name(labels[position], found["items"][position]["leaf"]), **found["items"][position]}
                for position in chosen
            ],
        }
        for number, chosen in enumerate(found["result"])
    ]


def _choice(line: str) -> NewChoice:
    parts = line.split()
    try:
        weight = float(parts[1]) if len(parts) > 1 else 1.0
    except ValueError as error:
        raise Unfit(f"{parts[0][:80]}: {parts[1][:40]!r} is no weight") from error
    return NewChoice.model_validate({"name": parts[0], "weight": weight, "fits": parts[2:]})
