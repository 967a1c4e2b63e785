"""The center's command line: serve, give out enrolment codes and links, make accounts."""

from __future__ import annotations

import argparse
import getpass
import ipaddress
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from inspection_center.auth import accounts
from inspection_center.auth.permissions import OFFICER_ROLES
from inspection_center.backup import back_up, restore
from inspection_center.database.writer import StorageError, Transaction, Writer
from inspection_center.draws import verify_draw
from inspection_center.erasure import erase
from inspection_center.problems import Problem
from inspection_center.risk import risk_command
from inspection_center.server import Listening, serve
from inspection_center.service import open_database
from inspection_center.settings import read_settings
from inspection_contract.errors import InputError
from inspection_contract.fields import ROBOT_NAME_PATTERN
from inspection_contract.resources import state

T = TypeVar("T")
_ACTOR = "administrator:command line"


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 failed, 2 bad input or usage."""
    parser = argparse.ArgumentParser(prog="inspection_center", description="The central inspection backend.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _serve_arguments(commands.add_parser("serve", help="run the center"))
    enrol = commands.add_parser("enrol", help="print a one-time code with which a robot enrols")
    enrol.add_argument("robot", help="the robot's name")
    enrol.set_defaults(run=_enrol)
    account = commands.add_parser("account", help="make an account; the password is asked for, or read from stdin")
    account.add_argument("name")
    account.add_argument("--role", choices=OFFICER_ROLES, default="officer")
    account.add_argument("--display-name", default="")
    account.set_defaults(run=_account)
    link = commands.add_parser("link", help="print a path that signs an account in once")
    link.add_argument("name")
    link.set_defaults(run=_link)
    erasing = commands.add_parser("erase", help="erase a person: destroy the key of what is sealed")
    erasing.add_argument(
        "subject", help="watchlist:ENTRY, session:ROBOT:SESSION, person:ROBOT:SUBJECT, or the name of an account"
    )
    erasing.set_defaults(run=_erase)
    service = commands.add_parser("service-token", help="print a token for a program that acts in a role")
    service.add_argument("name")
    service.add_argument("--role", choices=OFFICER_ROLES, default="auditor")
    service.set_defaults(run=_service)
    backup = commands.add_parser("backup", help="copy the state into a folder, while the center runs")
    backup.add_argument("target", type=Path)
    backup.set_defaults(run=_back_up)
    restoring = commands.add_parser("restore", help="make a new state folder from a backup")
    restoring.add_argument("source", type=Path)
    restoring.set_defaults(run=_restore)
    risk = commands.add_parser("risk", help="check risk models, score cases, learn weights, compare versions")
    risk_command.configure(risk)
    risk.set_defaults(run=risk_command.run)
    drawing = commands.add_parser("draw", help="verify the proof files of draws")
    drawing.add_argument("deed", choices=("verify",))
    drawing.add_argument("proofs", type=Path, nargs="+", metavar="PROOF.json")
    drawing.add_argument("--zh", action="store_true", help="report in Chinese")
    drawing.set_defaults(run=_verify_draws)
    for command in commands.choices.values():
        command.add_argument(
            "--state", type=Path, default=None, metavar="DIR", help="state folder (default: var/center)"
        )
        command.add_argument(
            "--settings", type=Path, default=None, metavar="FILE", help="settings (config/center.yaml)"
        )
    arguments = parser.parse_args(argv)
    arguments.state = arguments.state or state() / "center"
    try:
        return int(arguments.run(arguments))
    except InputError as error:
        print(f"inspection_center: {error}", file=sys.stderr)
        return 2
    except Problem as error:
        print(f"inspection_center: {error}", file=sys.stderr)
        return 2
    except StorageError as error:
        print(f"inspection_center: the database does not take this: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="port; 0: any free one (default 8080)")
    parser.add_argument(
        "--demo",
        metavar="FILE",
        type=Path,
        default=None,
        help="loopback only: write an officer's link, a reader's token and robots' codes to FILE",
    )
    parser.add_argument("--demo-robot", metavar="NAME", action="append", default=None, help="robots to enrol (robot_1)")
    parser.add_argument("--certificate", type=Path, default=None, help="TLS certificate chain (PEM)")
    parser.add_argument("--private-key", type=Path, default=None, help="its key (PEM)")
    parser.add_argument(
        "--robot-ca", type=Path, default=None, help="demand client certificates of this authority (PEM)"
    )
    parser.set_defaults(run=_serve)


def _serve(arguments: argparse.Namespace) -> int:
    robots: list[str] = arguments.demo_robot or ["robot_1"]
    if arguments.demo is not None:
        if not _is_loopback(arguments.host):
            raise InputError(
                "--demo", f"gives out credentials and therefore listens on loopback only, not on {arguments.host}"
            )
        for robot in robots:
            _check_robot(robot)
    if not 0 <= arguments.port <= 65535:
        raise InputError(f"--port {arguments.port}", "is not within 0 … 65535")
    listening = Listening(
        arguments.host, arguments.port, arguments.certificate, arguments.private_key, arguments.robot_ca
    )
    return serve(arguments.state, read_settings(arguments.settings), listening, arguments.demo, tuple(robots))


def _enrol(arguments: argparse.Namespace) -> int:
    _check_robot(arguments.robot)
    print(_write(arguments, lambda transaction: accounts.new_enrolment(transaction, _ACTOR, arguments.robot)))
    return 0


def _account(arguments: argparse.Namespace) -> int:
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    account = accounts.new_account(arguments.name, arguments.display_name, arguments.role, password)
    _write(arguments, lambda transaction: accounts.add_account(transaction, _ACTOR, account))
    return 0


def _link(arguments: argparse.Namespace) -> int:
    token = _write(arguments, lambda transaction: accounts.new_link(transaction, _ACTOR, arguments.name))
    print(f"/login/link/{token}")
    return 0


def _service(arguments: argparse.Namespace) -> int:
    print(
        _write(arguments, lambda transaction: accounts.new_service(transaction, _ACTOR, arguments.name, arguments.role))
    )
    return 0


def _erase(arguments: argparse.Namespace) -> int:
    entries = _write(arguments, lambda transaction: erase(transaction, _ACTOR, arguments.subject))
    print(f"{arguments.subject}: erased, also from {entries} audit entries")
    return 0


def _verify_draws(arguments: argparse.Namespace) -> int:
    results = [verify_draw.report(str(path), zh=arguments.zh) for path in arguments.proofs]
    return max(results)


def _back_up(arguments: argparse.Namespace) -> int:
    print(f"{back_up(arguments.state, arguments.target)} pieces of evidence and the database are in {arguments.target}")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    print(f"{restore(arguments.source, arguments.state)} pieces of evidence and the database are in {arguments.state}")
    return 0


def _write(arguments: argparse.Namespace, job: Callable[[Transaction], T]) -> T:
    try:
        arguments.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(arguments.state, f"cannot be the state folder: {error.strerror}") from error
    engine = open_database(arguments.state, read_settings(arguments.settings))
    writer = Writer(engine)
    try:
        return writer.run(job)
    finally:
        writer.close()
        engine.dispose()


def _check_robot(name: str) -> None:
    if re.fullmatch(ROBOT_NAME_PATTERN, name) is None:
        raise InputError(name[:80], "a robot's name has lower-case letters, digits and _, and begins with a letter")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
