"""Layers of the floor plan, from robots."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from inspection_center.api.bodies import read_body
from inspection_center.api.ingest import ROBOT_PROBLEMS, Robot
from inspection_center.plan.layers import MAXIMUM_BYTES, LayerName, LayerPlace, read_layer, store_layer
from inspection_center.service import center_of

router = APIRouter(prefix="/api/v1", tags=["robots"])


@router.put(
    "/layers/{layer}",
    responses=ROBOT_PROBLEMS,
    status_code=204,
    openapi_extra={
        "requestBody": {"required": True, "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def put_layer(
    request: Request, robot: Robot, layer: LayerName, place: Annotated[LayerPlace, Query()]
) -> Response:
    """Show a layer on the floor plan: a grey PNG, north up, 0 … 100 as in an occupancy grid, 255 not known."""
    center = center_of(request)
    content = await run_in_threadpool(read_layer, await read_body(request, MAXIMUM_BYTES), place)
    await center.write(lambda transaction: store_layer(transaction, robot.name, layer, content))
    return Response(status_code=204)
