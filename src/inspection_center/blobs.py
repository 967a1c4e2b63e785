"""Evidence by its hash: files of the center, behind an interface that an S3 store also fills."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

from inspection_center.database.writer import StorageError
from inspection_contract.errors import InputError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 2**18


class BlobError(Exception):
    """Bytes that are refused: too many, or not those of the name."""

    def __init__(self, status: int, fault: str) -> None:
        self.status = status
        super().__init__(fault)


class BlobStore(Protocol):
    """Where evidence lies. Writing is whole or not at all."""

    async def put(self, sha256: str, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        """Store a stream under its hash durably and return its length.

        Raises:
            BlobError: longer than the limit, or another hash.
            StorageError: the store cannot take it now.
        """

    def read(self, sha256: str) -> Iterator[bytes] | None:
        """The bytes in pieces; None when they are not there."""

    def has(self, sha256: str) -> bool:
        """Whether the bytes are there."""

    def remove(self, sha256: str) -> None:
        """Remove the bytes; nothing happens when they are not there."""

    def check(self) -> None:
        """Write and remove a probe.

        Raises:
            StorageError: the store does not take writes.
        """


def check_name(sha256: str) -> str:
    """A hash that can name a file and nothing else.

    Raises:
        BlobError: it is no lower-case hex SHA-256.
    """
    if not _SHA256.fullmatch(sha256):
        raise BlobError(422, "not a SHA-256")
    return sha256


class FileBlobStore:
    """Evidence as files, two levels deep, fsynced before they count."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(folder, f"cannot be the evidence folder: {error.strerror}") from error

    async def put(self, sha256: str, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        """See `BlobStore`."""
        path = self._path(sha256)
        digest = hashlib.sha256()
        length = 0
        temporary = self._folder / f"{secrets.token_hex(16)}.part"
        try:
            with temporary.open("xb") as file:
                async for chunk in chunks:
                    length += len(chunk)
                    if length > limit_bytes:
                        raise BlobError(413, f"more than {limit_bytes} bytes")
                    digest.update(chunk)
                    file.write(chunk)
                if digest.hexdigest() != sha256:
                    raise BlobError(422, "the bytes do not have this hash")
                file.flush()
                os.fsync(file.fileno())
            path.parent.mkdir(mode=0o700, exist_ok=True)
            temporary.rename(path)
            _fsync_folder(path.parent)
        except OSError as error:
            raise StorageError(f"evidence store: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return length

    def read(self, sha256: str) -> Iterator[bytes] | None:
        """See `BlobStore`."""
        path = self._path(sha256)
        return _pieces(path) if path.is_file() else None

    def has(self, sha256: str) -> bool:
        """See `BlobStore`."""
        return self._path(sha256).is_file()

    def remove(self, sha256: str) -> None:
        """See `BlobStore`."""
        self._path(sha256).unlink(missing_ok=True)

    def check(self) -> None:
        """See `BlobStore`."""
        probe = self._folder / f"{secrets.token_hex(16)}.part"
        try:
            with probe.open("xb") as file:
                file.write(b"probe")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"evidence store: {error.strerror}") from error
        finally:
            probe.unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        check_name(sha256)
        return self._folder / sha256[:2] / sha256


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            yield piece


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
