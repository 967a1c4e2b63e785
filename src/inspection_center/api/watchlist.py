"""The watch-list for other systems: a national list is brought here and sent to the robots without anybody's hands."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from inspection_center import watchlist
from inspection_center.api.officers import PROBLEMS
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.service import center_of

router = APIRouter(prefix="/api/v1/watchlist", tags=["watch-list"])
Writer = Annotated[Principal, Depends(require("watchlist.write"))]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\u0000-\u001f]*$")]


class ListedEntry(BaseModel):
    """A person or thing that officers look for; `id` is the caller's own."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
    kind: Literal["document_number", "bag_tag", "container", "vehicle", "name"]
    identifier: Annotated[Line, Field(min_length=1)]
    birth_date: date | None = None
    advice: Line = ""
    expires: date | None = None


class Additions(BaseModel):
    """Entries to add, all or none."""

    model_config = ConfigDict(extra="forbid")

    entries: Annotated[list[ListedEntry], Field(min_length=1, max_length=10_000)]


class ListVersion(BaseModel):
    """Version of the list, and the robots it was sent to."""

    version: int
    robots: list[str]


@router.post("/entries", responses=PROBLEMS, status_code=201)
async def add_entries(request: Request, officer: Writer, additions: Additions) -> ListVersion:
    """Add entries. Robots get them with the next publication."""
    center = center_of(request)
    rows = [
        {
            "id": entry.id,
            "kind": entry.kind,
            "identifier": entry.identifier,
            "birth_date": "" if entry.birth_date is None else entry.birth_date.isoformat(),
            "advice": entry.advice,
            "expires": "" if entry.expires is None else entry.expires.isoformat(),
        }
        for entry in additions.entries
    ]
    number = await center.write(lambda transaction: watchlist.add_entries(transaction, center.vault, officer, rows))
    return ListVersion(version=number, robots=[])


@router.post("/publication", responses=PROBLEMS, status_code=201)
async def publish(request: Request, officer: Writer) -> ListVersion:
    """Send every robot what it lacks."""
    center = center_of(request)
    names = await center.write(lambda transaction: watchlist.publish(transaction, center.vault, center.key, officer))
    for name in names:
        center.ring(name)
    with center.engine.connect() as connection:
        return ListVersion(version=watchlist.version(connection), robots=names)
