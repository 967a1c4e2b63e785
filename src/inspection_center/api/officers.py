"""What officers read and decide, for programs: alerts, robots, orders, announcements, statistics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection

from inspection_center import alerts, orders, robots, statistics
from inspection_center.api.events import Reader
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.database import queries
from inspection_center.service import center_of
from inspection_center.supervision import sources
from inspection_contract.commands import SpeechPriority
from inspection_contract.fields import RobotName, Text

T = TypeVar("T")
router = APIRouter(prefix="/api/v1", tags=["officers"])
Decider = Annotated[Principal, Depends(require("alerts.decide"))]
Commander = Annotated[Principal, Depends(require("robots.command"))]
AlertId = Annotated[UUID, Path(description="The alert's id.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Days = Annotated[int, Query(ge=1, le=366)]
_LINE = {"description": "Refused; `detail` says why in one line."}
PROBLEMS: dict[int | str, dict[str, str]] = dict.fromkeys((401, 403, 404, 409, 422, 503), _LINE)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Verdict(_Body):
    """An officer's decision; dismissing needs a reason."""

    verdict: Literal["approve", "dismiss", "hand_over", "file"]
    reason: Text = ""


class NewAnnouncement(_Body):
    """Words for travellers; to all robots when none is named."""

    robots: Annotated[list[RobotName], Field(max_length=1000)] = []
    text_zh: Text = ""
    text_en: Text = ""
    priority: SpeechPriority = SpeechPriority.ANSWER

    @model_validator(mode="after")
    def _says_something(self) -> NewAnnouncement:
        if not (self.text_zh.strip() or self.text_en.strip()):
            raise ValueError("an announcement needs words")
        return self


@router.get("/alerts", responses=PROBLEMS)
def list_alerts(
    request: Request,
    _reader: Reader,
    state: Annotated[
        Literal["open", "claimed", "approved", "dismissed", "handed_over", "filed", "merged", "closed"] | None, Query()
    ] = None,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The alert queue: gravest first, then oldest."""
    states = alerts.SHOWN_STATES if state is None else (state,)
    return _read(request, lambda connection: alerts.queue(connection, states, limit))


@router.get("/alerts/{alert_id}", responses=PROBLEMS)
def show_alert(request: Request, reader: Reader, alert_id: AlertId) -> dict[str, Any]:
    """An alert with its incident, detections and the deeds about it; the look is told to supervision."""
    found = _read(request, lambda connection: alerts.details(connection, str(alert_id)))
    sources.tell_alert_viewed(center_of(request).writer, reader, found)
    return found


@router.post("/alerts/{alert_id}/claim", responses=PROBLEMS, status_code=204)
async def claim_alert(request: Request, officer: Decider, alert_id: AlertId) -> Response:
    """Take an alert."""
    await center_of(request).write(lambda transaction: alerts.claim(transaction, str(alert_id), officer))
    return Response(status_code=204)


@router.post("/alerts/{alert_id}/release", responses=PROBLEMS, status_code=204)
async def release_alert(request: Request, officer: Decider, alert_id: AlertId) -> Response:
    """Give a claimed alert back."""
    await center_of(request).write(lambda transaction: alerts.release(transaction, str(alert_id), officer))
    return Response(status_code=204)


@router.post("/alerts/{alert_id}/decision", responses=PROBLEMS, status_code=204)
async def decide_alert(request: Request, officer: Decider, alert_id: AlertId, verdict: Verdict) -> Response:
    """Decide an alert; the robot learns of it."""
    center = center_of(request)
    robot = await center.write(
        lambda transaction: alerts.decide(
            transaction, center.key, str(alert_id), officer, verdict.verdict, verdict.reason
        )
    )
    center.ring(robot)
    return Response(status_code=204)


@router.get("/robots", responses=PROBLEMS)
def list_robots(request: Request, _reader: Reader) -> list[dict[str, Any]]:
    """Every robot, the troubled ones first."""
    return _read(request, lambda connection: robots.overview(connection, center_of(request).settings))


@router.get("/detections", responses=PROBLEMS)
def list_detections(
    request: Request,
    _reader: Reader,
    robot: Annotated[str, Query(max_length=63)] = "",
    kind: Annotated[str, Query(max_length=100)] = "",
    minimum_severity: Annotated[int, Query(ge=0, le=4)] = 0,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The newest detections first."""
    return queries.detections(
        center_of(request).engine, limit, robot=robot, kind=kind, minimum_severity=minimum_severity
    )


@router.get("/orders", responses=PROBLEMS)
def list_orders(request: Request, _reader: Reader, limit: Limit = 100) -> list[dict[str, Any]]:
    """The newest orders first."""
    return _read(request, lambda connection: orders.list_orders(connection, limit))


@router.post("/orders", responses=PROBLEMS, status_code=201)
async def give_order(request: Request, officer: Commander, order: orders.NewOrder) -> dict[str, str]:
    """Give a robot or an officer an order."""
    return {"order_id": await orders.give(center_of(request), officer, order)}


@router.post("/announcements", responses=PROBLEMS, status_code=202)
async def announce(request: Request, officer: Commander, announcement: NewAnnouncement) -> dict[str, list[str]]:
    """Have words said."""
    center = center_of(request)
    names = await center.write(
        lambda transaction: orders.announce(
            transaction,
            center.key,
            officer,
            announcement.robots,
            announcement.text_zh,
            announcement.text_en,
            announcement.priority,
        )
    )
    for name in names:
        center.ring(name)
    return {"robots": names}


@router.get("/statistics", responses=PROBLEMS)
def show_statistics(request: Request, _reader: Reader, days: Days = 1) -> dict[str, Any]:
    """Findings by hour and kind, people screened, alerts and how fast they are decided."""
    since = now_text(-timedelta(days=days))
    return _read(
        request,
        lambda connection: {
            "since": since,
            "findings": statistics.findings_by_hour(connection, since),
            "screenings": statistics.screenings(connection, since),
            "alerts": statistics.decisions(connection, since),
        },
    )


@router.get("/quarantine", responses=PROBLEMS)
def list_quarantine(
    request: Request, _reader: Annotated[Principal, Depends(require("quarantine.read"))], limit: Limit = 100
) -> list[dict[str, Any]]:
    """What robots sent and the center could not take at its word."""
    return _read(request, lambda connection: queries.quarantined(connection, limit))


@router.get("/audit", responses=PROBLEMS)
def list_audit(
    request: Request,
    _reader: Annotated[Principal, Depends(require("audit.read"))],
    limit: Limit = 100,
    before: Annotated[int | None, Query(ge=0, le=2**53 - 1)] = None,
) -> list[dict[str, Any]]:
    """Who did what, newest first."""
    return _read(request, lambda connection: queries.audit_entries(connection, limit, before))


def _read(request: Request, query: Callable[[Connection], T]) -> T:
    with center_of(request).engine.connect() as connection:
        return query(connection)
