"""Request bodies with a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import HTTPException, Request


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        HTTPException: 413 when it is longer than the limit, told before reading when the length is announced.
    """
    return b"".join([chunk async for chunk in limited(request, limit_bytes)])


async def limited(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body in pieces, broken off with 413 beyond the limit."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise HTTPException(413, f"more than {limit_bytes} bytes")
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > limit_bytes:
            raise HTTPException(413, f"more than {limit_bytes} bytes")
        yield chunk
