"""Alerts as others are told them: in both languages, with the place on earth where that is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import Connection, select

from inspection_center import alerts
from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.exchange.ais import from_plan
from inspection_center.exchange.outbox import ALERT, tell
from inspection_center.exchange.tables import outgoing
from inspection_center.pages.rendering import catalogue
from inspection_center.settings import MapOrigin

_LOOK_BACK = timedelta(days=1)
_TAGS = {"zh": "zh-CN", "en": "en-US"}


def alert_message(connection: Connection, identity: str, origin: MapOrigin | None) -> dict[str, Any]:
    """An alert as `cap.write_alert` and JSON partners take it.

    Raises:
        NotFound: there is no such alert.
    """
    found = alerts.details(connection, identity)
    event, headline = {}, {}
    for language, tag in _TAGS.items():
        texts = catalogue(language)
        event[tag] = texts.get(f"kind.{found['kind']}", found["kind"])
        headline[tag] = f"{event[tag]} · {texts['alert_state.' + found['state']]} · {found['robot']}"
    place = _place(found)
    data = {
        "id": identity, "kind": found["kind"], "severity": found["severity"], "opened": found["opened"],
        "state": found["state"], "robot": found["robot"], "event": event, "headline": headline,
        "place": "—" if place is None else f"x {place[0]:.1f} m, y {place[1]:.1f} m",
    }  # fmt: skip
    if place is not None and origin is not None:
        latitude, longitude = from_plan(*place, (origin.latitude_deg, origin.longitude_deg), origin.turn_deg)
        data |= {"latitude_deg": latitude, "longitude_deg": longitude}
    return data


def announce_decided(transaction: Transaction, origin: MapOrigin | None) -> int:
    """Put each alert that an officer confirmed since yesterday into the outbox, once; returns how many."""
    alert = schema.alert
    rows = transaction.connection.execute(
        select(alert.c.id, alert.c.state).where(
            alert.c.state.in_(("approved", "handed_over")), alert.c.decided > now_text(-_LOOK_BACK)
        )
    ).all()
    told = 0
    for identity, state in rows:
        message = str(uuid5(NAMESPACE_OID, f"{ALERT}/{identity}/{state}"))
        if transaction.connection.execute(select(outgoing.c.number).where(outgoing.c.id == message)).first() is None:
            tell(transaction, ALERT, alert_message(transaction.connection, identity, origin), message)
            told += 1
    return told


def _place(found: dict[str, Any]) -> tuple[float, float] | None:
    candidates = [found["incident_record"] or {}, *found["detections"]]
    return next(((one["x"], one["y"]) for one in candidates if one.get("x") is not None), None)
