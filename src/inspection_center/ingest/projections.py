"""What stored events mean now: detections, incidents, alerts, faults, counts, outcomes of commands and orders."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, Table, and_, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from inspection_center.clock import text
from inspection_center.database import schema
from inspection_center.database.bulk import insert_rows
from inspection_center.database.writer import Transaction
from inspection_center.ingest.plain import DetectionRow
from inspection_center.ingest.reading import ReadEvent
from inspection_center.supervision import sources
from inspection_contract.events import (
    OPEN_INCIDENT_STATES,
    CommandOutcome,
    Event,
    Fault,
    Incident,
    OrderProgress,
    ScreeningSummary,
    Severity,
)

_DETECTION_COLUMNS = (*DetectionRow._fields, "robot", "received")
_ALERT_COLUMNS = ("id", "source", "robot", "kind", "severity", "grade", "opened", "state", "reason", "version")
ROBOT_MAY_SET = ("open", "claimed")
"""Alert states in which news from the robot still counts; a decision of an officer stays."""


def project(connection: Connection, robot: str, events: Sequence[ReadEvent], received: str) -> None:
    """Bring the projections up to date with freshly stored events, in their order."""
    detections = [event.detection for event in events if event.detection is not None]
    if detections:
        _store_detections(connection, robot, detections, received)
    for event in events:
        handler = _HANDLERS.get(type(event.body)) if event.body is not None else None
        if handler is not None:
            handler(connection, robot, event.body, received)


def _store_detections(connection: Connection, robot: str, rows: Sequence[DetectionRow], received: str) -> None:
    sent = (robot, received)
    insert_rows(connection, schema.detection, _DETECTION_COLUMNS, [row + sent for row in rows], ignore=True)
    _count_findings(connection, rows, received)
    alarms = [row for row in rows if row.severity >= Severity.ALARM]
    if alarms:
        insert_rows(
            connection,
            schema.alert,
            _ALERT_COLUMNS,
            [(row.uuid, "detection", robot, row.kind, row.severity, "", received, "open", "", 1) for row in alarms],
            ignore=True,
        )
        sources.alerts_opened(
            connection, robot, [(row.uuid, row.kind, row.severity, len(json.loads(row.evidence))) for row in alarms]
        )


def _count_findings(connection: Connection, rows: Sequence[DetectionRow], received: str) -> None:
    found = Counter(row.kind for row in rows)
    alarms = Counter(row.kind for row in rows if row.severity >= Severity.ALARM)
    statement = _count_statement(connection.dialect.name)
    hour = received[:13]
    connection.execute(
        statement,
        [
            {"hour": hour, "kind": kind, "findings": number, "alarms": alarms[kind]}
            for kind, number in sorted(found.items())
        ],
    )


@cache
def _count_statement(dialect: str) -> Any:
    table = schema.finding_count
    statement = _INSERTS[dialect](table)
    return statement.on_conflict_do_update(
        index_elements=["hour", "kind"],
        set_={name: table.c[name] + statement.excluded[name] for name in ("findings", "alarms")},
    )


def _store_incident(connection: Connection, robot: str, body: Incident, received: str) -> None:
    identity = str(body.uuid)
    values = {
        "robot": robot,
        "stamp": text(body.stamp),
        "received": received,
        "state": body.state,
        "kind": body.kind,
        "grade": body.grade,
        "subject": body.subject,
        "confidence": body.confidence,
        "x": body.pose.position.x if body.pose else None,
        "y": body.pose.position.y if body.pose else None,
        "expires": text(body.expires) if body.expires else None,
        "summary_key": body.summary_key,
        "detections": json.dumps([str(uuid) for uuid in body.detections]),
        "history": to_json(body.history).decode(),
        "attributes": to_json(body.attributes).decode(),
    }
    owner = connection.execute(select(schema.incident.c.robot).where(schema.incident.c.uuid == identity)).scalar()
    if owner is None:
        connection.execute(insert(schema.incident).values(uuid=identity, opened=received, **values))
    elif owner == robot:
        connection.execute(update(schema.incident).where(schema.incident.c.uuid == identity).values(**values))
    else:
        return  # Another robot's incident: kept in the log, changes nothing.
    _store_incident_alert(connection, robot, body, received)


def _store_incident_alert(connection: Connection, robot: str, body: Incident, received: str) -> None:
    alert = schema.alert
    identity = str(body.uuid)
    opened = body.state in OPEN_INCIDENT_STATES
    state = connection.execute(select(alert.c.state).where(alert.c.id == identity)).scalar()
    if state is None and opened:
        severity = connection.execute(
            select(alert.c.severity)
            .where(alert.c.id.in_([str(uuid) for uuid in body.detections]))
            .order_by(alert.c.severity.desc())
            .limit(1)
        ).scalar()
        connection.execute(
            insert(alert).values(
                id=identity,
                source="incident",
                robot=robot,
                kind=body.kind,
                severity=severity or int(Severity.ALARM),
                grade=body.grade,
                opened=received,
                state="open",
                incident=identity,
                reason="",
                version=1,
            )
        )
        shown = connection.execute(
            select(schema.detection.c.evidence).where(
                schema.detection.c.uuid.in_([str(uuid) for uuid in body.detections])
            )
        ).scalars()
        evidence = sum(len(json.loads(found)) for found in shown)
        opened_alert = (identity, body.kind, severity or int(Severity.ALARM), evidence)
        sources.alerts_opened(connection, robot, [opened_alert])
    elif state in ROBOT_MAY_SET:
        if not opened:
            sources.alerts_withdrawn(connection, robot, [identity])
        connection.execute(
            update(alert)
            .where(alert.c.id == identity)
            .values(grade=body.grade, kind=body.kind, version=alert.c.version + 1)
            if opened
            else update(alert)
            .where(alert.c.id == identity)
            .values(state="closed", decided=received, decided_by=f"robot:{robot}", version=alert.c.version + 1)
        )
    if body.detections:
        merged = and_(
            alert.c.id.in_([str(uuid) for uuid in body.detections]), alert.c.robot == robot, alert.c.state == "open"
        )
        sources.alerts_withdrawn(connection, robot, connection.execute(select(alert.c.id).where(merged)).scalars())
        connection.execute(
            update(alert).where(merged).values(state="merged", incident=identity, version=alert.c.version + 1)
        )


def _store_fault(connection: Connection, robot: str, body: Fault, _received: str) -> None:
    values = {"severity": body.severity, "text": body.text, "active": body.active, "stamp": text(body.stamp)}
    key = {"robot": robot, "code": body.code, "source": body.source}
    connection.execute(
        _insert(connection, schema.fault)
        .values(**key, **values)
        .on_conflict_do_update(index_elements=list(key), set_=values)
    )
    sources.fault_told(connection, robot, body.code, body.source, body.severity, body.active)


def _store_screenings(connection: Connection, robot: str, body: ScreeningSummary, _received: str) -> None:
    counts = {"people": body.people, "ok": body.ok, "indeterminate": body.indeterminate, "alarms": body.alarms}
    table = schema.screening_count
    connection.execute(
        _insert(connection, table)
        .values(robot=robot, hour=text(body.end)[:13], **counts)
        .on_conflict_do_update(
            index_elements=["robot", "hour"], set_={name: table.c[name] + value for name, value in counts.items()}
        )
    )


def _store_outcome(connection: Connection, robot: str, body: CommandOutcome, received: str) -> None:
    connection.execute(
        update(schema.command)
        .where(and_(schema.command.c.id == str(body.command_id), schema.command.c.robot == robot))
        .values(state=body.state, state_time=received, reason=body.reason)
    )


def _store_progress(connection: Connection, robot: str, body: OrderProgress, _received: str) -> None:
    order = schema.order
    told = and_(order.c.id == body.order_id, order.c.robot == robot, order.c.revision == body.revision)
    before = connection.execute(select(order.c.state, order.c.steps).where(told)).first()
    if before is None:
        return
    steps = json.loads(before.steps)
    sources.order_changed(
        Transaction(connection),
        body.order_id,
        (before.state, steps),
        (body.state, [step.model_dump(mode="json") for step in body.steps] if body.steps else steps),
        actor=f"robot:{robot}",
        robot=robot,
        time=body.stamp,
    )
    connection.execute(
        update(order).where(told).values(state=body.state, reason=body.reason, steps=to_json(body.steps).decode())
        if body.steps
        else update(order).where(told).values(state=body.state, reason=body.reason)
    )


def _insert(connection: Connection, table: Table) -> Any:
    return _INSERTS[connection.dialect.name](table)


_INSERTS: dict[str, Callable[[Table], Any]] = {"postgresql": postgresql_insert, "sqlite": sqlite_insert}
_HANDLERS: dict[type[Event], Callable[[Connection, str, Any, str], None]] = {
    Incident: _store_incident,
    Fault: _store_fault,
    ScreeningSummary: _store_screenings,
    CommandOutcome: _store_outcome,
    OrderProgress: _store_progress,
}
