"""The center's update of the answers: kept in the robot's state, merged over the shipped base, whole or not at all."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from inspection_contract.commands import KnowledgeUpdate
from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.voice.knowledge import KnowledgeBase, check, load


def update_path(state: Path) -> Path:
    """Where the update is kept, under the robot's state folder."""
    return state / "voice" / "knowledge.json"


def newest_change(state: Path) -> float:
    """Time of the last change of the knowledge files or the update [s since the epoch]."""
    paths = [*(share() / "config" / "knowledge").glob("*.yaml"), update_path(state)]
    return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)


def held_update(state: Path) -> KnowledgeUpdate | None:
    """Return the update in use; None when there is none.

    Raises:
        InputError: the file is damaged.
    """
    path = update_path(state)
    try:
        return KnowledgeUpdate.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise InputError(path, f"cannot be read: {str(error).splitlines()[0]}") from None


def merged(base: KnowledgeBase, update: KnowledgeUpdate) -> KnowledgeBase:
    """Return the base with the update over it. What followed up on a removed entry no longer does.

    Raises:
        InputError: together they are not consistent.
    """
    removed = set(update.removed)
    name = f"knowledge update {update.version}"
    if unknown := removed - set(base.entries):
        raise InputError(name, f"removes unknown {', '.join(sorted(unknown))}")
    kept = {
        key: entry.model_copy(update={"follow_ups": tuple(f for f in entry.follow_ups if f not in removed)})
        for key, entry in base.entries.items() if key not in removed
    }  # fmt: skip
    entries = kept | {entry.id: entry for entry in update.entries}
    whole = replace(base, entries=entries, sources={**base.sources, **update.sources}, version=update.version)
    check(whole, name)
    return whole


def knowledge_in_use(state: Path, folder: Path | None = None) -> KnowledgeBase:
    """Return the shipped base with the held update over it.

    Args:
        state: the robot's state folder.
        folder: the shipped base; this installation's by default.

    Raises:
        InputError: the base or the update cannot be read, or they do not fit together.
    """
    base, update = load(folder), held_update(state)
    return base if update is None else merged(base, update)


def apply_update(state: Path, update: KnowledgeUpdate, folder: Path | None = None) -> None:
    """Take an update into use; the voice node sees the file change. Applying the same one again changes nothing.

    Raises:
        InputError: it is older than the one in use, or does not fit the shipped base; nothing has changed then.
    """
    held = held_update(state)
    if held is not None and held.version > update.version:
        raise InputError(f"knowledge update {update.version}", f"is older than {held.version}, which is in use")
    if held is not None and held.version == update.version and held != update:
        raise InputError(f"knowledge update {update.version}", "differs from the one of that version in use")
    merged(load(folder), update)
    path = update_path(state)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(update.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
