"""Large evidence in pieces: what arrived before a cut stays, and the robot goes on from there.

The pieces lie in a file of this instance until the last one came; then the whole goes into the evidence store, which
checks its hash. A robot that meets another instance after a cut simply begins at that one's offset, 0.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from inspection_center.blobs import BlobError, check_name
from inspection_center.database.writer import StorageError
from inspection_contract.errors import InputError

_CHUNK_BYTES = 2**18


class OffsetError(Exception):
    """A piece that does not begin where the upload stands; go on from `expected`."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        super().__init__(f"the upload stands at {expected}")


class Uploads:
    """Unfinished evidence of robots in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._active: dict[Path, object] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(folder, f"cannot be the folder of uploads: {error.strerror}") from error

    def offset(self, robot: str, sha256: str) -> int:
        """How many bytes are here."""
        path = self._path(robot, sha256)
        return path.stat().st_size if path.is_file() else 0

    async def append(self, robot: str, sha256: str, offset: int, pieces: AsyncIterator[bytes], limit_bytes: int) -> int:
        """Add bytes and return how many are here now. When the sender breaks off, what came until then stays.

        Raises:
            OffsetError: the bytes do not begin where the upload stands.
            BlobError: longer than the limit.
            StorageError: the disk does not take it, or a later request went on with this upload: a connection that
                the robot has long given up may look alive here, and must not keep it waiting.
        """
        path = self._path(robot, sha256)
        with self._newest(path) as request:
            present = self.offset(robot, sha256)
            if offset != present:
                raise OffsetError(present)
            try:
                with path.open("ab", buffering=0) as file:
                    async for piece in pieces:
                        if self._active.get(path) is not request:
                            raise StorageError("a later request goes on with this upload")
                        present += len(piece)
                        if present > limit_bytes:
                            raise BlobError(413, f"more than {limit_bytes} bytes")
                        file.write(piece)
            except OSError as error:
                raise StorageError(f"uploads: {error.strerror}") from error
        return present

    async def pieces(self, robot: str, sha256: str) -> AsyncIterator[bytes]:
        """All bytes that are here."""
        with self._path(robot, sha256).open("rb") as file:
            while piece := file.read(_CHUNK_BYTES):
                yield piece

    def discard(self, robot: str, sha256: str) -> None:
        """Forget an upload that is finished, or that was no use."""
        self._path(robot, sha256).unlink(missing_ok=True)

    def sweep(self, older_than_s: float) -> int:
        """Remove uploads that nobody went on with; returns how many."""
        last = time.time() - older_than_s
        overdue = [path for path in self._folder.iterdir() if path not in self._active and path.stat().st_mtime < last]
        for path in overdue:
            path.unlink(missing_ok=True)
        return len(overdue)

    @contextmanager
    def _newest(self, path: Path) -> Iterator[object]:
        request = object()
        self._active[path] = request
        try:
            yield request
        finally:
            if self._active.get(path) is request:
                del self._active[path]

    def _path(self, robot: str, sha256: str) -> Path:
        return self._folder / f"{robot}.{check_name(sha256)}"
