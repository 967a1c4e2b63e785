"""Risk for supervisors: cases with their contributions, versions of models, what-if, warnings."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from inspection_center.api.risk import MAXIMUM_LIST, ModelName, RiskReader, RiskWriter, Version, read, what_if_of
from inspection_center.draws.outcomes import entry_of
from inspection_center.pages.rendering import language_of, page
from inspection_center.problems import Unfit
from inspection_center.risk import cases, imports, versions
from inspection_center.risk.model import LEVELS, RiskModel
from inspection_center.risk.warnings import read_warnings
from inspection_center.service import center_of

router = APIRouter(include_in_schema=False)
Reason = Annotated[str, Form(max_length=2000)]
_SHOWN = 200
_COMPARED = 2000


@router.get("/risk")
async def risk_page(
    request: Request,
    officer: RiskReader,
    level: Annotated[str, Query(max_length=16)] = "",
    model: Annotated[str, Query(max_length=63)] = "",
) -> HTMLResponse:
    """The newest cases, and the models that decide."""

    def query(connection: Connection) -> dict[str, Any]:
        return {
            "versions": versions.versions(connection),
            "cases": cases.list_cases(connection, _SHOWN, level if level in LEVELS else "", model),
        }

    found = await run_in_threadpool(read, request, query)
    return page(request, "risk.html", officer, levels=LEVELS, level=level, model=model, **found)


@router.get("/risk/cases/{number}")
async def case_page(request: Request, officer: RiskReader, number: int) -> HTMLResponse:
    """A case: its score, what it is made of, what was known."""
    if not 0 < number < 2**53:
        raise Unfit("a case's number is a positive integer")

    def query(connection: Connection) -> dict[str, Any]:
        found = cases.case_by_number(connection, number)
        model = versions.version_of(connection, found["model"], found["version"])
        entry = entry_of(connection, found["reference"]) if found["draw"] else None
        return {"case": found, "data": model.data, "entry": entry, **_titles(model, language_of(request))}

    return page(request, "risk_case.html", officer, **await run_in_threadpool(read, request, query))


@router.get("/risk/models/{model}/{version}")
async def version_page(request: Request, officer: RiskReader, model: ModelName, version: Version) -> HTMLResponse:
    """A version: its factors and weights, how it was learnt, the decision about it."""

    def query(connection: Connection) -> dict[str, Any]:
        row = versions.details(connection, model, version)
        compiled = versions.version_of(connection, model, version)
        weight = sum(factor.weight for factor in compiled.data.factors)
        return {"row": row, "data": compiled.data, "weight": weight, **_titles(compiled, language_of(request))}

    return page(request, "risk_version.html", officer, **await run_in_threadpool(read, request, query))


@router.get("/risk/models/{model}/{version}/what-if")
async def what_if_page(request: Request, officer: RiskReader, model: ModelName, version: Version) -> HTMLResponse:
    """Which past decisions this version would change."""
    found = await run_in_threadpool(read, request, lambda connection: what_if_of(connection, model, version, _COMPARED))
    return page(request, "risk_what_if.html", officer, found=found, shown=_SHOWN)


@router.post("/risk/models")
async def propose(request: Request, officer: RiskWriter, reason: Reason, file: UploadFile) -> Response:
    """Propose a version from a file."""
    text = await _text_of(file)
    model = await center_of(request).write(lambda transaction: versions.propose(transaction, officer, text, reason))
    return RedirectResponse(f"/risk/models/{model.data.model}/{model.data.version}", 303)


@router.post("/risk/models/{model}/{version}/decision")
async def decide(
    request: Request,
    officer: RiskWriter,
    model: ModelName,
    version: Version,
    verdict: Annotated[str, Form(pattern="^(approve|reject)$")],
    reason: Reason = "",
) -> Response:
    """Put a version in force, or refuse it."""
    await center_of(request).write(
        lambda transaction: versions.decide(transaction, officer, model, version, verdict == "approve", reason)
    )
    return RedirectResponse(f"/risk/models/{model}/{version}", 303)


@router.get("/risk/warnings")
async def warnings_page(request: Request, officer: RiskReader) -> HTMLResponse:
    """Warnings in force, and the import of a list."""
    found = await run_in_threadpool(read, request, imports.list_warnings)
    return page(request, "risk_warnings.html", officer, warnings=found, counts=None)


@router.post("/risk/warnings")
async def import_list(request: Request, officer: RiskWriter, file: UploadFile) -> HTMLResponse:
    """Import a list; what is refused is told with its line."""
    listed = read_warnings(await _text_of(file))
    counts = await center_of(request).write(lambda transaction: imports.import_warnings(transaction, officer, listed))
    found = await run_in_threadpool(read, request, imports.list_warnings)
    return page(request, "risk_warnings.html", officer, warnings=found, counts=counts)


@router.post("/risk/warnings/withdraw")
async def withdraw(
    request: Request,
    officer: RiskWriter,
    identity: Annotated[str, Form(alias="id", max_length=100)],
    reason: Reason = "",
) -> Response:
    """Withdraw a warning."""
    await center_of(request).write(lambda transaction: imports.remove_warning(transaction, officer, identity, reason))
    return RedirectResponse("/risk/warnings", 303)


def _titles(model: RiskModel, language: str) -> dict[str, dict[str, str]]:
    """Names of factors, indicators, rules and facts in a language."""
    data = model.data
    return {
        "factor_titles": {factor.id: factor.title(language) for factor in data.factors},
        "indicator_titles": {i.id: i.title(language) for factor in data.factors for i in factor.indicators},
        "rule_titles": {rule.id: rule.title(language) for rule in data.rules},
        "fact_titles": {name: fact.title(language) for name, fact in data.facts.items()},
        "group_titles": {name: group.title(language) for name, group in data.groups.items()},
    }


async def _text_of(file: UploadFile) -> str:
    content = await file.read(MAXIMUM_LIST + 1)
    if len(content) > MAXIMUM_LIST:
        raise Unfit(f"the file is longer than {MAXIMUM_LIST} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unfit("the file is not UTF-8") from error
