"""Who makes a request: a robot or service by its bearer token, an officer by the session cookie."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from sqlalchemy import Engine, or_, select

from inspection_center.auth.permissions import Permission, Principal
from inspection_center.auth.secrets import token_hash
from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.service import center_of

SESSION_COOKIE = "inspection_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_bearer = HTTPBearer(auto_error=False, description="A robot's or a service's token.")
_cookie = APIKeyCookie(name=SESSION_COOKIE, auto_error=False, description="An officer's session.")


async def principal(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    """The authenticated maker of a request.

    Raises:
        HTTPException: 401 without valid credentials; 403 when a session's unsafe request lacks its CSRF token.
    """
    engine = center_of(request).engine
    if bearer is not None:
        found = await run_in_threadpool(by_token, engine, bearer.credentials)
    elif cookie is not None:
        found = await run_in_threadpool(by_session, engine, cookie)
        if found is not None and request.method not in _SAFE_METHODS:
            await _check_csrf(request, found)
    else:
        found = None
    if found is None:
        raise HTTPException(401, "not signed in", headers={"WWW-Authenticate": "Bearer"})
    return found


def require(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the principal, if its role has a permission."""

    async def check(found: Annotated[Principal, Depends(principal)]) -> Principal:  # no thread for a look at a table
        if not found.may(permission):
            raise HTTPException(403, f"{found.role} may not {permission}")
        return found

    return check


def by_token(engine: Engine, token: str) -> Principal | None:
    """Robot or service of a token."""
    digest, now = token_hash(token), now_text()
    robot, service = schema.robot, schema.service_token
    with engine.connect() as connection:
        row = connection.execute(
            select(robot.c.name, robot.c.public_key).where(
                ~robot.c.revoked,
                or_(
                    robot.c.token_hash == digest,
                    (robot.c.previous_token_hash == digest) & (robot.c.previous_token_expires > now),
                ),
            )
        ).first()
        if row is not None:
            return Principal("robot", row[0], "robot", public_key=row[1])
        row = connection.execute(
            select(service.c.name, service.c.role).where(
                service.c.token_hash == digest, or_(service.c.expires.is_(None), service.c.expires > now)
            )
        ).first()
    return None if row is None else Principal("service", row[0], row[1])


def by_session(engine: Engine, token: str) -> Principal | None:
    """Officer of a session."""
    session, account = schema.session, schema.account
    with engine.connect() as connection:
        row = connection.execute(
            select(account.c.name, account.c.role, session.c.csrf)
            .join(account, account.c.name == session.c.account)
            .where(session.c.token_hash == token_hash(token), session.c.expires > now_text(), account.c.active)
        ).first()
    return None if row is None else Principal("officer", row[0], row[1], row[2])


async def _check_csrf(request: Request, found: Principal) -> None:
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        value = (await request.form()).get("csrf", "")
        given = value if isinstance(value, str) else ""
    if not hmac.compare_digest(given.encode(), found.csrf.encode()):
        raise HTTPException(403, "the form is too old: load the page again")
