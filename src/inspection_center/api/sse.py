"""Server-sent events: one frame a message, its id the cursor to come back with."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.responses import StreamingResponse

KEEP_ALIVE = b": still here\n\n"
MEDIA_TYPE = "text/event-stream"


def frame(data: str, *, event: str = "", cursor: int | None = None) -> bytes:
    """One message; line ends inside `data` become several data lines, as the format wants."""
    head = (f"id: {cursor}\n" if cursor is not None else "") + (f"event: {event}\n" if event else "")
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"{head}{lines}\n".encode()


def stream(frames: AsyncIterator[bytes]) -> StreamingResponse:
    """An answer that goes on; proxies must not gather it."""
    return StreamingResponse(
        frames, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


def resume_from(request: Request, given: int | None, default: int) -> int:
    """Where a listener wants to go on: its last id after a reconnection, else what it asked for."""
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdigit() and len(last) < 17:
        return int(last)
    return default if given is None else given
