"""`./robot enrol`: make this robot known to a center with a one-time code."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from inspection_contract.resources import state
from inspection_robot.bridge.credentials import enrol


def credentials_path() -> Path:
    """Where this robot's credentials lie unless told otherwise."""
    return state() / "bridge" / "credentials.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--center", required=True, metavar="URL", help="the center, e.g. https://center.example:8443")
    parser.add_argument("--code", metavar="CODE", help="the one-time code; without it, read from standard input")
    parser.add_argument("--authority", type=Path, metavar="FILE", help="certificate authority of the center (PEM)")
    parser.add_argument("--credentials", type=Path, metavar="FILE", help="file to write (var/bridge/credentials.json)")


def run(arguments: argparse.Namespace) -> int:
    """Enrol and say as whom."""
    path = arguments.credentials or credentials_path()
    code = arguments.code or sys.stdin.readline()
    credentials = enrol(arguments.center, code, path, arguments.authority)
    print(f"enrolled as {credentials.robot}: {path}")
    return 0
