"""Signing in with the organisation's own accounts: OpenID Connect, authorization code flow with PKCE (RFC 7636).

The provider says who it is and, by a claim, which role; this center keeps the account without a password. What the
browser carries between the two halves of the way is signed and short-lived, so that any instance can end it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from joserfc.jwt import JWTClaimsRegistry

from inspection_center.auth.organisation import ATTEMPT_LIFE_S, CALLBACK_PATH, Departure, Identity, OidcError
from inspection_center.settings import OidcSettings
from inspection_contract.signatures import SigningKey

SECRET_VARIABLE = "INSPECTION_OIDC_SECRET"
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
_LEEWAY_S = 60
_DISCOVERY_LIFE_S = 3600.0


class OidcProvider:
    """One OpenID Connect provider."""

    def __init__(self, settings: OidcSettings, key: SigningKey) -> None:
        self._settings = settings
        self._cookie_key = OctKey.import_key(
            hashlib.sha256(b"inspection oidc attempt" + key.to_text().encode()).digest()
        )
        self._secret = os.environ.get(SECRET_VARIABLE, "")
        self._discovered: tuple[float, dict[str, Any]] = (0.0, {})
        self._keys: KeySet | None = None

    async def depart(self, center_url: str, then: str) -> Departure:
        """The way to the provider's own page.

        Raises:
            OidcError: the provider cannot be reached.
        """
        provider = await self._discover()
        attempt = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        challenge = hashlib.sha256(attempt["verifier"].encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": center_url + CALLBACK_PATH,
            "scope": self._settings.scope,
            "state": attempt["state"],
            "nonce": attempt["nonce"],
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        carried = {**attempt, "then": then, "exp": int(time.time()) + ATTEMPT_LIFE_S}
        cookie = jwt.encode({"alg": "HS256"}, carried, self._cookie_key)
        return Departure(f"{provider['authorization_endpoint']}?{urlencode(query)}", cookie)

    async def arrive(self, center_url: str, cookie: str, state: str, code: str) -> Identity:
        """Who came back with a code.

        Raises:
            OidcError: the attempt is not this browser's or too old, the provider refuses the code, its token does not
                hold, or the person has no role here.
        """
        try:
            attempt = jwt.decode(cookie, self._cookie_key, algorithms=["HS256"]).claims
            JWTClaimsRegistry(exp={"essential": True}).validate(attempt)
        except (JoseError, ValueError) as error:
            raise OidcError(403, "this attempt to sign in is too old: begin again") from error
        if not secrets.compare_digest(str(attempt["state"]).encode(), state.encode()):
            raise OidcError(403, "this attempt to sign in is another browser's")
        provider = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": center_url + CALLBACK_PATH,
            "code_verifier": str(attempt["verifier"]),
        }
        answer = await self._fetch("POST", provider["token_endpoint"], form)
        claims = await self._check(provider, str(answer.get("id_token", "")), str(attempt["nonce"]))
        return self._identity(claims, str(attempt["then"]))

    async def _check(self, provider: dict[str, Any], token: str, nonce: str) -> dict[str, Any]:
        registry = JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        for fresh in (False, True):
            try:
                keys = await self._key_set(provider, fresh)
                claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
                registry.validate(claims)
            except (JoseError, ValueError) as error:
                # A key we do not know may be new: look once more before refusing.
                if fresh or self._keys is None:
                    raise OidcError(403, f"the provider's token does not hold: {error}") from error
            else:
                return dict(claims)
        raise AssertionError("unreachable")

    def _identity(self, claims: Mapping[str, Any], then: str) -> Identity:
        name = str(claims.get(self._settings.name_claim, ""))
        if not (1 <= len(name) <= 64 and name.isascii() and all(c.isalnum() or c in "_-.@" for c in name)):
            raise OidcError(403, f"the provider's {self._settings.name_claim} cannot be an account's name")
        found: Any = claims
        for part in self._settings.role_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        held = set(found) if isinstance(found, list) else {found}
        for value, role in self._settings.roles.items():
            if value in held:
                return Identity(name, str(claims.get("name", name))[:200], role, then)
        raise OidcError(403, "this person has no role here")

    async def _discover(self) -> dict[str, Any]:
        until, found = self._discovered
        if time.monotonic() >= until:
            url = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = await self._fetch("GET", url)
            if found.get("issuer") != self._settings.issuer:
                raise OidcError(503, "the provider calls itself another issuer")
            self._discovered = (time.monotonic() + _DISCOVERY_LIFE_S, found)
        return found

    async def _key_set(self, provider: dict[str, Any], fresh: bool) -> KeySet:
        if self._keys is None or fresh:
            self._keys = KeySet.import_key_set(await self._fetch("GET", provider["jwks_uri"]))  # type: ignore[arg-type]
        return self._keys

    async def _fetch(self, method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        login = httpx.BasicAuth(self._settings.client_id, self._secret) if form is not None else None
        try:
            async with httpx.AsyncClient(timeout=10.0, trust_env=False) as http:
                answer = await http.request(method, url, data=form, auth=login or httpx.USE_CLIENT_DEFAULT)
                content = json.loads(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise OidcError(503, f"the provider cannot be reached: {error or type(error).__name__}") from error
        if answer.status_code != 200 or not isinstance(content, dict):
            status = 403 if 400 <= answer.status_code < 500 and form is not None else 503
            raise OidcError(status, f"the provider refuses: {answer.status_code}")
        return content
