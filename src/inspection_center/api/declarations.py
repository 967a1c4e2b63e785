"""Declarations for programs: receive, list, do a deed, receipts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from sqlalchemy import Connection

from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.declarations import queries, receipts
from inspection_center.declarations.automatic import accept
from inspection_center.declarations.model import Kind, NewDeclaration
from inspection_center.declarations.officers import PERMISSION_OF, NewDeed, do
from inspection_center.declarations.states import State
from inspection_center.service import Center, center_of

T = TypeVar("T")
router = APIRouter(prefix="/api/v1", tags=["declarations"])
Reader = Annotated[Principal, Depends(require("declarations.read"))]
Receiver = Annotated[Principal, Depends(require("declarations.receive"))]
DeclarationId = Annotated[str, Path(pattern="^[0-9a-f]{20}$", description="The declaration's id.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
_LINE = {"description": "Refused; `detail` says why in one line."}
PROBLEMS: dict[int | str, dict[str, str]] = dict.fromkeys((401, 403, 404, 409, 422, 503), _LINE)


@router.get("/declarations", responses=PROBLEMS)
def list_declarations(
    request: Request,
    _reader: Reader,
    state: Annotated[State | None, Query()] = None,
    kind: Annotated[Kind | None, Query()] = None,
    late: Annotated[bool, Query()] = False,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The newest declarations first, with what of each is late or was left out."""
    return _read(
        request,
        lambda connection: queries.list_declarations(connection, limit, state=state or "", kind=kind or "", late=late),
    )


@router.post("/declarations", responses=PROBLEMS, status_code=201)
async def receive(request: Request, officer: Receiver, new: NewDeclaration) -> dict[str, str]:
    """Take a declaration in; it is scored at once."""
    center = center_of(request)
    identity = await center.write(lambda transaction: accept(transaction, center.key, officer.actor, officer.name, new))
    return {"id": identity}


@router.get("/declarations/{declaration_id}", responses=PROBLEMS)
def show(request: Request, _reader: Reader, declaration_id: DeclarationId) -> dict[str, Any]:
    """A declaration with everything done about it."""
    return _read(request, lambda connection: queries.details(connection, declaration_id))


@router.post("/declarations/{declaration_id}/deeds", responses=PROBLEMS)
async def deed(
    request: Request, officer: Reader, declaration_id: DeclarationId, wanted: NewDeed
) -> dict[Literal["state"], State]:
    """Do something about a declaration; which role may do which deed stands in `declarations.officers`."""
    check_permission(officer, wanted)
    return {"state": await carry_out(center_of(request), officer, declaration_id, wanted)}


@router.get("/receipts/{receipt_id}", responses=PROBLEMS)
def show_receipt(
    request: Request, _reader: Reader, receipt_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
) -> dict[str, Any]:
    """A release receipt: its content, the center's signature over its canonical bytes, and the key that checks it."""
    found = _read(request, lambda connection: receipts.find(connection, receipt_id))
    key = center_of(request).key.public.to_text()
    return {"content": found.content, "signature": found.signature, "key": key, "revoked": found.revoked}


def check_permission(officer: Principal, wanted: NewDeed) -> None:
    """Refuse a deed that is not this role's.

    Raises:
        HTTPException: 403.
    """
    permission = PERMISSION_OF[wanted.deed]
    if not officer.may(permission):
        raise HTTPException(403, f"{officer.role} may not {permission}")


async def carry_out(center: Center, officer: Principal, identity: str, wanted: NewDeed) -> State:
    """Do a deed, and wake the robot that got an order."""
    state = await center.write(lambda transaction: do(transaction, center.key, officer, identity, wanted))
    if wanted.deed == "order" and wanted.robot:
        center.ring(wanted.robot)
    return state


def _read(request: Request, query: Callable[[Connection], T]) -> T:
    with center_of(request).engine.connect() as connection:
        return query(connection)
