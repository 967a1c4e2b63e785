"""Supervision of enforcement for programs and pages: cases, what concerns oneself, risk points, statistics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from inspection_center.api.officers import PROBLEMS
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.service import center_of
from inspection_center.supervision import handling, outside, queries, statistics
from inspection_center.supervision.cases import OPEN_STATES
from inspection_center.supervision.events import BusinessEvent
from inspection_contract.fields import Text, Time, Word

T = TypeVar("T")
router = APIRouter(prefix="/api/v1/supervision", tags=["supervision"])
Reader = Annotated[Principal, Depends(require("supervision.read"))]
Handler = Annotated[Principal, Depends(require("supervision.handle"))]
Answerer = Annotated[Principal, Depends(require("supervision.answer"))]
Teller = Annotated[Principal, Depends(require("supervision.tell"))]
CaseId = Annotated[str, Path(pattern=r"^[0-9a-f]{20}$", description="The case's id.")]
_DAY_CHARACTERS = 10


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewNote(_Body):
    """A note of a handler; the persons concerned read it only if it is meant for them."""

    text: Text
    open_to_concerned: bool = False


class Answer(_Body):
    """What a person concerned has to say."""

    text: Text


class Closing(_Body):
    """How a case ends and why."""

    outcome: handling.Outcome
    reason: Text


class Refusal(_Body):
    """Why a proposed closing is sent back."""

    reason: Text


class OutsideEvent(_Body):
    """Something that happened in another system; types and fields as in `config/supervision/events.yaml`."""

    type: Annotated[str, Field(max_length=64)]
    actor: Annotated[str, Field(max_length=80)] = ""
    time: Time | None = None
    fields: Annotated[dict[Word, bool | float | Text], Field(max_length=32)] = {}


class OutsideEvents(_Body):
    """Events that their source numbers from `first` without a gap."""

    first: Annotated[int, Field(ge=1, le=2**53 - 1)]
    events: Annotated[list[OutsideEvent], Field(min_length=1, max_length=1000)]


class TakenIn(BaseModel):
    """How many were new."""

    stored: int
    duplicates: int


class Closed(BaseModel):
    """What became of a case."""

    state: Literal["proposed", "closed"]


@router.get("/cases", responses=PROBLEMS)
def list_cases(
    request: Request,
    reader: Reader,
    state: Annotated[Literal["open", "proposed", "closed", "withdrawn"] | None, Query()] = None,
    rule: Annotated[str, Query(max_length=64)] = "",
    overdue: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[dict[str, Any]]:
    """Cases, the gravest first; those that concern the reader are not among them."""
    states = OPEN_STATES if state is None else (state,)
    return _read(
        request,
        lambda connection: queries.list_cases(connection, reader.name, states, rule=rule, overdue=overdue, limit=limit),
    )


@router.get("/cases/{case_id}", responses=PROBLEMS)
async def show_case(request: Request, reader: Reader, case_id: CaseId) -> dict[str, Any]:
    """A case with all that happened; the look is recorded."""
    await center_of(request).write(lambda transaction: handling.look(transaction, case_id, reader))
    return await run_in_threadpool(_read, request, lambda connection: queries.show_case(connection, case_id))


@router.post("/cases/{case_id}/take", responses=PROBLEMS, status_code=204)
async def take(request: Request, handler: Handler, case_id: CaseId) -> Response:
    """Take a case."""
    center = center_of(request)
    await center.write(lambda transaction: handling.take(transaction, center.supervision.book, case_id, handler))
    return Response(status_code=204)


@router.post("/cases/{case_id}/notes", responses=PROBLEMS, status_code=204)
async def add_note(request: Request, handler: Handler, case_id: CaseId, note: NewNote) -> Response:
    """Add a note."""
    center = center_of(request)
    await center.write(
        lambda transaction: handling.note(
            transaction, center.supervision.book, case_id, handler, note.text, note.open_to_concerned
        )
    )
    return Response(status_code=204)


@router.post("/cases/{case_id}/closing", responses=PROBLEMS)
async def close(request: Request, handler: Handler, case_id: CaseId, closing: Closing) -> Closed:
    """Close a case, or propose it where a second person must agree."""
    center = center_of(request)
    state = await center.write(
        lambda transaction: handling.close(
            transaction, center.supervision.book, case_id, handler, closing.outcome, closing.reason
        )
    )
    return Closed.model_validate({"state": state})


@router.post("/cases/{case_id}/confirmation", responses=PROBLEMS, status_code=204)
async def confirm(request: Request, handler: Handler, case_id: CaseId) -> Response:
    """Agree to a proposed closing."""
    await center_of(request).write(lambda transaction: handling.confirm(transaction, case_id, handler))
    return Response(status_code=204)


@router.post("/cases/{case_id}/refusal", responses=PROBLEMS, status_code=204)
async def send_back(request: Request, handler: Handler, case_id: CaseId, refusal: Refusal) -> Response:
    """Send a proposed closing back."""
    await center_of(request).write(
        lambda transaction: handling.send_back(transaction, case_id, handler, refusal.reason)
    )
    return Response(status_code=204)


@router.get("/own", responses=PROBLEMS)
def list_own(request: Request, person: Answerer) -> list[dict[str, Any]]:
    """The cases that concern whoever asks."""
    return _read(request, lambda connection: queries.own_cases(connection, _account(person)))


@router.get("/own/{case_id}", responses=PROBLEMS)
async def show_own(request: Request, person: Answerer, case_id: CaseId) -> dict[str, Any]:
    """A case as the person concerned sees it; the look is recorded."""
    await center_of(request).write(lambda transaction: handling.look_at_own(transaction, case_id, person))
    return await run_in_threadpool(
        _read, request, lambda connection: queries.own_case(connection, case_id, person.name)
    )


@router.post("/own/{case_id}/answer", responses=PROBLEMS, status_code=204)
async def answer(request: Request, person: Answerer, case_id: CaseId, words: Answer) -> Response:
    """Answer as the person concerned."""
    await center_of(request).write(lambda transaction: handling.answer(transaction, case_id, person, words.text))
    return Response(status_code=204)


@router.get("/points", responses=PROBLEMS)
def list_points(request: Request, _reader: Reader) -> list[dict[str, Any]]:
    """Every risk point with what it looks for and how many cases it opened."""
    return _read(request, lambda connection: queries.points(connection, center_of(request).supervision.book))


@router.get("/statistics", responses=PROBLEMS)
def show_statistics(
    request: Request,
    _reader: Reader,
    by: statistics.By = "unit",
    days: Annotated[int, Query(ge=1, le=366)] = 30,
) -> dict[str, Any]:
    """Counts and rates by unit, officer or day; a rate of too few is null."""
    since = now_text(-timedelta(days=days))
    book = center_of(request).supervision.book
    return _read(
        request,
        lambda connection: {
            "since": since,
            "fewest": statistics.FEWEST,
            "cases": statistics.handling(connection, since),
            "rows": statistics.rates(connection, book, since[:_DAY_CHARACTERS], by),
        },
    )


@router.post("/events", responses=PROBLEMS)
async def take_in_events(request: Request, source: Teller, told: OutsideEvents) -> TakenIn:
    """Take in what other systems tell, once; 409 names the number that is expected."""
    events = [BusinessEvent(one.type, one.actor, one.fields, "", one.time) for one in told.events]
    taken = await center_of(request).write(
        lambda transaction: outside.take_in_from(transaction, source, told.first, events)
    )
    return TakenIn(stored=taken.stored, duplicates=taken.duplicates)


def _account(person: Principal) -> str:
    """A program concerns no case, whatever it is called."""
    return person.name if person.kind == "officer" else ""


def _read(request: Request, query: Callable[[Connection], T]) -> T:
    with center_of(request).engine.connect() as connection:
        return query(connection)
