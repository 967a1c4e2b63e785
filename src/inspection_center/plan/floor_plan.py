"""The picture below the floor plan: a map as ROS map_server keeps it (YAML beside an image, REP-105 `map` frame)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, Field, ValidationError

from inspection_contract.envelope import first_fault
from inspection_contract.errors import InputError


class _MapFile(BaseModel):
    image: str
    resolution: Annotated[float, Field(gt=0, le=100)]
    origin: tuple[float, float, float]


@dataclass(frozen=True)
class FloorPlan:
    """A map's picture as PNG and the rectangle it covers in `map` [m]: west, south, east, north."""

    png: bytes
    bounds_m: tuple[float, float, float, float]


def read_floor_plan(path: Path) -> FloorPlan:
    """Read a map file.

    Raises:
        InputError: the file or its picture is missing or malformed, or the map is turned.
    """
    try:
        described = _MapFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        with Image.open(path.parent / described.image) as picture:
            grey = picture.convert("L")
    except OSError as error:
        fault = "its picture cannot be read" if isinstance(error, UnidentifiedImageError) else error.strerror
        raise InputError(path, f"{fault or error}") from error
    except ValidationError as error:
        raise InputError(path, first_fault(error)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"no YAML: {error}") from error
    except ValueError as error:
        raise InputError(path, f"its picture cannot be read: {error}") from error
    west, south, turn = described.origin
    if turn != 0.0:
        raise InputError(path, "a turned map (origin's third number) cannot be drawn")
    content = io.BytesIO()
    grey.save(content, "PNG")
    bounds = (west, south, west + grey.width * described.resolution, south + grey.height * described.resolution)
    return FloorPlan(content.getvalue(), bounds)
