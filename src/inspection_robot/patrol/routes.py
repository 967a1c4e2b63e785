"""Routes, docks and the schedule of patrols: config/routes.yaml, read and checked."""

from __future__ import annotations

import math
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inspection_contract.errors import InputError

Metres = Annotated[float, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]
GRACE = timedelta(minutes=10)
"""A patrol that could not start on time starts up to this much later; after that it waits for its next time."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pose(_Strict):
    """A place on the floor, in the map: metres, degrees to the left from the map's x axis."""

    x: Metres
    y: Metres
    yaw_deg: Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)] = 0.0

    @property
    def yaw(self) -> float:
        """Heading [rad]."""
        return math.radians(self.yaw_deg)


class Waypoint(Pose):
    """A stop on a route."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    dwell_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    look_around: bool = False


class Route(_Strict):
    """Stops in order; ``world`` names the map the route is for, where a file holds routes of several."""

    waypoints: Annotated[tuple[Waypoint, ...], Field(min_length=1)]
    world: str = ""


class Dock(Pose):
    """Where the robot charges or is calibrated."""

    purposes: tuple[Literal["charge", "calibrate"], ...] = ("charge",)


class Patrol(_Strict):
    """A route driven at fixed times: from ``from`` on every ``every_min`` minutes until ``until``, local time."""

    route: str
    begin: Annotated[time, Field(alias="from")]
    until: time
    every_min: Annotated[int, Field(ge=1, le=1440)]
    rounds: Annotated[int, Field(ge=1, le=1000)] = 1

    def slot(self, now: datetime) -> datetime:
        """The newest start at or before ``now``. Hours may run past midnight; equal hours are the whole day."""
        begin = now.replace(hour=self.begin.hour, minute=self.begin.minute, second=0, microsecond=0)
        if begin > now:
            begin -= timedelta(days=1)
        minutes = (self.until.hour * 60 + self.until.minute) - (self.begin.hour * 60 + self.begin.minute)
        hours = timedelta(minutes=minutes % 1440 or 1440)
        every = timedelta(minutes=self.every_min)
        return begin + (min(now - begin, hours) // every) * every


class Routes(_Strict):
    """The whole file."""

    routes: dict[str, Route] = {}
    docks: dict[str, Dock] = {}
    schedule: tuple[Patrol, ...] = ()

    @model_validator(mode="after")
    def _scheduled_routes_exist(self) -> Routes:
        for patrol in self.schedule:
            if patrol.route not in self.routes:
                raise ValueError(f"schedule names route {patrol.route!r}; there are {', '.join(self.routes) or 'none'}")
        return self

    def nearest_dock(self, x: float, y: float, purpose: str) -> str | None:
        """Name of the nearest dock for a purpose (empty: any); None when there is none."""
        fitting = [name for name, dock in self.docks.items() if not purpose or purpose in dock.purposes]
        return min(fitting, key=lambda name: math.hypot(self.docks[name].x - x, self.docks[name].y - y), default=None)

    def due(self, now: datetime, started: dict[int, datetime]) -> int | None:
        """Index of the scheduled patrol to start now; ``started`` holds the slot each was last started for."""
        for index, patrol in enumerate(self.schedule):
            slot = patrol.slot(now)
            if now - slot <= GRACE and started.get(index) != slot:
                return index
        return None


def load(path: Path) -> Routes:
    """Read the file.

    Raises:
        InputError: naming the entry that is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not YAML: {error}") from error
    try:
        return Routes.model_validate(content or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(path, f"{where}: {first['msg']}" if where else first["msg"]) from error
