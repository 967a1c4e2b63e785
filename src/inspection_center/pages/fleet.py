"""Robots, orders and announcements."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from inspection_center import orders, robots
from inspection_center.api.events import Reader
from inspection_center.api.officers import Commander, NewAnnouncement
from inspection_center.database import queries
from inspection_center.live import Camera
from inspection_center.pages.rendering import page
from inspection_center.problems import NotFound, Unfit
from inspection_center.service import center_of

router = APIRouter(include_in_schema=False)
Name = Annotated[str, Form(max_length=63)]
Line = Annotated[str, Form(max_length=200)]
Number = Annotated[str, Form(max_length=20)]


@router.get("/robots")
async def robots_page(request: Request, officer: Reader) -> HTMLResponse:
    """The fleet, the troubled ones first, and the broadcast."""
    center = center_of(request)

    def query() -> list[dict[str, Any]]:
        with center.engine.connect() as connection:
            return robots.overview(connection, center.settings)

    found = await run_in_threadpool(query)
    wanted = request.query_params.get("sort", "state")
    return page(
        request, "robots.html", officer, robots=robots.sort(found, wanted), fleet=robots.totals(found), sort=wanted
    )


@router.get("/robots/{name}")
async def robot_page(request: Request, officer: Reader, name: str) -> HTMLResponse:
    """One robot: state, faults, commands, live picture."""
    center = center_of(request)

    def query() -> dict[str, object]:
        with center.engine.connect() as connection:
            return robots.details(connection, center.settings, name)

    return page(request, "robot.html", officer, robot=await run_in_threadpool(query))


@router.get("/orders")
async def orders_page(request: Request, officer: Reader) -> HTMLResponse:
    """Orders, the late ones marked, and a new one."""
    center = center_of(request)

    def query() -> dict[str, Any]:
        with center.engine.connect() as connection:
            return {
                "orders": orders.list_orders(connection),
                "names": _names(connection),
                "colleagues": orders.colleagues(connection),
            }

    return page(request, "orders.html", officer, **await run_in_threadpool(query))


@router.get("/orders/{order_id}")
async def order_page(request: Request, officer: Reader, order_id: str) -> HTMLResponse:
    """One order: its steps with what was found, its deeds, its receipt."""
    center = center_of(request)

    def query() -> dict[str, object]:
        with center.engine.connect() as connection:
            return orders.order_details(connection, order_id)

    return page(request, "order.html", officer, order=await run_in_threadpool(query))


@router.post("/orders")
async def give_order(
    request: Request,
    officer: Commander,
    to: Line,
    kind: Line,
    place_name: Line = "",
    x: Number = "",
    y: Number = "",
    due_minutes: Number = "60",
    alert: Line = "",
) -> Response:
    """Give an order: `to` is `robot:NAME`, `officer:NAME` or empty for whoever takes it."""
    whom, _, name = to.partition(":")
    order = orders.NewOrder.model_validate(
        {
            "robot": name if whom == "robot" else None,
            "colleague": name if whom == "officer" else "",
            "kind": kind,
            "place_name": place_name,
            "x": _number(x),
            "y": _number(y),
            "due_minutes": _number(due_minutes),
            "alert": alert or None,
        }
    )
    identity = await orders.give(center_of(request), officer, order)
    return RedirectResponse(f"/alerts/{order.alert}" if order.alert else f"/orders/{identity}", 303)


@router.post("/orders/{order_id}/cancel")
async def cancel_order(request: Request, officer: Commander, order_id: str) -> Response:
    """Close an order nobody finished."""
    await center_of(request).write(lambda transaction: orders.cancel_order(transaction, officer, order_id))
    return RedirectResponse("/orders", 303)


@router.post("/announcements")
async def announce(
    request: Request,
    officer: Commander,
    text_zh: Annotated[str, Form(max_length=4000)] = "",
    text_en: Annotated[str, Form(max_length=4000)] = "",
    priority: Number = "1",
    robot: Name = "",
) -> Response:
    """Broadcast words, to one robot or all."""
    center = center_of(request)
    given = NewAnnouncement.model_validate(
        {"robots": [robot] if robot else [], "text_zh": text_zh, "text_en": text_en, "priority": _number(priority)}
    )
    names = await center.write(
        lambda transaction: orders.announce(
            transaction, center.key, officer, given.robots, given.text_zh, given.text_en, given.priority
        )
    )
    for name in names:
        center.ring(name)
    return RedirectResponse(f"/robots/{robot}" if robot else "/robots", 303)


@router.post("/robots/{name}/live")
async def live_view(
    request: Request, officer: Commander, name: str, camera: Line = "thermal", enable: Line = "yes"
) -> Response:
    """Ask for pictures."""
    center = center_of(request)
    if camera not in ("thermal", "rgb"):
        raise Unfit("a camera is thermal or rgb")
    await center.write(
        lambda transaction: orders.ask_live_view(transaction, center.key, officer, name, camera, enable == "yes")
    )
    center.ring(name)
    return RedirectResponse(f"/robots/{name}", 303)


@router.get("/robots/{name}/live/{camera}")
async def live_picture(request: Request, _officer: Reader, name: str, camera: Camera) -> Response:
    """The newest picture; 404 while the robot sends none."""
    picture = center_of(request).live.get(name, camera)
    if picture is None:
        raise NotFound("no picture now")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _names(connection: Connection) -> list[str]:
    return [robot["name"] for robot in queries.robots(connection) if not robot["revoked"]]


def _number(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError as error:
        raise Unfit(f"{text[:20]!r} is not a number") from error
