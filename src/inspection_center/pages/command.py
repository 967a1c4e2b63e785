"""The command center: floor plan, alert queue, one alert with its evidence and timeline, deciding."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from sqlalchemy import Connection

from inspection_center import alerts, orders, robots
from inspection_center.api import sse
from inspection_center.api.events import Reader
from inspection_center.api.officers import Decider, Verdict
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now, now_text, parse
from inspection_center.commands.doorbell import ALERTS
from inspection_center.database import queries
from inspection_center.exchange.ships import placed_ships
from inspection_center.pages.rendering import Words, language_of, page, render
from inspection_center.plan.layers import LayerName, layer_picture, shown_layers
from inspection_center.problems import NotFound
from inspection_center.service import Center, center_of
from inspection_center.supervision import sources

T = TypeVar("T")
router = APIRouter(include_in_schema=False)
_QUIET_S = 0.3
_KEEP_ALIVE_S = 10.0
_RECENT_ALARMS = 200
_PICTURE = {"Cache-Control": "private, max-age=3600"}
_MAP_FRAME = "map"


@router.get("/")
async def command_page(request: Request, officer: Reader) -> HTMLResponse:
    """Floor plan and queue."""
    center = center_of(request)
    return page(request, "command.html", officer, **await run_in_threadpool(_queue, center, officer))


@router.get("/fragments/alerts")
async def alerts_fragment(request: Request, officer: Reader) -> HTMLResponse:
    """The queue as it is now."""
    found = await run_in_threadpool(_queue, center_of(request), officer)
    return HTMLResponse(render("alert_queue.html", language_of(request), principal=officer, **found))


@router.get("/live/stream")
async def live_stream(request: Request, _reader: Reader) -> StreamingResponse:
    """Tells a page when to fetch the queue again."""
    return sse.stream(_pulses(center_of(request)))


@router.get("/live/map")
async def live_map(request: Request, _reader: Reader) -> JSONResponse:
    """What the floor plan shows: map layers, robots, people tracks, open alarms with a place, and who has none."""
    found = await run_in_threadpool(_map, center_of(request))
    words = Words(language_of(request))
    for alarm in found["alarms"]:
        alarm["name"] = words.name("kind", alarm["kind"])
    return JSONResponse(found, headers={"Cache-Control": "no-store"})


@router.get("/plan.png")
def floor_plan(request: Request, _reader: Reader) -> Response:
    """The picture below the plan."""
    plan = center_of(request).floor_plan
    if plan is None:
        raise NotFound("there is no floor plan")
    return Response(plan.png, media_type="image/png", headers=_PICTURE)


@router.get("/plan/{robot}/{layer}.png")
async def layer(request: Request, _reader: Reader, robot: str, layer: LayerName) -> Response:
    """A layer that a robot sent, coloured; its address changes with its content."""
    center = center_of(request)
    png = await run_in_threadpool(_read, center, lambda connection: layer_picture(connection, robot, layer))
    return Response(png, media_type="image/png", headers=_PICTURE)


@router.get("/alerts/{alert_id}")
async def alert_page(request: Request, officer: Reader, alert_id: UUID) -> HTMLResponse:
    """One alert."""

    def query(connection: Connection) -> dict[str, Any]:
        return {
            "alert": alerts.details(connection, str(alert_id)),
            "orders": orders.orders_about(connection, str(alert_id)),
            "names": [robot["name"] for robot in queries.robots(connection) if not robot["revoked"]],
            "colleagues": orders.colleagues(connection),
        }

    found = await run_in_threadpool(_read, center_of(request), query)
    alert = found["alert"]
    sources.tell_alert_viewed(center_of(request).writer, officer, alert)
    return page(request, "alert.html", officer, timeline=alerts.timeline(alert), age=_age(alert["opened"]), **found)


@router.post("/alerts/{alert_id}/claim")
async def claim(request: Request, officer: Decider, alert_id: UUID) -> Response:
    """Take an alert."""
    await center_of(request).write(lambda transaction: alerts.claim(transaction, str(alert_id), officer))
    return await _changed(request, officer, alert_id)


@router.post("/alerts/{alert_id}/release")
async def release(request: Request, officer: Decider, alert_id: UUID) -> Response:
    """Give it back."""
    await center_of(request).write(lambda transaction: alerts.release(transaction, str(alert_id), officer))
    return await _changed(request, officer, alert_id)


@router.post("/alerts/{alert_id}/decision")
async def decide(
    request: Request,
    officer: Decider,
    alert_id: UUID,
    verdict: Annotated[str, Form(max_length=16)],
    reason: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Decide it."""
    center = center_of(request)
    given = Verdict.model_validate({"verdict": verdict, "reason": reason})
    robot = await center.write(
        lambda transaction: alerts.decide(transaction, center.key, str(alert_id), officer, given.verdict, given.reason)
    )
    center.ring(robot)
    return await _changed(request, officer, alert_id)


