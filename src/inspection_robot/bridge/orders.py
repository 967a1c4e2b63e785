"""What the bridge keeps of the center's data on disk for other nodes: the watch-list and the rules in force."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from inspection_contract.commands import KnowledgeUpdate, RulesUpdate, WatchlistEntry, WatchlistUpdate
from inspection_contract.errors import InputError
from inspection_contract.resources import state
from inspection_robot.bridge.commands import CommandRefused
from inspection_robot.voice.knowledge_update import apply_update


@dataclass(frozen=True)
class WatchlistInForce:
    """The watch-list this robot holds: keyed digests and sealed names only."""

    version: str
    issued: datetime
    expires: datetime
    entries: tuple[WatchlistEntry, ...]


def read_watchlist(path: Path) -> WatchlistInForce | None:
    """The kept watch-list; None when there is none.

    Raises:
        InputError: the file is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        update = WatchlistUpdate.model_validate(content["update"])
        return WatchlistInForce(
            update.version, datetime.fromisoformat(content["issued"]), update.list_expires, update.entries
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise InputError(path, f"not a watch-list: {error}") from error


def apply_watchlist(path: Path, update: WatchlistUpdate, issued: datetime) -> WatchlistInForce:
    """Replace or extend the kept watch-list, whole or not at all.

    Raises:
        CommandRefused: the update builds on a version this robot does not hold, or the disk refuses.
    """
    entries = {entry.id: entry for entry in update.entries}
    if update.base_version:
        try:
            present = read_watchlist(path)
        except InputError as error:
            raise CommandRefused(f"the kept watch-list is damaged: {error.fault}") from error
        held = present.version if present else ""
        if present is None or held != update.base_version:
            raise CommandRefused(f"builds on version {update.base_version!r}, this robot holds {held!r}")
        removed = set(update.removed)
        kept = {entry.id: entry for entry in present.entries if entry.id not in removed}
        entries = {**kept, **entries}
    whole = update.model_copy(update={"base_version": "", "removed": (), "entries": tuple(entries.values())})
    _write(path, {"issued": issued.isoformat(), "update": whole.model_dump(mode="json")})
    return WatchlistInForce(whole.version, issued, whole.list_expires, whole.entries)


def apply_rules(path: Path, update: RulesUpdate) -> None:
    """Keep the rules in force.

    Raises:
        CommandRefused: the disk refuses.
    """
    _write(path, update.model_dump(mode="json"))


def apply_knowledge(update: KnowledgeUpdate) -> None:
    """Have the voice node answer by an update of its knowledge base.

    Raises:
        CommandRefused: it is old, does not fit the answers this robot has, or the disk refuses.
    """
    try:
        apply_update(state(), update)
    except InputError as error:
        raise CommandRefused(str(error)) from error
    except OSError as error:
        raise CommandRefused(f"the knowledge update cannot be kept: {error.strerror}") from error


def rules_version(path: Path) -> str:
    """Version of the rules in force; empty without any."""
    try:
        return RulesUpdate.model_validate_json(path.read_text(encoding="utf-8")).version
    except (OSError, ValidationError):
        return ""


def _write(path: Path, content: object) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CommandRefused(f"cannot be kept: {error.strerror}") from error
