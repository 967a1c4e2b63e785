"""`./robot audit verify`: check that nobody rewrote the audit log."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from inspection_center.audit.verification import Checkpoint, verify
from inspection_center.service import DATABASE_FILE, KEY_FILE, open_database
from inspection_center.settings import read_settings
from inspection_contract.errors import InputError
from inspection_contract.resources import state
from inspection_contract.signatures import SignatureError, SigningKey, VerifyKey


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=["verify"], help="what to do")
    parser.add_argument("--state", type=Path, metavar="DIR", help="state folder of the center (default: var/center)")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings, where the database is elsewhere")
    parser.add_argument("--key", metavar="TEXT", help="the center's public key (default: from its state folder)")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint kept elsewhere (JSON)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Verify; 0 intact, 1 not."""
    folder = arguments.state or state() / "center"
    settings = read_settings(arguments.settings)
    if not settings.database_url and not (folder / DATABASE_FILE).is_file():
        raise InputError(folder, f"has no {DATABASE_FILE}")
    key = _key(arguments.key, folder / KEY_FILE)
    kept = tuple(_read_checkpoint(path) for path in arguments.checkpoint)
    engine = open_database(folder, settings)
    try:
        with engine.connect() as connection:
            verdict = verify(connection, key, kept)
    finally:
        engine.dispose()
    if arguments.json:
        print(json.dumps(verdict.__dict__))
    else:
        for fault in verdict.faults:
            print(f"audit: {fault}")
        print(
            f"audit: {verdict.entries} entries, {verdict.checkpoints} checkpoints, {verdict.unsigned} entries since "
            f"the last, {verdict.erased} erased: {'NOT INTACT' if verdict.faults else 'intact'}"
        )
    return 1 if verdict.faults else 0


def _key(text: str | None, path: Path) -> VerifyKey:
    try:
        return VerifyKey.from_text(text) if text else SigningKey.from_text(path.read_text()).public
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except SignatureError as error:
        raise InputError("--key" if text else path, str(error)) from error


def _read_checkpoint(path: Path) -> Checkpoint:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Checkpoint(int(content["size"]), str(content["root"]), str(content["time"]), str(content["signature"]))
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(path, "not a checkpoint") from error
