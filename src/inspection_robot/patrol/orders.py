"""Orders of the center that move the robot: what they ask for, and which of them have been carried out. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from inspection_robot.patrol.routes import Dock, Route, Routes, Waypoint

KINDS = ("patrol", "dispatch", "return_to_dock")
"""Kinds of order that the patrol node carries out; inspection and recalibration are others' work."""
REMEMBERED = 500


class OrderRefused(ValueError):  # noqa: N818 - a refusal is an answer, not an error of the program
    """An order that cannot be carried out; the text says why."""


@dataclass(frozen=True)
class Errand:
    """What an order comes to: a route and how often; ``charge``: the dock may be visited on the way."""

    name: str
    route: Route
    rounds: int
    charge: bool


def errand(kind: str, place_name: str, place: Waypoint | None, routes: Routes, dock: Dock | None) -> Errand:
    """Say what to do for an order.

    Args:
        kind: one of :data:`KINDS`.
        place_name: name of a route (patrol) or of a waypoint on any route (dispatch without a place).
        place: where to go (dispatch); None when the order gives no pose.
        routes: known routes.
        dock: the nearest dock.

    Raises:
        OrderRefused: when it names what this robot does not know.
    """
    if kind == "patrol":
        route = routes.routes.get(place_name)
        if route is None:
            raise OrderRefused(f"no route {place_name!r}; there are {', '.join(routes.routes) or 'none'}")
        return Errand(place_name, route, 1, charge=True)
    if kind == "return_to_dock":
        if dock is None:
            raise OrderRefused("no dock is known")
        return Errand("dock", Route(waypoints=(Waypoint(name="dock", **_pose(dock)),)), 1, charge=False)
    if kind == "dispatch":
        known = {stop.name: stop for route in routes.routes.values() for stop in route.waypoints}
        stop = place or known.get(place_name)
        if stop is None:
            raise OrderRefused(f"no place {place_name!r}")
        return Errand("dispatch", Route(waypoints=(Waypoint(name=stop.name, **_pose(stop)),)), 1, charge=False)
    raise OrderRefused(f"orders of kind {kind} are not for the patrol node")


def _pose(place: Dock | Waypoint) -> dict[str, float]:
    return {"x": place.x, "y": place.y, "yaw_deg": place.yaw_deg}


class OrderBook:
    """Orders that have come to an end, on disk: the bridge delivers its last orders again after every restart.

    Args:
        path: the file; its folder is made. A damaged file is begun anew: an order may then be carried out twice,
            which is better than never.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._ended: dict[str, int] = {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self._ended = {str(order): int(revision) for order, revision in content.items()}
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, AttributeError):
            path.replace(path.with_suffix(".damaged"))

    def is_new(self, order_id: str, revision: int) -> bool:
        """Whether this revision of the order has not come to an end yet."""
        return revision > self._ended.get(order_id, -1)

    def ended(self, order_id: str, revision: int) -> None:
        """Note that this revision is done with."""
        self._ended.pop(order_id, None)
        self._ended[order_id] = revision
        for oldest in list(self._ended)[:-REMEMBERED]:
            del self._ended[oldest]
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(self._ended), encoding="utf-8")
        temporary.replace(self._path)
