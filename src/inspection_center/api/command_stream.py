"""Commands on their way down: server-sent events with a cursor, for the robot they are addressed to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from inspection_center.api import sse
from inspection_center.api.ingest import Robot
from inspection_center.commands.issuing import commands_after
from inspection_center.service import Center, center_of

router = APIRouter(prefix="/api/v1", tags=["robot"])
_KEEP_ALIVE_S = 10.0


@router.get(
    "/commands/stream",
    responses={
        200: {"content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}}},
        401: {"description": "Not known."},
        403: {"description": "Not a robot."},
    },
    response_class=StreamingResponse,
)
async def stream_commands(
    request: Request,
    robot: Robot,
    after: Annotated[int, Query(ge=0, le=2**53 - 1, description="Number of the last command dealt with.")] = 0,
) -> StreamingResponse:
    """This robot's commands after a cursor, and each further one as it is given."""
    return sse.stream(_frames(center_of(request), robot.name, sse.resume_from(request, after, 0)))


async def _frames(center: Center, robot: str, cursor: int) -> AsyncIterator[bytes]:
    yield sse.KEEP_ALIVE
    while not center.tail.closed:
        for command in await run_in_threadpool(commands_after, center.engine, robot, cursor):
            cursor = command.offset
            yield sse.frame(command.model_dump_json(), event=command.type, cursor=command.offset)
        if not await center.doorbells.wait(robot, _KEEP_ALIVE_S):
            yield sse.KEEP_ALIVE
