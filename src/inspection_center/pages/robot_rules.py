"""Robots' rules: their versions, what changed, who holds which."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from inspection_center import robots
from inspection_center.api.events import Reader
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.pages.rendering import page
from inspection_center.problems import Unfit
from inspection_center.robot_rules import rules
from inspection_center.service import center_of

router = APIRouter(include_in_schema=False)
Writer = Annotated[Principal, Depends(require("rules.write"))]
_FIRST = "rules:\n  - id: \n    capability: \n    parameters: {}\n"


@router.get("/robot-rules")
async def rules_page(request: Request, officer: Reader) -> HTMLResponse:
    """The versions and the form for the next."""
    return await _page(request, officer)


@router.post("/robot-rules")
async def publish(
    request: Request,
    officer: Writer,
    content: Annotated[str, Form(max_length=2**20)],
    note: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Make the next version and send it; a fault is told beside the text, which is kept."""
    center = center_of(request)
    try:
        read = rules.read_rules(content)
    except Unfit as error:
        return await _page(request, officer, content, str(error))
    _, names = await center.write(
        lambda transaction: rules.add_version(transaction, center.key, officer, read, note.strip())
    )
    for name in names:
        center.ring(name)
    return RedirectResponse("/robot-rules", 303)


async def _page(request: Request, officer: Principal, content: str = "", fault: str = "") -> HTMLResponse:
    center = center_of(request)

    def query() -> dict[str, Any]:
        with center.engine.connect() as connection:
            return {
                "versions": rules.versions(connection, center.key),
                "robots": robots.overview(connection, center.settings),
            }

    found = await run_in_threadpool(query)
    if not content:
        content = rules.to_yaml(found["versions"][0]["rules"]) if found["versions"] else _FIRST
    status = 422 if fault else 200
    return page(request, "robot_rules.html", officer, status, content=content, fault=fault, **found)
