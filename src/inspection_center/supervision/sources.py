"""What alerts, orders and robots tell supervision: their changes as events of the inspection day."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from inspection_center.auth.permissions import Principal
from inspection_center.clock import now, parse
from inspection_center.database import schema
from inspection_center.database.writer import StorageError, Transaction, Writer
from inspection_center.declarations.tables import declaration
from inspection_center.supervision.events import BusinessEvent, actor_name, emit, emit_all

_LOG = logging.getLogger(__name__)
_EMERGENCY_STOP = "emergency_stop"
_STEP_EVENTS = {"done": "order.step_done", "skipped": "order.step_skipped", "failed": "order.step_failed"}


def alerts_opened(connection: Connection, robot: str, alerts: Iterable[tuple[str, str, int, int]]) -> None:
    """Alerts came up: id, kind, severity, pieces of evidence of each."""
    emit_all(
        Transaction(connection),
        [
            BusinessEvent(
                "alert.opened",
                "",
                {"alert": identity, "kind": kind, "robot": robot, "severity": severity, "evidence": evidence},
            )
            for identity, kind, severity, evidence in alerts
        ],
    )


def alerts_withdrawn(connection: Connection, robot: str, alerts: Iterable[str]) -> None:
    """Alerts went without an officer: into an incident, or the robot ended them."""
    emit_all(
        Transaction(connection),
        [BusinessEvent("alert.withdrawn", "", {"alert": identity, "robot": robot}) for identity in alerts],
    )


def tell_alert_viewed(writer: Writer, reader: Principal, alert: Mapping[str, Any]) -> None:
    """Somebody opened an alert with its evidence (`alerts.details`).

    Nobody waits for this: an alarm is shown even while the database takes no writes. A decision that follows is
    written by the same writer, hence after it.
    """
    shown = sum(len(finding["evidence"]) for finding in alert["detections"])
    fields = {"alert": alert["id"], "kind": alert["kind"], "evidence": shown}
    try:
        writer.submit(lambda transaction: emit(transaction, "alert.viewed", reader, **fields))
    except StorageError as error:
        _LOG.warning("a look at alert %s is not recorded: %s", alert["id"], error)


def alert_decided(
    transaction: Transaction, officer: Principal, alert: Mapping[str, Any], state: str, reason: str
) -> None:
    """An officer decided an alert, which is now in another state."""
    fields: dict[str, Any] = {
        "alert": alert["id"],
        "kind": alert["kind"],
        "robot": alert["robot"],
        "seconds": (now() - parse(alert["opened"])).total_seconds(),
    }
    if state in ("approved", "dismissed"):
        fields["reason_characters"] = len(reason)
    if state == "dismissed":
        fields["severity"] = int(alert["severity"])
        fields["evidence"] = _evidence_of(transaction.connection, alert)
    emit(transaction, f"alert.{state}", officer, **fields)


def _evidence_of(connection: Connection, alert: Mapping[str, Any]) -> int:
    uuids = [str(alert["id"])]
    if alert["incident"]:
        found = connection.execute(
            select(schema.incident.c.detections).where(schema.incident.c.uuid == alert["incident"])
        ).scalar()
        uuids = json.loads(found) if found is not None else uuids
    rows = connection.execute(select(schema.detection.c.evidence).where(schema.detection.c.uuid.in_(uuids))).scalars()
    return sum(len(json.loads(evidence)) for evidence in rows)


def order_changed(
    transaction: Transaction,
    order: str,
    before: tuple[str, Sequence[Mapping[str, Any]]],
    after: tuple[str, Sequence[Mapping[str, Any]]],
    *,
    actor: str | Principal = "",
    robot: str = "",
    time: datetime | None = None,
) -> None:
    """An order went on: its state and steps before and after."""
    (state, steps), (new_state, new_steps) = before, after
    name = actor_name(actor)
    about: dict[str, Any] = {"order": order, **_declaration_of(transaction.connection, order)}
    if robot:
        about["robot"] = robot
    told: list[BusinessEvent] = []
    if state in ("issued", "accepted") and new_state in ("running", "done", "failed"):
        told.append(BusinessEvent("order.started", name, about, time=time))
    known = {step["id"]: step["state"] for step in steps}
    for step in new_steps:
        kind = _STEP_EVENTS.get(step["state"])
        if kind is None or known.get(step["id"]) == step["state"]:
            continue
        fields = {**about, "step": step["id"], "step_kind": step["kind"]}
        if kind == "order.step_done":
            fields["evidence"] = len(step.get("evidence") or ())
            seconds = _seconds_since_the_step_before(step, new_steps)
            if seconds is not None:
                fields["seconds"] = seconds
        elif kind == "order.step_skipped":
            fields |= {"required": bool(step.get("required", True)), "reason": str(step.get("result") or "")}
        else:
            fields["reason"] = str(step.get("result") or "")
        told.append(BusinessEvent(kind, name, fields, time=time))
    if new_state in ("done", "failed") and state != new_state:
        counted = [step["state"] for step in new_steps]
        told.append(
            BusinessEvent(
                "order.finished",
                name,
                {
                    **about,
                    "state": new_state,
                    "steps_done": counted.count("done"),
                    "steps_skipped": counted.count("skipped"),
                    "evidence": sum(len(step.get("evidence") or ()) for step in new_steps),
                    **_seconds_of(new_steps),
                },
                time=time,
            )
        )
    if new_state == "cancelled" and state != new_state:
        told.append(BusinessEvent("order.cancelled", name, about, time=time))
    emit_all(transaction, told)


def _recorded(steps: Sequence[Mapping[str, Any]]) -> list[datetime]:
    return sorted(parse(step["recorded"]) for step in steps if step.get("recorded"))


def _seconds_since_the_step_before(step: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> float | None:
    if not step.get("recorded"):
        return None
    own = parse(step["recorded"])
    earlier = [time for time in _recorded([one for one in steps if one is not step]) if time <= own]
    return (own - earlier[-1]).total_seconds() if earlier else None


def _seconds_of(steps: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    times = _recorded(steps)
    return {"seconds": (times[-1] - times[0]).total_seconds()} if len(times) > 1 else {}


def _declaration_of(connection: Connection, order: str) -> dict[str, str]:
    row = connection.execute(
        select(declaration.c.id, declaration.c.registration_number).where(declaration.c.order_id == order)
    ).first()
    return {} if row is None else {"declaration": str(row[0]), "company": str(row[1])}


def fault_told(connection: Connection, robot: str, code: str, source: str, severity: int, active: bool) -> None:
    """A robot told of a fault, or that it is over; its emergency stop is told apart."""
    transaction = Transaction(connection)
    if not active:
        emit(transaction, "robot.fault_cleared", robot=robot, code=code, source=source)
    elif code == _EMERGENCY_STOP:
        emit(transaction, "robot.emergency_stopped", robot=robot)
    else:
        emit(transaction, "robot.fault", robot=robot, code=code, source=source, severity=severity)
