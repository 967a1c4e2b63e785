"""Evidence in an S3-compatible store, behind the same interface as files."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from inspection_center.blobs import BlobError, check_name
from inspection_center.database.writer import StorageError
from inspection_center.settings import S3Settings

_IN_MEMORY_BYTES = 2**20
_CHUNK_BYTES = 2**18


class S3BlobStore:
    """Objects named by their hash below a prefix; credentials come from the environment (AWS_ACCESS_KEY_ID, …)."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._prefix = settings.prefix
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=settings.endpoint_url or None,
            config=Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 2}),
        )

    async def put(self, sha256: str, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        """See `BlobStore`: the stream is checked whole before anything is sent on."""
        key = self._key(sha256)
        digest = hashlib.sha256()
        length = 0
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
            async for chunk in chunks:
                length += len(chunk)
                if length > limit_bytes:
                    raise BlobError(413, f"more than {limit_bytes} bytes")
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != sha256:
                raise BlobError(422, "the bytes do not have this hash")
            file.seek(0)
            try:
                await asyncio.to_thread(self._client.upload_fileobj, file, self._bucket, key)
            except (BotoCoreError, ClientError) as error:
                raise StorageError(f"evidence store: {error}") from error
        return length

    def read(self, sha256: str) -> Iterator[bytes] | None:
        """See `BlobStore`."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(sha256))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise StorageError(f"evidence store: {error}") from error
        except BotoCoreError as error:
            raise StorageError(f"evidence store: {error}") from error
        pieces: Iterator[bytes] = answer["Body"].iter_chunks(_CHUNK_BYTES)
        return pieces

    def has(self, sha256: str) -> bool:
        """See `BlobStore`."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=self._key(sha256))
        except ClientError:
            return False
        except BotoCoreError as error:
            raise StorageError(f"evidence store: {error}") from error
        return True

    def remove(self, sha256: str) -> None:
        """See `BlobStore`."""
        self._delete(self._key(sha256))

    def check(self) -> None:
        """See `BlobStore`."""
        key = f"{self._prefix}probe-{secrets.token_hex(8)}"
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=b"probe")
        except (BotoCoreError, ClientError) as error:
            raise StorageError(f"evidence store: {error}") from error
        self._delete(key)

    def _delete(self, key: str) -> None:
        try:
            self._client.delete_object(Bucket=self._bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise StorageError(f"evidence store: {error}") from error

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}{check_name(sha256)}"
