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

from inspection_center import alerts, robots
from inspection_center.api import sse
from inspection_center.api.events import Reader
from inspection_center.api.officers import Decider, Verdict
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now, parse
from inspection_center.commands.doorbell import ALERTS
from inspection_center.database import queries
from inspection_center.pages.rendering import language_of, page, render
from inspection_center.problems import NotFound
from inspection_center.service import Center, center_of

T = TypeVar("T")
router = APIRouter(include_in_schema=False)
_QUIET_S = 0.3
_KEEP_ALIVE_S = 10.0
_RECENT_ALARMS = 200


@router.get("/")
async def command_page(request: Request, officer: Reader) -> HTMLResponse:
    """Floor plan and queue."""
    center = center_of(request)
    queue = await run_in_threadpool(_queue, center)
    return page(request, "command.html", officer, alerts=queue, plan=center.floor_plan)


@router.get("/fragments/alerts")
async def alerts_fragment(request: Request, officer: Reader) -> HTMLResponse:
    """The queue as it is now."""
    queue = await run_in_threadpool(_queue, center_of(request))
    return HTMLResponse(render("alert_queue.html", language_of(request), alerts=queue, principal=officer))


@router.get("/live/stream")
async def live_stream(request: Request, _reader: Reader) -> StreamingResponse:
    """Tells a page when to fetch the queue again."""
    return sse.stream(_pulses(center_of(request)))


@router.get("/live/map")
async def live_map(request: Request, _reader: Reader) -> JSONResponse:
    """What the floor plan shows: robots, people tracks, open alarms with a place."""
    return JSONResponse(await run_in_threadpool(_map, center_of(request)), headers={"Cache-Control": "no-store"})


@router.get("/plan.png")
def floor_plan(request: Request, _reader: Reader) -> Response:
    """The picture below the plan."""
    plan = center_of(request).floor_plan
    if plan is None:
        raise NotFound("there is no floor plan")
    return Response(plan.png, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/alerts/{alert_id}")
async def alert_page(request: Request, officer: Reader, alert_id: UUID) -> HTMLResponse:
    """One alert."""
    found = await run_in_threadpool(
        _read, center_of(request), lambda connection: alerts.details(connection, str(alert_id))
    )
    return page(request, "alert.html", officer, alert=found, timeline=alerts.timeline(found), age=_age(found["opened"]))


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
        queue = await run_in_threadpool(_queue, center)
        return HTMLResponse(render("alert_queue.html", language_of(request), alerts=queue, principal=officer))
    return RedirectResponse(f"/alerts/{alert_id}", 303)


def _queue(center: Center) -> list[dict[str, Any]]:
    found = _read(center, alerts.queue)
    for alert in found:
        alert["age"] = _age(alert["opened"])
        alert["late"] = alert["state"] in alerts.OPEN_STATES and alert["age"] > center.settings.alert_due_s
    return found


def _map(center: Center) -> dict[str, Any]:
    def query(connection: Connection) -> dict[str, Any]:
        fleet = [robot for robot in robots.overview(connection, center.settings) if not robot["revoked"]]
        return {
            "robots": [
                {
                    "name": robot["name"],
                    "silent": robot["silent"],
                    "battery": (robot["status"] or {}).get("battery"),
                    "x": robot["position"]["x"],
                    "y": robot["position"]["y"],
                }
                for robot in fleet
                if robot["position"]
            ],
            "people": [
                {"id": f"{robot['name']}/{person['track']}", "kind": person["kind"], "x": person["x"], "y": person["y"]}
                for robot in fleet
                if robot["status"] and not robot["silent"]
                for person in robot["status"].get("people", ())
            ],
            "alarms": queries.placed_alerts(connection, alerts.SHOWN_STATES, _RECENT_ALARMS),
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
