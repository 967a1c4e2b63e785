"""The web application: routes, security headers, errors in one line, life and death of its parts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inspection_center.api import audit, command_stream, events, evidence, health, ingest, layers, officers, personal
from inspection_center.api import declarations as declarations_api
from inspection_center.api import draws as draws_api
from inspection_center.api import exchange as exchange_api
from inspection_center.api import knowledge as knowledge_api
from inspection_center.api import risk as risk_api
from inspection_center.api import supervision as supervision_api
from inspection_center.api import watchlist as watchlist_api
from inspection_center.database.writer import StorageError
from inspection_center.declarations.worker import handle_for_ever
from inspection_center.exchange.delivering import deliver_for_ever
from inspection_center.exchange.receivers import receive_for_ever
from inspection_center.maintenance import keep_house
from inspection_center.metrics import registry
from inspection_center.pages import (
    command,
    declarations,
    draws,
    findings,
    fleet,
    handheld,
    office,
    public,
    risk,
    robot_rules,
    sign_in,
    supervision,
)
from inspection_center.pages.rendering import page
from inspection_center.problems import Problem, Unfit
from inspection_center.public.limits import PublicLimits
from inspection_center.service import Center
from inspection_center.supervision.following import supervise
from inspection_contract.envelope import first_fault

_LOG = logging.getLogger(__name__)
_STATIC = Path(__file__).parent / "static"
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
)
_CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    b"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    b"manifest-src 'self'; worker-src 'self'"
)


class SecurityHeaders:
    """Adds the headers every answer carries; an answer's own content security policy stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                headers.extend(_HEADERS)
                if not any(name == b"content-security-policy" for name, _ in headers):
                    headers.append((b"content-security-policy", _CONTENT_SECURITY_POLICY))
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def create_app(center: Center) -> FastAPI:
    """The application over an opened center; it closes the center when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await center.start()
        work = [keep_house(center), handle_for_ever(center), deliver_for_ever(center), supervise(center.supervision)]
        work += [receive_for_ever(center, receiver) for receiver in center.partners.receivers]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await center.stop()
            center.close()

    app = FastAPI(
        title="Inspection center",
        version="1",
        description="Robots report findings and evidence, officers read and decide.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.center = center
    app.state.metrics = registry(center)
    app.state.sign_in_limit = sign_in.RateLimit()
    app.state.public_limits = PublicLimits()
    app.add_middleware(SecurityHeaders)
    for module in (
        health,
        ingest,
        evidence,
        command_stream,
        events,
        officers,
        layers,
        audit,
        personal,
        watchlist_api,
        knowledge_api,
        sign_in,
        findings,
        command,
        fleet,
        handheld,
        office,
        robot_rules,
        declarations_api,
        exchange_api,
        declarations,
        public,
        risk_api,
        draws_api,
        risk,
        draws,
        supervision_api,
        supervision,
    ):
        app.include_router(module.router)
    app.include_router(draws_api.public_router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    _handle(app, StarletteHTTPException, _refused)
    _handle(app, RequestValidationError, _malformed)
    _handle(app, Problem, _told)
    _handle(app, ValidationError, _unfit)
    _handle(app, StorageError, _unavailable)
    _handle(app, DBAPIError, _unavailable)
    _handle(app, UnicodeError, _unreadable)

    return app


def _handle(app: FastAPI, kind: type[Exception], handler: Callable[[Request, Any], Awaitable[Response]]) -> None:
    app.add_exception_handler(kind, handler)


async def _refused(request: Request, error: HTTPException) -> Response:
    """A refusal: people are shown a page, programs one line."""
    if "text/html" in request.headers.get("accept", ""):
        if error.status_code == 401:
            return RedirectResponse("/login", 303)
        return page(request, "problem.html", None, error.status_code, detail=str(error.detail))
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


async def _told(request: Request, problem: Problem) -> Response:
    """A deed that could not be done, told like a refusal."""
    if request.headers.get("hx-request") == "true" or "text/html" in request.headers.get("accept", ""):
        return page(request, "problem.html", None, problem.status, detail=str(problem))
    return JSONResponse({"detail": str(problem)}, problem.status)


async def _unfit(request: Request, error: ValidationError) -> Response:
    return await _told(request, Unfit(first_fault(error)))


async def _malformed(request: Request, error: RequestValidationError) -> Response:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    return await _told(request, Unfit(f"{place}: {fault['msg']}"[:500]))


async def _unavailable(_request: Request, error: Exception) -> Response:
    _LOG.error("storage failed: %s", error)
    return JSONResponse({"detail": "the database cannot be reached"}, 503, {"Retry-After": "1"})


async def _unreadable(_request: Request, _error: UnicodeError) -> Response:
    return JSONResponse({"detail": "not UTF-8"}, 400)