async def _changed(request: Request, officer: Principal, alert_id: UUID) -> Response:
    """The queue for a page that asked from it, else the alert's page."""
    center = center_of(request)
    center.ring(ALERTS)
    if request.headers.get("hx-target") == "queue":
        found = await run_in_threadpool(_queue, center, officer)
        return HTMLResponse(render("alert_queue.html", language_of(request), principal=officer, **found))
    return RedirectResponse(f"/alerts/{alert_id}", 303)


def _queue(center: Center, officer: Principal) -> dict[str, Any]:
    """Alerts as they wait and, for whom the officer is, the orders that are his."""

    def query(connection: Connection) -> dict[str, Any]:
        mine = orders.orders_of(connection, officer.name, now_text()) if officer.may("orders.write") else []
        return {
            "alerts": alerts.queue(connection),
            "mine": [order for order in mine if order["assignee"] == officer.name],
        }

    found = _read(center, query)
    for alert in found["alerts"]:
        alert["age"] = _age(alert["opened"])
        alert["late"] = alert["state"] in alerts.OPEN_STATES and alert["age"] > center.settings.alert_due_s
    return found


def _map(center: Center) -> dict[str, Any]:
    def query(connection: Connection) -> dict[str, Any]:
        fleet = [robot for robot in robots.overview(connection, center.settings) if not robot["revoked"]]
        placed = [robot for robot in fleet if robot["position"] and robot["frame"] == _MAP_FRAME]
        alarms = queries.placed_alerts(connection, alerts.SHOWN_STATES, _RECENT_ALARMS)
        return {
            "layers": shown_layers(connection, center.floor_plan),
            "robots": [
                {
                    "name": robot["name"],
                    "silent": robot["silent"],
                    "battery": (robot["status"] or {}).get("battery"),
                    "x": robot["position"]["x"],
                    "y": robot["position"]["y"],
                    "heading": robot["heading"],
                }
                for robot in placed
            ],
            "people": [
                {"id": f"{robot['name']}/{person['track']}", "kind": person["kind"], "x": person["x"], "y": person["y"]}
                for robot in fleet
                if robot["status"] and not robot["silent"]
                for person in robot["status"].get("people", ())
            ],
            "ships": placed_ships(connection, center.settings.map_origin),
            "alarms": [alarm for alarm in alarms if alarm["x"] is not None],
            "unplaced": {
                "robots": [robot["name"] for robot in fleet if robot not in placed],
                "alarms": sum(alarm["x"] is None for alarm in alarms),
            },
        }

    return _read(center, query)


def _age(opened: str) -> float:
    return (now() - parse(opened)).total_seconds()


def _read(center: Center, query: Callable[[Connection], T]) -> T:
    with center.engine.connect() as connection:
        return query(connection)


async def _pulses(center: Center) -> AsyncIterator[bytes]:
    yield sse.KEEP_ALIVE
    while not center.tail.closed:
        if await center.doorbells.wait(ALERTS, _KEEP_ALIVE_S):
            yield sse.frame(json.dumps({}), event="alerts")
            await asyncio.sleep(_QUIET_S)
        else:
            yield sse.KEEP_ALIVE
