"""Signing in and out, and choosing the language."""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from inspection_center.auth import accounts
from inspection_center.auth.identity import SESSION_COOKIE, principal
from inspection_center.auth.organisation import ATTEMPT_LIFE_S, CALLBACK_PATH, OidcError
from inspection_center.auth.permissions import Principal
from inspection_center.database.writer import StorageError
from inspection_center.pages.rendering import LANGUAGE_COOKIE, LANGUAGES, page
from inspection_center.service import center_of, unavailable

if TYPE_CHECKING:
    from inspection_center.auth.oidc import OidcProvider

router = APIRouter(include_in_schema=False)
_ATTEMPT_COOKIE = "inspection_oidc"
_ATTEMPTS = 10
_WINDOW_S = 60.0
_REMEMBERED = 10_000


class RateLimit:
    """At most so many attempts a minute from one address (token bucket); remembers a bounded number of addresses."""

    def __init__(self, attempts: int = _ATTEMPTS, window_s: float = _WINDOW_S) -> None:
        self._attempts = attempts
        self._rate = attempts / window_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str, now_s: float) -> bool:
        """Count an attempt; False when it is one too many."""
        tokens, last = self._buckets.pop(address, (float(self._attempts), now_s))
        tokens = min(float(self._attempts), tokens + (now_s - last) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[address] = (tokens - 1.0 if allowed else tokens, now_s)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return allowed


def limit_of(request: Request) -> None:
    """Refuse who tries too often.

    Raises:
        HTTPException: 429.
    """
    limit: RateLimit = request.app.state.sign_in_limit
    address = request.client.host if request.client else ""
    if not limit.allows(address, time.monotonic()):
        raise HTTPException(429, "too many attempts; wait a minute", headers={"Retry-After": "60"})


@router.get("/login")
def sign_in_page(request: Request, then: Annotated[str, Query(alias="next", max_length=200)] = "/") -> HTMLResponse:
    """The form; `next` is the page to go on with."""
    return _form(request, 200, _own_path(then))


@router.post("/login", dependencies=[Depends(limit_of)])
async def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=1000)],
    then: Annotated[str, Form(alias="next", max_length=200)] = "/",
) -> Response:
    """Check the password and begin a session."""
    _same_origin(request)
    center = center_of(request)
    life = timedelta(hours=center.settings.session_hours)
    holds = await run_in_threadpool(accounts.check_password, center.engine, name, password)
    try:
        if not holds:
            await center.write(lambda transaction: accounts.failed(transaction, name))
            return _form(request, 403, _own_path(then))
        session = await center.write(lambda transaction: accounts.signed_in(transaction, name, life))
    except StorageError as error:
        raise unavailable(error) from error
    return _with_session(request, session.token, life, then)


@router.get("/login/link/{token}", dependencies=[Depends(limit_of)])
async def sign_in_by_link(request: Request, token: str) -> Response:
    """Begin a session with a one-time link."""
    center = center_of(request)
    life = timedelta(hours=center.settings.session_hours)
    try:
        session = await center.write(lambda transaction: accounts.use_link(transaction, token, life))
    except StorageError as error:
        raise unavailable(error) from error
    if session is None:
        return _form(request, 403, "/")
    return _with_session(request, session.token, life)


@router.get("/login/oidc", dependencies=[Depends(limit_of)])
async def go_to_provider(request: Request, then: Annotated[str, Query(alias="next", max_length=200)] = "/") -> Response:
    """Send the browser to the organisation's own sign-in."""
    try:
        departure = await _provider(request).depart(_own_url(request), _own_path(then))
    except OidcError as error:
        raise HTTPException(error.status, str(error)) from error
    answer = RedirectResponse(departure.url, 303)
    answer.set_cookie(
        _ATTEMPT_COOKIE, departure.attempt, max_age=ATTEMPT_LIFE_S, path=CALLBACK_PATH, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


@router.get(CALLBACK_PATH, dependencies=[Depends(limit_of)])
async def come_from_provider(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Begin a session for whom the provider sends back."""
    center = center_of(request)
    cookie = request.cookies.get(_ATTEMPT_COOKIE, "")
    try:
        identity = await _provider(request).arrive(_own_url(request), cookie, state, code)
    except OidcError as error:
        raise HTTPException(error.status, str(error)) from error
    life = timedelta(hours=center.settings.session_hours)
    session = await center.write(lambda transaction: accounts.admitted(transaction, identity, life))
    answer = _with_session(request, session.token, life, identity.then)
    answer.delete_cookie(_ATTEMPT_COOKIE, path=CALLBACK_PATH)
    return answer


def _provider(request: Request) -> OidcProvider:
    provider = center_of(request).oidc
    if provider is None:
        raise HTTPException(404, "no provider is configured")
    return provider


def _own_url(request: Request) -> str:
    return center_of(request).settings.public_url or str(request.base_url).rstrip("/")


def _form(request: Request, status: int, then: str) -> HTMLResponse:
    oidc = center_of(request).oidc is not None
    return page(request, "sign_in.html", None, status, failed=status != 200, then=then, oidc=oidc)


@router.post("/logout")
async def sign_out(request: Request, found: Annotated[Principal, Depends(principal)]) -> Response:
    """End the session."""
    token = request.cookies.get(SESSION_COOKIE, "")
    try:
        await center_of(request).write(lambda transaction: accounts.signed_out(transaction, token, found.actor))
    except StorageError as error:
        raise unavailable(error) from error
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@router.get("/language/{code}")
def choose_language(request: Request, code: str) -> Response:
    """Remember a language and go back to the page it was chosen on."""
    if code not in LANGUAGES:
        raise HTTPException(404, "no such language")
    # Only the path of where the browser came from: never to another site.
    back = urlsplit(request.headers.get("referer", "")).path
    answer = RedirectResponse(_own_path(back), 303)
    answer.set_cookie(LANGUAGE_COOKIE, code, max_age=31_536_000, samesite="lax", httponly=True)
    return answer


def _same_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "the form comes from another site")


def _own_path(path: str) -> str:
    """A path of this site, else the start: nobody is led elsewhere."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _with_session(request: Request, token: str, life: timedelta, then: str = "/") -> Response:
    answer = RedirectResponse(_own_path(then), 303)
    answer.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(life.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer
