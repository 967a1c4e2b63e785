"""Signing in with the organisation's accounts, at a small OpenID Connect provider that runs for the test."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import RSAKey

from inspection_center.auth.oidc import SECRET_VARIABLE
from inspection_center.settings import OidcSettings, Settings
from tests.center.running import RunningCenter

CLIENT, SECRET = "center", "a secret"


class Provider:
    """Everybody who comes is signed in as `person`; `changes` spoil the token."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.signing = self.key
        self.person: dict[str, Any] = {
            "preferred_username": "wang.li",
            "name": "王丽",
            "realm": {"roles": ["x", "shift-lead"]},
        }
        self.changes: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._server = uvicorn.Server(uvicorn.Config(self._app(), log_level="error"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def discover() -> dict[str, str]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }

        @app.get("/keys")
        def keys() -> dict[str, Any]:
            return {"keys": [self.key.as_dict(private=False)]}

        @app.get("/authorize")
        def authorize(request: Request) -> Response:
            query = dict(request.query_params)
            if (
                query["client_id"] != CLIENT
                or query["response_type"] != "code"
                or "openid" not in query["scope"].split()
            ):
                return JSONResponse({"error": "invalid_request"}, 400)
            code = f"code-{len(self._codes)}"
            self._codes[code] = query
            back = urlencode({"code": code, "state": query["state"]})
            return RedirectResponse(f"{query['redirect_uri']}?{back}", 303)

        @app.post("/token")
        def token(
            request: Request, code: str = Form(), code_verifier: str = Form(), redirect_uri: str = Form()
        ) -> Response:
            login = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            asked = self._codes.pop(code, None)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
            if (
                asked is None
                or request.headers.get("authorization") != f"Basic {login}"
                or challenge != asked["code_challenge"]
                or redirect_uri != asked["redirect_uri"]
            ):
                return JSONResponse({"error": "invalid_grant"}, 400)
            now = int(time.time())
            claims = {
                "iss": self.issuer,
                "aud": CLIENT,
                "sub": "1",
                "iat": now,
                "exp": now + 300,
                "nonce": asked["nonce"],
            }
            claims |= self.person | self.changes
            header = {"alg": "RS256", "kid": self.signing.as_dict()["kid"]}
            return JSONResponse({"token_type": "Bearer", "id_token": jwt.encode(header, claims, self.signing)})

        return app


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    found = Provider()
    yield found
    found.close()


@pytest.fixture
def running(tmp_path: Path, provider: Provider) -> Iterator[RunningCenter]:
    oidc = OidcSettings(
        issuer=provider.issuer,
        client_id=CLIENT,
        role_claim="realm.roles",
        roles={"shift-lead": "supervisor", "inspector": "officer"},
    )
    with RunningCenter(tmp_path / "center", Settings(oidc=oidc)) as center:
        yield center


def sign_in(running: RunningCenter, then: str = "/watchlist") -> httpx.Response:
    with httpx.Client(base_url=running.url, follow_redirects=True, headers={"Accept": "text/html"}) as browser:
        return browser.get("/login/oidc", params={"next": then})


def test_a_person_signs_in_with_the_role_of_the_claim_and_comes_to_the_page_wanted(running: RunningCenter) -> None:
    answer = sign_in(running)
    assert (answer.status_code, answer.url.path) == (200, "/watchlist")  # which only a supervisor may read
    assert "王丽" in answer.text or "wang.li" in answer.text
    assert "/login/oidc" in httpx.get(f"{running.url}/login").text


def test_the_role_follows_the_provider(running: RunningCenter, provider: Provider) -> None:
    sign_in(running)
    provider.person["realm"] = {"roles": ["inspector"]}
    assert sign_in(running).status_code == 403  # an officer may not read the watch-list
    assert sign_in(running, "/").status_code == 200
    provider.person["realm"] = {"roles": []}
    answer = sign_in(running, "/")
    assert answer.status_code == 403
    assert "no role" in answer.text


@pytest.mark.parametrize(
    "changes",
    [{"nonce": "another"}, {"aud": "another"}, {"iss": "http://another"}, {"exp": 1}, {"preferred_username": "a b"}],
)
def test_a_token_that_does_not_hold_signs_nobody_in(
    running: RunningCenter, provider: Provider, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    answer = sign_in(running)
    assert answer.status_code == 403
    assert "inspection_session" not in answer.cookies


def test_a_key_of_somebody_else_signs_nobody_in_and_a_new_key_of_the_provider_does(
    running: RunningCenter, provider: Provider
) -> None:
    provider.signing = RSAKey.generate_key(2048, parameters={"kid": "one"})
    assert sign_in(running).status_code == 403
    provider.key = provider.signing = RSAKey.generate_key(2048, parameters={"kid": "two"})
    assert sign_in(running).status_code == 200


def test_another_browsers_attempt_and_a_code_used_before_are_refused(running: RunningCenter) -> None:
    with httpx.Client(base_url=running.url) as browser, httpx.Client(base_url=running.url) as other:
        back = browser.get(browser.get("/login/oidc").headers["location"]).headers["location"]
        assert other.get(back).status_code == 403
        state = parse_qs(httpx.URL(back).query.decode())["state"][0]
        assert browser.get(back.replace(state, "x" * len(state))).status_code == 403
        assert browser.get(back).status_code == 303
        assert browser.get(back).status_code == 403


def test_an_account_with_a_password_of_its_own_is_nobody_elses(running: RunningCenter, provider: Provider) -> None:
    running.add_account("admin", "administrator")
    provider.person["preferred_username"] = "admin"
    assert sign_in(running).status_code == 409


def test_a_provider_that_is_away_is_told_and_passwords_still_work(running: RunningCenter, provider: Provider) -> None:
    running.add_account("li", "officer")
    provider.close()
    answer = sign_in(running)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    with running.browser("li") as browser:
        assert browser.get("/").status_code == 200


def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    with RunningCenter(tmp_path) as plain:
        assert sign_in(plain).status_code == 404
        assert "/login/oidc" not in httpx.get(f"{plain.url}/login").text
