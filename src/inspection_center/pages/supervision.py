"""Pages of supervision: cases, risk points, statistics for supervisors; what concerns oneself for everybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from inspection_center.api.supervision import Answerer, Closing, Handler, Reader
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.pages.rendering import page
from inspection_center.service import center_of
from inspection_center.statistics import to_csv
from inspection_center.supervision import handling, queries, statistics
from inspection_center.supervision.cases import OPEN_STATES
from inspection_center.supervision.events import emit

T = TypeVar("T")
router = APIRouter(prefix="/supervision", include_in_schema=False)
CaseId = Annotated[str, Path(pattern=r"^[0-9a-f]{20}$")]
Words = Annotated[str, Form(max_length=4000)]
Days = Annotated[int, Query(ge=1, le=366)]
_DAY_CHARACTERS = 10


@router.get("")
async def cases_page(
    request: Request,
    officer: Reader,
    state: Annotated[str, Query(max_length=16)] = "",
    rule: Annotated[str, Query(max_length=64)] = "",
    overdue: bool = False,
) -> HTMLResponse:
    """Cases, the gravest first."""
    states = queries.CASE_STATES if state == "all" else (state,) if state in queries.CASE_STATES else OPEN_STATES

    def query(connection: Connection) -> dict[str, Any]:
        return {
            "cases": queries.list_cases(connection, officer.name, states, rule=rule, overdue=overdue),
            "position": queries.position(connection),
        }

    return page(
        request, "supervision.html", officer, state=state, rule=rule, overdue=overdue, **await _read(request, query)
    )


@router.get("/cases/{case_id}")
async def case_page(request: Request, officer: Reader, case_id: CaseId) -> HTMLResponse:
    """One case; the look is recorded."""
    center = center_of(request)
    await center.write(lambda transaction: handling.look(transaction, case_id, officer))
    found = await _read(request, lambda connection: queries.show_case(connection, case_id))
    level = center.supervision.book.handling.levels.get(found["level"])
    return page(
        request,
        "supervision_case.html",
        officer,
        case=found,
        outcomes=handling.OUTCOMES,
        mine=found["assignee"] == officer.name,
        at_my_level=level is not None and level.role == officer.role,
        own=False,
    )


@router.post("/cases/{case_id}/take")
async def take(request: Request, officer: Handler, case_id: CaseId) -> Response:
    """Take a case."""
    center = center_of(request)
    await center.write(lambda transaction: handling.take(transaction, center.supervision.book, case_id, officer))
    return _back(case_id)


@router.post("/cases/{case_id}/notes")
async def add_note(
    request: Request,
    officer: Handler,
    case_id: CaseId,
    text: Words,
    open_to_concerned: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Add a note."""
    center = center_of(request)
    await center.write(
        lambda transaction: handling.note(
            transaction, center.supervision.book, case_id, officer, text, open_to_concerned == "yes"
        )
    )
    return _back(case_id)


@router.post("/cases/{case_id}/closing")
async def close(
    request: Request, officer: Handler, case_id: CaseId, outcome: Annotated[str, Form(max_length=32)], reason: Words
) -> Response:
    """Close a case or propose it."""
    center = center_of(request)
    given = Closing.model_validate({"outcome": outcome, "reason": reason})
    await center.write(
        lambda transaction: handling.close(
            transaction, center.supervision.book, case_id, officer, given.outcome, given.reason
        )
    )
    return _back(case_id)


@router.post("/cases/{case_id}/confirmation")
async def confirm(request: Request, officer: Handler, case_id: CaseId) -> Response:
    """Agree to a proposed closing."""
    await center_of(request).write(lambda transaction: handling.confirm(transaction, case_id, officer))
    return _back(case_id)


@router.post("/cases/{case_id}/refusal")
async def send_back(request: Request, officer: Handler, case_id: CaseId, reason: Words) -> Response:
    """Send a proposed closing back."""
    await center_of(request).write(lambda transaction: handling.send_back(transaction, case_id, officer, reason))
    return _back(case_id)


@router.get("/points")
async def points_page(request: Request, officer: Reader) -> HTMLResponse:
    """The risk points with their counts."""
    book = center_of(request).supervision.book
    found = await _read(request, lambda connection: queries.points(connection, book))
    return page(request, "supervision_points.html", officer, points=found)


@router.get("/statistics")
async def statistics_page(request: Request, officer: Reader, days: Days = 30) -> HTMLResponse:
    """Rates by unit, officer and day."""
    book = center_of(request).supervision.book
    since = now_text(-timedelta(days=days))

    def query(connection: Connection) -> dict[str, Any]:
        day = since[:_DAY_CHARACTERS]
        return {
            "cases": statistics.handling(connection, since),
            "units": statistics.rates(connection, book, day, "unit"),
            "officers": [row for row in statistics.rates(connection, book, day, "officer") if row["officer"]],
            "trend": statistics.rates(connection, book, day, "day"),
        }

    return page(
        request,
        "supervision_statistics.html",
        officer,
        days=days,
        rates=tuple(book.measures.rates.items()),
        **await _read(request, query),
    )


@router.get("/statistics.csv")
async def statistics_csv(request: Request, officer: Reader, by: statistics.By = "unit", days: Days = 30) -> Response:
    """Rates as CSV; what is too few to tell is empty."""
    center = center_of(request)
    book = center.supervision.book
    day = now_text(-timedelta(days=days))[:_DAY_CHARACTERS]
    found = await _read(request, lambda connection: statistics.rates(connection, book, day, by))
    rows, columns = statistics.table_of(found, by, book)
    await center.write(lambda transaction: emit(transaction, "statistics.exported", officer, rows=len(rows)))
    return Response(
        to_csv(rows, columns),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="supervision_by_{by}.csv"'},
    )


@router.get("/mine")
async def own_page(request: Request, officer: Answerer) -> HTMLResponse:
    """The cases that concern whoever looks."""
    found = await _read(request, lambda connection: queries.own_cases(connection, _account(officer)))
    return page(request, "supervision_mine.html", officer, cases=found)


@router.get("/mine/{case_id}")
async def own_case_page(request: Request, officer: Answerer, case_id: CaseId) -> HTMLResponse:
    """One of them; the look is recorded."""
    await center_of(request).write(lambda transaction: handling.look_at_own(transaction, case_id, officer))
    found = await _read(request, lambda connection: queries.own_case(connection, case_id, officer.name))
    return page(request, "supervision_case.html", officer, case=found, own=True)


@router.post("/mine/{case_id}/answer")
async def answer(request: Request, officer: Answerer, case_id: CaseId, text: Words) -> Response:
    """Answer as the person concerned."""
    await center_of(request).write(lambda transaction: handling.answer(transaction, case_id, officer, text))
    return RedirectResponse(f"/supervision/mine/{case_id}", 303)


def _account(officer: Principal) -> str:
    return officer.name if officer.kind == "officer" else ""


def _back(case_id: str) -> Response:
    return RedirectResponse(f"/supervision/cases/{case_id}", 303)


async def _read(request: Request, query: Callable[[Connection], T]) -> T:
    center = center_of(request)

    def run() -> T:
        with center.engine.connect() as connection:
            return query(connection)

    return await run_in_threadpool(run)
