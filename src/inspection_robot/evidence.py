"""The robot's evidence store: plain files named by the SHA-256 of their bytes.

Several processes write into one folder at the same time. A piece of evidence is either there completely or not at all:
it is written beside its place, fsynced, renamed, and the folder is fsynced before its reference is given out. The
bridge sends what findings refer to and removes files by its disk policy; nobody else removes anything.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inspection_contract.errors import InputError
from inspection_contract.fields import EvidenceReference
from inspection_contract.resources import state

_TEMPORARY_SUFFIX = ".part"
_STALE_AFTER_S = 3600.0


class EvidenceError(Exception):
    """Evidence that cannot be stored or read, and why in one line. A finding then goes out without it."""


@dataclass(frozen=True)
class StoredEvidence:
    """One stored file: its hash, its length and when it was last put (POSIX seconds, wall clock)."""

    sha256: str
    size_bytes: int
    stored: float


def default_folder() -> Path:
    """Where the nodes of the robot on this machine keep their evidence."""
    return state() / "evidence"


class EvidenceStore:
    """Evidence in a folder, content addressed.

    Args:
        folder: made with its parents when missing, readable by its owner only.
        maximum_bytes: refuse evidence larger than this [byte].

    Raises:
        InputError: the folder cannot be made or is no folder.
    """

    def __init__(self, folder: Path, maximum_bytes: int = 64 * 2**20) -> None:
        self.folder = folder
        self.maximum_bytes = maximum_bytes
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(folder, f"cannot be the evidence folder: {error.strerror}") from error

    def put(
        self, data: bytes, media_type: str, role: str = "", retention: str = "routine"
    ) -> EvidenceReference:  # fmt: skip
        """Store bytes durably and return their reference; the same bytes again cost nothing.

        Args:
            data: the bytes.
            media_type: IANA media type, e.g. ``image/png``.
            role: what they show: overlay, crop, spectrum, trace, photo, audio, document.
            retention: class of ``config/retention.yaml``: routine, incident, personal.

        Raises:
            EvidenceError: too large, or the disk is full or failing.
        """
        if len(data) > self.maximum_bytes:
            raise EvidenceError(f"evidence of {len(data)} bytes is above the limit of {self.maximum_bytes}")
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        try:
            if path.exists():
                os.utime(path)
            else:
                self._write(path, data)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise EvidenceError("the evidence disk is full" if full else f"{path}: {error.strerror}") from error
        return EvidenceReference(
            sha256=digest, media_type=media_type, size_bytes=len(data), role=role, retention=retention
        )

    def get(self, sha256: str) -> bytes:
        """The bytes under a hash.

        Raises:
            EvidenceError: not there, or damaged (the bytes no longer have that hash).
        """
        try:
            data = self.path(sha256).read_bytes()
        except OSError as error:
            raise EvidenceError(f"evidence {sha256}: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise EvidenceError(f"evidence {sha256}: the stored bytes are damaged")
        return data

    def has(self, sha256: str) -> bool:
        """Whether the bytes are there."""
        return self.path(sha256).is_file()

    def remove(self, sha256: str) -> bool:
        """Remove a file; False when it was not there."""
        try:
            self.path(sha256).unlink()
        except FileNotFoundError:
            return False
        return True

    def iterate(self) -> Iterator[StoredEvidence]:
        """Every stored file, in no order. What vanishes meanwhile is left out; leftovers of crashes are cleared."""
        for entry in self.folder.glob("??/*"):
            try:
                status = entry.stat()
                if entry.suffix == _TEMPORARY_SUFFIX:
                    if time.time() - status.st_mtime > _STALE_AFTER_S:
                        entry.unlink()
                    continue
            except FileNotFoundError:
                continue
            yield StoredEvidence(entry.name, status.st_size, status.st_mtime)

    def total_bytes(self) -> int:
        """Length of everything stored [byte]."""
        return sum(stored.size_bytes for stored in self.iterate())

    def path(self, sha256: str) -> Path:
        """Where the bytes of a hash lie or would lie.

        Raises:
            EvidenceError: not a lower-case hex SHA-256, so that no name leads out of the folder.
        """
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise EvidenceError(f"{sha256[:80]!r} is not a SHA-256")
        return self.folder / sha256[:2] / sha256

    def _write(self, path: Path, data: bytes) -> None:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _fsync_folder(self.folder)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}{_TEMPORARY_SUFFIX}")
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _fsync_folder(path.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
