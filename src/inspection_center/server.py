"""Listening: a socket bound before anything is said, uvicorn over it, and the demo's credentials."""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import secrets
import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from inspection_center.app import create_app
from inspection_center.auth import accounts
from inspection_center.auth.secrets import write_secret
from inspection_center.database.writer import Transaction
from inspection_center.service import Center
from inspection_center.settings import Settings
from inspection_contract.errors import InputError

DEMO_ACCOUNT = "demo"
_BACKLOG = 2048
_SWITCH_INTERVAL_S = 0.0005


@dataclass(frozen=True)
class Listening:
    """Where to listen, and TLS when a certificate is given."""

    host: str
    port: int
    certificate: Path | None = None
    private_key: Path | None = None
    robot_ca: Path | None = None


class CenterServer(uvicorn.Server):
    """Ends the open streams first: they would otherwise hold up the end until they are cut."""

    def __init__(self, configuration: uvicorn.Config, center: Center) -> None:
        super().__init__(configuration)
        self._center = center

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let listeners go, then wait for what is being answered."""
        await self._center.stop()
        await super().shutdown(sockets)


def serve(
    state: Path, settings: Settings, listening: Listening, demo: Path | None = None, robots: tuple[str, ...] = ()
) -> int:
    """Run the center until SIGINT or SIGTERM.

    Raises:
        InputError: the port is in use, a file cannot be read, the state folder or database cannot be used.
    """
    listener = _bind(listening.host, listening.port)
    scheme = "https" if listening.certificate else "http"
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    url = settings.public_url or f"{scheme}://{host}:{listener.getsockname()[1]}"
    center = Center(state, settings)
    if demo is not None:
        write_secret(demo, json.dumps(center.writer.run(lambda transaction: _demo(transaction, url, robots)), indent=2))
    print(f"center: {url}", flush=True)
    configuration = uvicorn.Config(
        create_app(center),
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=2,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.private_key,
        ssl_ca_certs=str(listening.robot_ca) if listening.robot_ca else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if listening.robot_ca else ssl.CERT_NONE,
    )
    try:
        if listening.certificate is not None:
            configuration.load()
    except (OSError, ssl.SSLError) as error:
        raise InputError(listening.certificate or "", f"TLS cannot be set up: {error}") from error
    # Reading batches makes many short-lived objects: what was loaded once need not be looked through each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    # The writer's thread asks for the interpreter after each statement: it shall not wait 5 ms for it each time.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    CenterServer(configuration, center).run(sockets=[listener])
    return 0


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on connections wait for the application instead of being refused.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        fault = {
            errno.EADDRINUSE: "the port is in use",
            errno.EACCES: "this port needs more rights",
            errno.EADDRNOTAVAIL: "this machine has no such address",
        }.get(error.errno or 0, error.strerror or str(error))
        raise InputError(f"{host}:{port}", fault) from error
    listener.set_inheritable(True)
    return listener


def _demo(transaction: Transaction, url: str, robots: tuple[str, ...]) -> dict[str, object]:
    """Credentials for hours of one demo: an officer's link, tokens of a reader and a supervisor, robots' codes."""
    # The account may be there from an earlier demo over the same state folder; nobody knows its password either.
    with contextlib.suppress(InputError):
        account = accounts.new_account(DEMO_ACCOUNT, "Demo", "supervisor", secrets.token_urlsafe(24))
        accounts.add_account(transaction, "administrator:demo", account)
    return {
        "url": url,
        "console_url": f"{url}/login/link/{accounts.new_link(transaction, 'administrator:demo', DEMO_ACCOUNT)}",
        "reader_token": accounts.new_service(
            transaction, "administrator:demo", "demo_reader", "officer", accounts.LINK_LIFE
        ),
        "supervisor_token": accounts.new_service(
            transaction, "administrator:demo", "demo_supervisor", "supervisor", accounts.LINK_LIFE
        ),
        "robots": {robot: accounts.new_enrolment(transaction, "administrator:demo", robot) for robot in robots},
    }
