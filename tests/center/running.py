"""A real center for tests: the application over a state folder, served on a free port in this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import httpx
import uvicorn

from inspection_center.app import create_app
from inspection_center.auth import accounts
from inspection_center.auth.secrets import hash_password
from inspection_center.server import CenterServer
from inspection_center.service import Center
from inspection_center.settings import Settings
from inspection_contract.client import CenterClient
from inspection_contract.signatures import SigningKey

PASSWORD = "correct horse battery"


@cache
def password_hash() -> str:
    """Hash of `PASSWORD`, made once: hashing is slow by design."""
    return hash_password(PASSWORD)


@dataclass(frozen=True)
class EnrolledRobot:
    """A robot that the center knows."""

    name: str
    token: str
    key: SigningKey


class RunningCenter:
    """A center behind a real socket; a context manager."""

    def __init__(self, state: Path, settings: Settings | None = None, port: int = 0) -> None:
        self.center = Center(state, settings or Settings())
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = CenterServer(
            uvicorn.Config(create_app(self.center), log_level="error", timeout_graceful_shutdown=1, lifespan="on"),
            self.center,
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as http:
            http.get(f"{self.url}/health/live").raise_for_status()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._listener.close()

    def enrol(self, name: str = "robot_1") -> EnrolledRobot:
        """Make a robot known, as it does itself."""
        code = self.center.writer.run(lambda transaction: accounts.new_enrolment(transaction, "test", name))
        key = SigningKey.generate()
        with CenterClient(self.url) as client:
            enrolment = client.enrol(code, key)
        return EnrolledRobot(enrolment.robot, enrolment.token, key)

    def service_token(self, role: str) -> str:
        """A program's token in a role."""
        return self.center.writer.run(lambda transaction: accounts.new_service(transaction, "test", f"t_{role}", role))

    def add_account(self, name: str, role: str) -> None:
        """An officer whose password is `PASSWORD`."""
        account = accounts.NewAccount(name, name, role, password_hash())
        self.center.writer.run(lambda transaction: accounts.add_account(transaction, "test", account))

    @contextmanager
    def browser(self, name: str) -> Iterator[httpx.Client]:
        """A signed-in HTTP client with cookies."""
        with httpx.Client(base_url=self.url, follow_redirects=True) as http:
            answer = http.post("/login", data={"name": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            yield http
