"""Draws for programs: look, commit, reveal, abort; the duty roster; what the public may read."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from inspection_center.api.officers import PROBLEMS
from inspection_center.api.risk import read
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.draws import ledger, roster
from inspection_center.draws.beacons import BeaconRecord, fetch_record, read_record
from inspection_center.draws.planning import Choice
from inspection_center.draws.rules import DrawKind
from inspection_center.problems import Conflict
from inspection_center.service import center_of
from inspection_contract.fields import Text, Word

router = APIRouter(prefix="/api/v1/draws", tags=["draws"])
public_router = APIRouter(prefix="/api/v1/public/draws", tags=["public"])
DrawReader = Annotated[Principal, Depends(require("draws.read"))]
DrawWriter = Annotated[Principal, Depends(require("draws.write"))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The draw's number.")]
PlaceName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,100}$")]
_Secret = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewChoice(_Body):
    """Something to allot."""

    name: PlaceName
    weight: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 1.0
    fits: Annotated[list[PlaceName], Field(max_length=5000)] = []


class NewDraw(_Body):
    """A draw to be committed to; choices and places are for all kinds but objects and officers."""

    kind: DrawKind
    purpose: Annotated[Word, Field(min_length=1)]
    beacon: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,30})?$")] = ""
    wait_seconds: Annotated[int, Field(ge=30, le=7 * 86400)] = 120
    party_commitment: _Secret = ""
    replaces: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    reason: Annotated[Word, Field()] = ""
    series: Annotated[str, Field(pattern=r"^([a-z]+/[A-Za-z0-9._-]{1,60})?$")] = ""
    choices: Annotated[list[NewChoice], Field(max_length=5000)] = []
    places: Annotated[list[PlaceName], Field(max_length=5000)] = []

    def request(self) -> ledger.DrawRequest:
        """As the ledger takes it."""
        return ledger.DrawRequest(
            self.kind,
            self.purpose,
            self.beacon,
            timedelta(seconds=self.wait_seconds),
            self.party_commitment,
            self.replaces,
            self.reason,
            tuple(Choice(choice.name, choice.weight, frozenset(choice.fits)) for choice in self.choices),
            tuple(self.places),
            self.series,
        )


class Reveal(_Body):
    """The record as the beacon publishes it (empty: it is fetched), and the second party's secret."""

    record: Annotated[str, Field(max_length=65_536)] = ""
    party_secret: _Secret = ""


class Reason(_Body):
    """Why."""

    reason: Text


class RosterList(_Body):
    """The roster as CSV."""

    content: Annotated[str, Field(min_length=1, max_length=2_000_000)]


@router.get("", responses=PROBLEMS)
def list_draws(
    request: Request,
    _reader: DrawReader,
    kind: Annotated[DrawKind | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """The newest draws first, aborted and repeated ones among them."""
    return read(request, lambda connection: ledger.list_draws(connection, limit, kind or ""))


@router.post("", responses=PROBLEMS, status_code=201)
async def commit_draw(request: Request, officer: DrawWriter, new: NewDraw) -> dict[str, Any]:
    """Commit to a draw: its statement is published at once."""
    center = center_of(request)
    number = await center.write(lambda transaction: ledger.commit_draw(transaction, officer, new.request()))
    found = await run_in_threadpool(read, request, lambda connection: ledger.details(connection, number))
    return {"number": number, "statement": found["statement"], "statement_sha256": found["statement_sha256"]}


@router.post("/previews", responses=PROBLEMS)
def preview(request: Request, _officer: DrawWriter, new: NewDraw) -> dict[str, Any]:
    """What a draw would be made from, without committing to it."""
    plan = read(request, lambda connection: ledger.prepare(connection, new.request()))
    return {
        "items": len(plan.items),
        "certain": sum(item.always for item in plan.items),
        "places": [{"place": place.label["id"], "count": place.count} for place in plan.places],
        "notes": list(plan.notes),
    }


@router.get("/roster", responses=PROBLEMS)
def list_roster(request: Request, _reader: DrawReader) -> list[dict[str, Any]]:
    """Who may be drawn."""
    return read(request, roster.roster)


@router.post("/roster", responses=PROBLEMS)
async def store_roster(request: Request, officer: DrawWriter, new: RosterList) -> dict[str, int]:
    """Put officers on the roster, or change their entries."""
    rows = roster.read_roster(new.content)
    stored = await center_of(request).write(lambda transaction: roster.store_roster(transaction, officer, rows))
    return {"officers": stored}


@router.get("/{number}", responses=PROBLEMS)
def show_draw(request: Request, _reader: DrawReader, number: Number) -> dict[str, Any]:
    """A draw with statement and proof."""
    return read(request, lambda connection: ledger.details(connection, number))


@router.post("/{number}/reveal", responses=PROBLEMS)
async def reveal_draw(request: Request, officer: DrawWriter, number: Number, given: Reveal) -> dict[str, str]:
    """Draw."""
    return {"state": await carry_out(request, officer, number, given.record, given.party_secret)}


@router.post("/{number}/abort", responses=PROBLEMS, status_code=204)
async def abort_draw(request: Request, officer: DrawWriter, number: Number, reason: Reason) -> Response:
    """End an open draw without a result; it stays in the list."""
    await center_of(request).write(lambda transaction: ledger.abort_draw(transaction, officer, number, reason.reason))
    return Response(status_code=204)


@public_router.get("", responses=PROBLEMS)
def list_public(request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[dict[str, Any]]:
    """Draws as everybody may see them."""
    return [without_names(row) for row in read(request, lambda connection: ledger.list_draws(connection, limit))]


@public_router.get("/{number}", responses=PROBLEMS)
def show_public(request: Request, number: Number) -> dict[str, Any]:
    """A draw as everybody may see it: its statement, and its proof once it was made."""
    return without_names(read(request, lambda connection: ledger.details(connection, number, public=True)))


async def carry_out(request: Request, officer: Principal, number: int, record: str, party_secret: str) -> str:
    """Draw with a record that was given, or else fetched from the beacon itself; "done" or "failed"."""
    center = center_of(request)
    found = await run_in_threadpool(read, request, lambda connection: ledger.details(connection, number))
    committed = found["statement"]["beacon"]
    beacon: BeaconRecord | None = None
    if record.strip():
        beacon = read_record(record)
    elif committed is not None:
        if found["state"] != "committed":
            raise Conflict(f"this draw is {found['state']}")
        beacon = await run_in_threadpool(fetch_record, committed, ledger.beacons())
    return await center.write(
        lambda transaction: ledger.reveal_draw(transaction, officer, number, beacon, party_secret)
    )


def without_names(row: dict[str, Any]) -> dict[str, Any]:
    """A draw without who committed and finished it: an officer's name is not the public's."""
    return {name: value for name, value in row.items() if name not in ("committed_by", "finished_by", "notes")}
