"""The alert queue: who claims an alert, what is decided about it and why. Every deed is audited in its transaction."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, RowMapping, and_, func, or_, select, update

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.commands.issuing import issue
from inspection_center.database import queries, schema
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.problems import Conflict, NotFound, Unfit
from inspection_center.supervision import sources
from inspection_center.supervision.events import emit
from inspection_contract.commands import Decision, IncidentDecision
from inspection_contract.signatures import SigningKey

OPEN_STATES = ("open", "claimed")
SHOWN_STATES = ("open", "claimed", "approved")
Verdict = Literal["approve", "dismiss", "hand_over", "file"]
_STATE_AFTER: dict[str, str] = {
    "approve": "approved", "dismiss": "dismissed", "hand_over": "handed_over", "file": "filed",
}  # fmt: skip
_ALLOWED_FROM: dict[str, tuple[str, ...]] = {
    "approve": OPEN_STATES,
    "dismiss": OPEN_STATES,
    "hand_over": (*OPEN_STATES, "approved"),
    "file": ("approved", "handed_over"),
}
_TOLD_TO_ROBOT = {"approve": Decision.APPROVE, "dismiss": Decision.DISMISS, "hand_over": Decision.HAND_OVER}
_DECISION_LIFE = timedelta(minutes=10)


def queue(connection: Connection, states: tuple[str, ...] = SHOWN_STATES, limit: int = 100) -> list[dict[str, Any]]:
    """Alerts in some states: the gravest first, then the oldest."""
    alert = schema.alert
    rows = connection.execute(
        select(alert)
        .where(alert.c.state.in_(states))
        .order_by(alert.c.severity.desc(), alert.c.opened, alert.c.id)
        .limit(limit)
    )
    return [row_dict(row) for row in rows]


def counts(connection: Connection) -> dict[str, int]:
    """How many alerts are in each state."""
    alert = schema.alert
    rows = connection.execute(select(alert.c.state, func.count()).group_by(alert.c.state))
    return {str(row[0]): int(row[1]) for row in rows}


def claim(transaction: Transaction, identity: str, officer: Principal) -> None:
    """Take an alert. Claiming one's own again changes nothing.

    Raises:
        NotFound: there is no such alert.
        Conflict: somebody else has it, or it is decided.
    """
    alert = schema.alert
    changed = transaction.connection.execute(
        update(alert)
        .where(and_(alert.c.id == identity, or_(alert.c.state == "open", _claimed_by(officer.name))))
        .values(state="claimed", claimed_by=officer.name, claimed=now_text(), version=alert.c.version + 1)
    )
    if changed.rowcount == 0:
        present = _alert(transaction.connection, identity)
        if present["state"] == "claimed":
            raise Conflict(f"{present['claimed_by']} has this alert")
        raise Conflict(f"this alert is {present['state']}")
    record(transaction, officer.actor, "alert.claimed", identity)
    emit(transaction, "alert.claimed", officer, alert=identity)


def release(transaction: Transaction, identity: str, officer: Principal) -> None:
    """Give a claimed alert back to the queue; a supervisor may give back anybody's.

    Raises:
        NotFound: there is no such alert.
        Conflict: it is not claimed, or by somebody else.
    """
    alert = schema.alert
    mine = alert.c.state == "claimed" if officer.role == "supervisor" else _claimed_by(officer.name)
    changed = transaction.connection.execute(
        update(alert)
        .where(and_(alert.c.id == identity, mine))
        .values(state="open", claimed_by=None, claimed=None, version=alert.c.version + 1)
    )
    if changed.rowcount == 0:
        _alert(transaction.connection, identity)
        raise Conflict("this alert is not yours to give back")
    record(transaction, officer.actor, "alert.released", identity)
    emit(transaction, "alert.released", officer, alert=identity)


def decide(
    transaction: Transaction, key: SigningKey, identity: str, officer: Principal, verdict: Verdict, reason: str
) -> str:
    """Decide an alert; the robot is told about an incident of its own. Returns the robot's name.

    Raises:
        NotFound: there is no such alert.
        Conflict: another officer has it, or its state does not allow this.
        Unfit: dismissing without a reason.
    """
    reason = reason.strip()
    if verdict == "dismiss" and not reason:
        raise Unfit("dismissing needs a reason")
    connection = transaction.connection
    present = _alert(connection, identity)
    if present["state"] not in _ALLOWED_FROM[verdict]:
        raise Conflict(f"this alert is {present['state']}")
    if present["claimed_by"] not in (None, officer.name) and officer.role != "supervisor":
        raise Conflict(f"{present['claimed_by']} has this alert")
    alert = schema.alert
    changed = connection.execute(
        update(alert)
        .where(alert.c.id == identity, alert.c.version == present["version"])
        .values(
            state=_STATE_AFTER[verdict],
            decided_by=officer.name,
            decided=now_text(),
            reason=reason or alert.c.reason,
            claimed_by=func.coalesce(alert.c.claimed_by, officer.name),
            version=alert.c.version + 1,
        )
    )
    if changed.rowcount == 0:
        raise Conflict("this alert has just changed")
    record(transaction, officer.actor, f"alert.{_STATE_AFTER[verdict]}", identity, reason=reason)
    sources.alert_decided(transaction, officer, dict(present), _STATE_AFTER[verdict], reason)
    if present["incident"] and verdict in _TOLD_TO_ROBOT:
        body = IncidentDecision(
            incident=UUID(present["incident"]),
            decision=_TOLD_TO_ROBOT[verdict],
            officer=officer.name,
            reason=reason[:4000],
        )
        issue(transaction, key, str(present["robot"]), body, officer.name, _DECISION_LIFE)
    return str(present["robot"])


def details(connection: Connection, identity: str) -> dict[str, Any]:
    """An alert with its incident, detections and the deeds about it, oldest first.

    Raises:
        NotFound: there is no such alert.
    """
    found = dict(_alert(connection, identity))
    incident = None
    uuids = [identity]
    if found["incident"]:
        row = connection.execute(select(schema.incident).where(schema.incident.c.uuid == found["incident"])).first()
        if row is not None:
            incident = row_dict(row)
            for column in ("detections", "history", "attributes"):
                incident[column] = json.loads(incident[column])
            uuids = incident["detections"]
    detections = [item for uuid in uuids[:200] if (item := queries.detection(connection, uuid)) is not None]
    deeds = connection.execute(
        select(schema.audit.c.time, schema.audit.c.actor, schema.audit.c.action, schema.audit.c.details)
        .where(schema.audit.c.object == identity)
        .order_by(schema.audit.c.leaf)
    )
    placed = [(item["x"], item["y"]) for item in (incident, *reversed(detections)) if item and item["x"] is not None]
    return {
        **found,
        "place": placed[0] if placed else None,
        "incident_record": incident,
        "detections": sorted(detections, key=lambda item: str(item["stamp"])),
        "deeds": [{**row_dict(row), "details": json.loads(row.details)} for row in deeds],
    }


def timeline(alert: dict[str, Any]) -> list[dict[str, str]]:
    """What happened around an alert in order of time: time, what kind of entry, its key, who, text."""
    entries = [_entry(item["stamp"], "detection", item["kind"], item["robot"]) for item in alert["detections"]]
    history = alert["incident_record"]["history"] if alert["incident_record"] else ()
    entries += [_entry(step["stamp"], "state", step["to_state"], step["actor"], step["reason"]) for step in history]
    entries += [
        _entry(deed["time"], "deed", deed["action"], deed["actor"], str(deed["details"].get("reason", "")))
        for deed in alert["deeds"]
    ]
    return sorted(entries, key=lambda entry: entry["time"])


def _entry(time: str, what: str, key: str, who: str, text: str = "") -> dict[str, str]:
    return {"time": time, "what": what, "key": key, "who": who, "text": text}


def _claimed_by(name: str) -> Any:
    return and_(schema.alert.c.state == "claimed", schema.alert.c.claimed_by == name)


def _alert(connection: Connection, identity: str) -> RowMapping:
    row = connection.execute(select(schema.alert).where(schema.alert.c.id == identity)).mappings().first()
    if row is None:
        raise NotFound("there is no such alert")
    return row
