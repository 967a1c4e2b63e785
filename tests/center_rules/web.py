"""Requests of programs to a running center."""

from __future__ import annotations

from typing import Any

import httpx

from tests.center.running import RunningCenter


def get(running: RunningCenter, path: str, token: str = "", **parameters: Any) -> httpx.Response:
    """Read something."""
    return httpx.get(f"{running.url}{path}", headers=_headers(token), params=parameters)


def post(running: RunningCenter, path: str, token: str = "", **content: Any) -> httpx.Response:
    """Do something."""
    headers = {**_headers(token), **content.pop("headers", {})}
    return httpx.post(f"{running.url}{path}", headers=headers, **content)


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
