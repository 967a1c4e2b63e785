"""What pages and the interface read."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from inspection_center.database import schema
from inspection_center.database.engine import row_dict


def detections(
    engine: Engine, limit: int, *, robot: str = "", kind: str = "", minimum_severity: int = 0
) -> list[dict[str, Any]]:
    """The newest detections first."""
    table = schema.detection
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if robot:
        query = query.where(table.c.robot == robot)
    if kind:
        query = query.where(table.c.kind == kind)
    if minimum_severity:
        query = query.where(table.c.severity >= minimum_severity)
    with engine.connect() as connection:
        return [_readable(row_dict(row)) for row in connection.execute(query)]


def detection(connection: Connection, uuid: str) -> dict[str, Any] | None:
    """One detection."""
    row = connection.execute(select(schema.detection).where(schema.detection.c.uuid == uuid)).first()
    return None if row is None else _readable(row_dict(row))


def robots(connection: Connection) -> list[dict[str, Any]]:
    """Every robot with its last status, by name; no secrets."""
    table = schema.robot
    columns = (
        table.c.name,
        table.c.enrolled,
        table.c.revoked,
        table.c.last_seen,
        table.c.clock_offset_s,
        table.c.status,
    )
    found = [row_dict(row) for row in connection.execute(select(*columns).order_by(table.c.name))]
    for robot in found:
        robot["status"] = json.loads(robot["status"]) if robot["status"] else None
    return found


def placed_alerts(connection: Connection, states: tuple[str, ...], limit: int) -> list[dict[str, Any]]:
    """Alerts in some states with the place of their incident or detection (none: not known), newest first."""
    alert, incident, found = schema.alert, schema.incident, schema.detection
    rows = connection.execute(
        select(
            alert.c.id,
            alert.c.kind,
            alert.c.severity,
            alert.c.state,
            func.coalesce(incident.c.x, found.c.x).label("x"),
            func.coalesce(incident.c.y, found.c.y).label("y"),
        )
        .outerjoin(incident, incident.c.uuid == alert.c.incident)
        .outerjoin(found, found.c.uuid == alert.c.id)
        .where(alert.c.state.in_(states))
        .order_by(alert.c.opened.desc())
        .limit(limit)
    )
    return [row_dict(row) for row in rows]


def quarantined(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """What was quarantined, newest first."""
    table = schema.quarantine
    return [row_dict(row) for row in connection.execute(select(table).order_by(table.c.number.desc()).limit(limit))]


def audit_entries(
    connection: Connection,
    limit: int = 200,
    before: int | None = None,
    *,
    actor: str = "",
    action: str = "",
    target: str = "",
    since: str = "",
    until: str = "",
) -> list[dict[str, Any]]:
    """Audit entries, newest first: by parts of who did it and to what, by the deed, by days (both inclusive)."""
    table = schema.audit
    query = select(table).order_by(table.c.leaf.desc()).limit(limit)
    for column, part in ((table.c.actor, actor), (table.c.object, target)):
        if part:
            query = query.where(column.contains(part, autoescape=True))
    if action:
        query = query.where(table.c.action == action)
    if since:
        query = query.where(table.c.time >= since)
    if until:
        query = query.where(table.c.time < f"{until}U")  # "U" follows the "T" of every time on that day.
    if before is not None:
        query = query.where(table.c.leaf < before)
    return [row_dict(row) for row in connection.execute(query)]


def accounts(connection: Connection) -> list[dict[str, Any]]:
    """Accounts by name; no secrets."""
    table = schema.account
    columns = (table.c.name, table.c.display_name, table.c.role, table.c.created, table.c.active, table.c.locked_until)
    return [row_dict(row) for row in connection.execute(select(*columns).order_by(table.c.name))]


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    for column in ("evidence", "attributes"):
        row[column] = json.loads(row[column])
    return row
