"""Backup and restore of a center over SQLite and files, while it runs."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from pathlib import Path

from inspection_center.service import DATABASE_FILE, KEY_FILE
from inspection_contract.errors import InputError


def back_up(state: Path, target: Path) -> int:
    """Copy a center's state into a folder and return how many pieces of evidence are in it.

    The database is copied by SQLite's own online backup, evidence after it: every piece the copied database knows is in
    the copy. A folder that holds an earlier backup is brought up to date.

    Raises:
        InputError: the state is no center's, or the target cannot be written.
    """
    source = state / DATABASE_FILE
    if not source.is_file():
        raise InputError(state, f"has no {DATABASE_FILE}; PostgreSQL is backed up with its own tools (pg_dump)")
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = target / f"{DATABASE_FILE}.part"
        partial.unlink(missing_ok=True)
        with sqlite3.connect(source) as reading, sqlite3.connect(partial) as writing:
            reading.backup(writing)
        writing.close()
        reading.close()
        partial.replace(target / DATABASE_FILE)
        shutil.copy2(state / KEY_FILE, target / KEY_FILE)
        return _copy_evidence(state / "evidence", target / "evidence")
    except (OSError, sqlite3.Error) as error:
        raise InputError(target, f"the backup failed: {error}") from error


def restore(source: Path, state: Path) -> int:
    """Make a new state folder from a backup and return how many pieces of evidence it has.

    Robots notice by the center's answers what it no longer has, and send it again as far as they still hold it.

    Raises:
        InputError: the backup is incomplete or damaged, or the state folder holds a center already.
    """
    for name in (DATABASE_FILE, KEY_FILE):
        if not (source / name).is_file():
            raise InputError(source, f"is no backup: {name} is missing")
    if (state / DATABASE_FILE).exists():
        raise InputError(state, "holds a center already; restore into an empty folder")
    try:
        with sqlite3.connect(f"file:{source / DATABASE_FILE}?mode=ro", uri=True) as database:
            fault = database.execute("PRAGMA quick_check").fetchone()[0]
        if fault != "ok":
            raise InputError(source, f"the database is damaged: {fault}")
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = _copy_evidence(source / "evidence", state / "evidence")
        shutil.copy2(source / KEY_FILE, state / KEY_FILE)
        shutil.copy2(source / DATABASE_FILE, state / DATABASE_FILE)
        return number
    except (OSError, sqlite3.Error) as error:
        raise InputError(source, f"cannot be restored: {error}") from error


def _copy_evidence(source: Path, target: Path) -> int:
    number = 0
    for path in sorted(source.glob("??/*")):
        copy = target / path.parent.name / path.name
        if not copy.is_file() or copy.stat().st_size != path.stat().st_size:
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = copy.with_suffix(".part")
            shutil.copy2(path, partial)
            if hashlib.sha256(partial.read_bytes()).hexdigest() != path.name:
                partial.unlink()
                raise InputError(path, "the evidence is damaged")
            partial.replace(copy)
        number += 1
    return number
