"""Map layers of robots: the map they drive by and the radiation field they measured, stored and drawn."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, RowMapping, insert, select, update

from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.plan.floor_plan import FloorPlan
from inspection_center.plan.tables import map_layer
from inspection_center.problems import NotFound, Unfit

LayerName = Literal["map", "radiation"]
MAXIMUM_BYTES = 2**22
_LARGEST_SIDE = 8192
_UNKNOWN = 255
_OCCUPIED = 65  # map_server's default threshold for a wall [%]
_LIMIT_M = 100_000.0
Metres = Annotated[float, Field(ge=-_LIMIT_M, le=_LIMIT_M, allow_inf_nan=False)]


class LayerPlace(BaseModel):
    """Where a layer lies in `map`: its lower left corner and the size of a cell [m]."""

    model_config = ConfigDict(extra="forbid")

    resolution: Annotated[float, Field(gt=0.0, le=100.0, allow_inf_nan=False)]
    west: Metres
    south: Metres


@dataclass(frozen=True)
class ReadLayer:
    """A layer that fits: its picture and its bounds west, south, east, north [m]."""

    png: bytes
    bounds_m: tuple[float, float, float, float]


def read_layer(png: bytes, place: LayerPlace) -> ReadLayer:
    """Check a robot's layer.

    Raises:
        Unfit: no grey PNG, or one of unbelievable size.
    """
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
            width, height = picture.size
            if picture.mode != "L" or max(width, height) > _LARGEST_SIDE:
                raise Unfit(f"a layer is a grey PNG of at most {_LARGEST_SIDE} cells a side")
            picture.load()
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise Unfit("the layer is no PNG that can be read") from error
    east, north = place.west + width * place.resolution, place.south + height * place.resolution
    return ReadLayer(png, (place.west, place.south, east, north))


def store_layer(transaction: Transaction, robot: str, layer: LayerName, content: ReadLayer) -> None:
    """Keep a layer in place of the robot's last one of this kind."""
    west, south, east, north = content.bounds_m
    values = {
        "sha256": hashlib.sha256(content.png).hexdigest(), "png": content.png, "received": now_text(),
        "west": west, "south": south, "east": east, "north": north,
    }  # fmt: skip
    changed = transaction.connection.execute(
        update(map_layer).where(map_layer.c.robot == robot, map_layer.c.layer == layer).values(**values)
    )
    if changed.rowcount == 0:
        transaction.connection.execute(insert(map_layer).values(robot=robot, layer=layer, **values))


def shown_layers(connection: Connection, plan: FloorPlan | None) -> list[dict[str, Any]]:
    """What to draw, lowest first: the installation's plan or else the newest map of a robot, then radiation."""
    table = map_layer
    columns = (table.c.robot, table.c.layer, table.c.sha256, table.c.west, table.c.south, table.c.east, table.c.north)
    rows = connection.execute(
        select(*columns)
        .join(schema.robot, schema.robot.c.name == table.c.robot)
        .where(~schema.robot.c.revoked)
        .order_by(table.c.received.desc())
    ).mappings()
    maps: list[dict[str, Any]] = []
    fields: list[dict[str, Any]] = []
    for row in rows:
        (maps if row["layer"] == "map" else fields).append(_shown(row))
    lowest = (
        [{"kind": "map", "robot": "", "url": "/plan.png", "bounds": plan.bounds_m}] if plan is not None else maps[:1]
    )
    return lowest + fields


def _shown(row: RowMapping) -> dict[str, Any]:
    url = f"/plan/{row['robot']}/{row['layer']}.png?{row['sha256'][:16]}"
    bounds = (row["west"], row["south"], row["east"], row["north"])
    return {"kind": row["layer"], "robot": row["robot"], "url": url, "bounds": bounds}


def layer_picture(connection: Connection, robot: str, layer: LayerName) -> bytes:
    """A layer as a coloured, partly transparent PNG.

    Raises:
        NotFound: the robot sent none.
    """
    png = connection.execute(
        select(map_layer.c.png).where(map_layer.c.robot == robot, map_layer.c.layer == layer)
    ).scalar()
    if png is None:
        raise NotFound("there is no such layer")
    return _coloured(bytes(png), layer)


@lru_cache(maxsize=32)
def _coloured(png: bytes, layer: LayerName) -> bytes:
    with Image.open(io.BytesIO(png)) as picture:
        cells = np.asarray(picture)
    out = io.BytesIO()
    Image.fromarray(_palette(layer)[cells], "RGBA").save(out, "PNG")
    return out.getvalue()


@lru_cache(maxsize=2)
def _palette(layer: LayerName) -> NDArray[np.uint8]:
    """RGBA (256, 4) of each cell value."""
    colours = np.zeros((256, 4), np.uint8)
    if layer == "map":
        colours[:] = (120, 132, 145, 0)
        colours[:_OCCUPIED] = (250, 251, 252, 235)  # free
        colours[_OCCUPIED:101] = (47, 62, 78, 255)  # walls
        return colours
    level = np.clip(np.arange(256) / 100.0, 0.0, 1.0)
    colours[:, 0] = 255 - 90 * level
    colours[:, 1] = 200 * (1.0 - level)
    colours[:, 2] = 60 * level
    colours[:, 3] = np.where(level > 0.05, 60 + 170 * level, 0)
    colours[101:] = 0
    return colours
