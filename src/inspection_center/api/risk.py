"""Risk for programs: assess, results, versions of models, what-if, warnings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from inspection_center.api.officers import PROBLEMS
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.risk import cases, imports, versions
from inspection_center.risk.warnings import read_warnings
from inspection_center.risk.whatif import compare
from inspection_center.service import center_of
from inspection_contract.fields import Number, Text, Word

T = TypeVar("T")
router = APIRouter(prefix="/api/v1/risk", tags=["risk"])
RiskReader = Annotated[Principal, Depends(require("risk.read"))]
RiskWriter = Annotated[Principal, Depends(require("risk.write"))]
Assessor = Annotated[Principal, Depends(require("risk.assess"))]
ModelName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
_NAME = r"^[a-z][a-z0-9_]{0,62}$"
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
MAXIMUM_LIST = 4_000_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewCase(_Body):
    """Something to be assessed. Facts by the names of the model; what is absent or null is not known."""

    model: Annotated[str, Field(pattern=_NAME)]
    reference: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$")]
    facts: Annotated[dict[str, bool | Number | Word | None], Field(max_length=300)]
    company: Annotated[str, Field(max_length=64, pattern=_PRINTABLE)] = ""
    goods: Annotated[
        list[dict[Literal["hs_code", "origin", "producer", "lot", "name"], Word]], Field(max_length=500)
    ] = []


class NewResult(_Body):
    """An inspection's result."""

    reference: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$")]
    outcome: Literal["passed", "failed"]
    note: Text = ""


class NewVersion(_Body):
    """A model's YAML and why it is wanted."""

    text: Annotated[str, Field(min_length=1, max_length=2**20)]
    reason: Text


class Decision(_Body):
    """Approval or refusal of a version."""

    approve: bool
    reason: Text = ""


class WarningList(_Body):
    """A list of warnings as CSV or JSON."""

    content: Annotated[str, Field(min_length=1, max_length=MAXIMUM_LIST)]


class Withdrawal(_Body):
    """A warning that holds no longer."""

    id: Annotated[str, Field(max_length=100)]
    reason: Text


@router.get("/models", responses=PROBLEMS)
def list_versions(request: Request, _reader: RiskReader) -> list[dict[str, Any]]:
    """Every version of every model; `in_force` marks those that decide."""
    return read(request, versions.versions)


@router.post("/models", responses=PROBLEMS, status_code=201)
async def propose_version(request: Request, officer: RiskWriter, new: NewVersion) -> dict[str, Any]:
    """Propose a version; somebody else puts it in force."""
    model = await center_of(request).write(
        lambda transaction: versions.propose(transaction, officer, new.text, new.reason)
    )
    return {"model": model.data.model, "version": model.data.version, "sha256": model.sha256}


@router.get("/models/{model}/{version}", responses=PROBLEMS)
def show_version(request: Request, _reader: RiskReader, model: ModelName, version: Version) -> dict[str, Any]:
    """A version with its text and, where it was learnt, the report."""
    return read(request, lambda connection: versions.details(connection, model, version))


@router.post("/models/{model}/{version}/decision", responses=PROBLEMS, status_code=204)
async def decide_version(
    request: Request, officer: RiskWriter, model: ModelName, version: Version, decision: Decision
) -> Response:
    """Put a proposed version in force, or refuse it; never the one who proposed it."""
    await center_of(request).write(
        lambda transaction: versions.decide(transaction, officer, model, version, decision.approve, decision.reason)
    )
    return Response(status_code=204)


@router.get("/models/{model}/{version}/what-if", responses=PROBLEMS)
def what_if(
    request: Request,
    _reader: RiskReader,
    model: ModelName,
    version: Version,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> dict[str, Any]:
    """What this version would have decided on past cases, beside the version in force."""
    return read(request, lambda connection: what_if_of(connection, model, version, limit))


@router.get("/cases", responses=PROBLEMS)
def list_cases(
    request: Request,
    _reader: RiskReader,
    level: Annotated[Literal["release", "draw", "inspect"] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """The newest cases first."""
    return read(request, lambda connection: cases.list_cases(connection, limit, level or ""))


@router.post("/cases", responses=PROBLEMS, status_code=201)
async def assess(request: Request, officer: Assessor, new: NewCase) -> dict[str, Any]:
    """Assess something by the version in force."""
    goods = [{str(name): value for name, value in one.items()} for one in new.goods]
    assessed = await center_of(request).write(
        lambda transaction: cases.assess(
            transaction, officer.actor, new.model, new.reference, new.facts, new.company, goods
        )
    )
    return asdict(assessed)


@router.get("/cases/{number}", responses=PROBLEMS)
def show_case(
    request: Request, _reader: RiskReader, number: Annotated[int, Path(ge=1, le=2**53 - 1)]
) -> dict[str, Any]:
    """A case with its inputs, version and contributions."""
    return read(request, lambda connection: cases.case_by_number(connection, number))


@router.post("/results", responses=PROBLEMS, status_code=204)
async def record_result(request: Request, officer: Assessor, result: NewResult) -> Response:
    """Bring an inspection's result back to its case."""
    await center_of(request).write(
        lambda transaction: cases.record_result(
            transaction, officer.actor, result.reference, result.outcome, result.note
        )
    )
    return Response(status_code=204)


@router.get("/warnings", responses=PROBLEMS)
def list_warnings(
    request: Request, _reader: RiskReader, limit: Annotated[int, Query(ge=1, le=20_000)] = 500
) -> list[dict[str, Any]]:
    """Warnings in force."""
    return read(request, lambda connection: imports.list_warnings(connection, limit))


@router.post("/warnings", responses=PROBLEMS, status_code=201)
async def import_warnings(request: Request, officer: RiskWriter, new: WarningList) -> dict[str, int]:
    """Import a list; a list that comes twice changes nothing."""
    found = read_warnings(new.content)
    return await center_of(request).write(lambda transaction: imports.import_warnings(transaction, officer, found))


@router.post("/warnings/withdrawals", responses=PROBLEMS, status_code=204)
async def withdraw_warning(request: Request, officer: RiskWriter, withdrawal: Withdrawal) -> Response:
    """Withdraw a warning."""
    await center_of(request).write(
        lambda transaction: imports.remove_warning(transaction, officer, withdrawal.id, withdrawal.reason)
    )
    return Response(status_code=204)


def what_if_of(connection: Connection, model: str, version: int, limit: int) -> dict[str, Any]:
    """A version beside the one in force, over the newest cases."""
    new = versions.version_of(connection, model, version)
    old = versions.in_force(connection, model)
    past = cases.past_cases(connection, model, limit)
    found = compare(old, new, [(row["number"], row["reference"], row["facts"], row["outcome"]) for row in past])
    return {
        "model": model,
        "in_force": old.data.version,
        "version": version,
        "compared": found.compared,
        "refused": {str(number): reason for number, reason in found.refused.items()},
        "moves": [{"before": before, "after": after, "cases": n} for (before, after), n in found.moves.items()],
        "changes": [asdict(change) for change in found.changes],
        "caught": {level: {"before": b, "after": a} for level, (b, a) in found.caught.items()},
    }


def read(request: Request, query: Callable[[Connection], T]) -> T:
    """Run a query."""
    with center_of(request).engine.connect() as connection:
        return query(connection)
