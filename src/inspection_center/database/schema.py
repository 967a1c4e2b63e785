"""The tables. Times are RFC 3339 texts in UTC with microseconds: they order like times in every database.

`event` is the append-only log of everything robots reported; the other tables of this file are what those events mean
now (projections), written in the same transaction, or what officers did.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from inspection_center.database.metadata import NumberKey, metadata

robot = Table(
    "robot",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("previous_token_hash", String(64), unique=True),
    Column("previous_token_expires", String(27)),
    Column("public_key", String(43), nullable=False),
    Column("watchlist_key", LargeBinary, nullable=False),
    Column("enrolled", String(27), nullable=False),
    Column("revoked", Boolean, nullable=False, default=False),
    Column("last_seen", String(27)),
    Column("clock_offset_s", Float),
    Column("status", Text),
)

enrolment = Table(
    "enrolment",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("robot", String(63), nullable=False),
    Column("created", String(27), nullable=False),
    Column("expires", String(27), nullable=False),
    Column("used", String(27)),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("robot", String(63), ForeignKey("robot.name"), nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False, default=0),
)
"""One row an outbox that ever sent; `missing` counts sequence numbers its robot declared lost (a disk replaced)."""

event = Table(
    "event",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("outbox", String(36), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("robot", String(63), nullable=False),
    Column("id", String(36), nullable=False),
    Column("type", String(64), nullable=False),
    Column("time", String(27), nullable=False),
    Column("received", String(27), nullable=False),
    Column("data", Text, nullable=False),
    Index("event_by_outbox", "outbox", "sequence", unique=True),
)

detection = Table(
    "detection",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),  # As they were stored: the newest last.
    Column("uuid", String(36), nullable=False, unique=True),
    Column("robot", String(63), nullable=False),
    Column("received", String(27), nullable=False),
    Column("stamp", String(27), nullable=False),
    Column("kind", String(100), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("value", Float),
    Column("unit", String(200), nullable=False),
    Column("standard_uncertainty", Float),
    Column("subject", String(200), nullable=False),
    Column("x", Float),
    Column("y", Float),
    Column("rule_id", String(200), nullable=False),
    Column("rule_version", String(200), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("attributes", Text, nullable=False),
)

incident = Table(
    "incident",
    metadata,
    Column("uuid", String(36), primary_key=True),
    Column("robot", String(63), nullable=False),
    Column("stamp", String(27), nullable=False),
    Column("received", String(27), nullable=False),
    Column("opened", String(27), nullable=False),
    Column("state", String(32), nullable=False),
    Column("kind", String(100), nullable=False),
    Column("grade", String(1), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("x", Float),
    Column("y", Float),
    Column("expires", String(27)),
    Column("summary_key", String(200), nullable=False),
    Column("detections", Text, nullable=False),
    Column("history", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Index("incident_by_time", "opened"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("source", String(16), nullable=False),  # detection, incident
    Column("robot", String(63), nullable=False),
    Column("kind", String(100), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("grade", String(1), nullable=False, default=""),
    Column("opened", String(27), nullable=False),
    Column("state", String(16), nullable=False),  # open, claimed, approved, dismissed, filed, merged, closed
    Column("incident", String(36)),
    Column("claimed_by", String(64)),
    Column("claimed", String(27)),
    Column("decided_by", String(64)),
    Column("decided", String(27)),
    Column("reason", Text, nullable=False, default=""),
    Column("version", Integer, nullable=False, default=1),
    Index("alert_by_state", "state", "opened"),
)
"""What wants an officer: an alarm, or the incident that took it in."""

fault = Table(
    "fault",
    metadata,
    Column("robot", String(63), primary_key=True),
    Column("code", String(200), primary_key=True),
    Column("source", String(200), primary_key=True),
    Column("severity", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("stamp", String(27), nullable=False),
)

screening_count = Table(
    "screening_count",
    metadata,
    Column("robot", String(63), primary_key=True),
    Column("hour", String(13), primary_key=True),
    Column("people", BigInteger, nullable=False),
    Column("ok", BigInteger, nullable=False),
    Column("indeterminate", BigInteger, nullable=False),
    Column("alarms", BigInteger, nullable=False),
)

finding_count = Table(
    "finding_count",
    metadata,
    Column("hour", String(13), primary_key=True),
    Column("kind", String(100), primary_key=True),
    Column("findings", BigInteger, nullable=False),
    Column("alarms", BigInteger, nullable=False),
)
"""Detections by hour of arrival (UTC) and kind, counted as they arrive."""

quarantine = Table(
    "quarantine",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("robot", String(63), nullable=False),
    Column("outbox", String(36), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("received", String(27), nullable=False),
    Column("reason", Text, nullable=False),
    Column("data", Text, nullable=False),
)
"""What a robot sent and the center could not take at its word: kept, shown, never lost."""

blob = Table(
    "blob",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(120), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("retention", String(32), nullable=False),
    Column("received", String(27), nullable=False),
    Column("robot", String(63), nullable=False),
    Column("removed", String(27)),
)

command = Table(
    "command",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("robot", String(63), nullable=False),
    Column("type", String(64), nullable=False),
    Column("issued", String(27), nullable=False),
    Column("expires", String(27), nullable=False),
    Column("data", Text, nullable=False),
    Column("signature", String(86), nullable=False),
    Column("issued_by", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # issued, applied, rejected, expired, superseded
    Column("state_time", String(27), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Index("command_by_robot", "robot", "number"),
)

order = Table(
    "inspection_order",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("robot", String(63)),
    Column("officer", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("place_name", String(200), nullable=False),
    Column("created", String(27), nullable=False),
    Column("due", String(27), nullable=False),
    Column("state", String(16), nullable=False),
    Column("steps", Text, nullable=False),
    Column("reason", Text, nullable=False, default=""),
)

account = Table(
    "account",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("display_name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("created", String(27), nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", String(27)),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("account.name"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created", String(27), nullable=False),
    Column("expires", String(27), nullable=False),
)

login_link = Table(
    "login_link",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("account.name"), nullable=False),
    Column("expires", String(27), nullable=False),
    Column("used", String(27)),
)

service_token = Table(
    "service_token",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("created", String(27), nullable=False),
    Column("expires", String(27)),
)

watchlist_entry = Table(
    "watchlist_entry",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("identifier", Text, nullable=False),
    Column("birth_date", Text, nullable=False, default=""),
    Column("advice", String(200), nullable=False, default=""),
    Column("expires", String(27)),
    Column("added_by", String(64), nullable=False),
    Column("added_version", Integer, nullable=False),
    Column("removed_version", Integer),
)

personal_key = Table(
    "personal_key",
    metadata,
    Column("subject", String(300), primary_key=True),
    Column("key", LargeBinary),
    Column("created", String(27), nullable=False),
    Column("erased", String(27)),
)
"""The wrapped key of each person whose data is sealed; none once the person is erased (see `personal`)."""

audit = Table(
    "audit",
    metadata,
    Column("leaf", NumberKey, primary_key=True, autoincrement=False),
    Column("time", String(27), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(200), nullable=False),
    Column("details", Text, nullable=False),
    Column("salt", String(32), nullable=False),
    Column("leaf_hash", String(64), nullable=False),
    Index("audit_by_time", "time"),
)

audit_node = Table(
    "audit_node",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("hash", String(64), nullable=False),
)

audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("root", String(64), nullable=False),
    Column("time", String(27), nullable=False),
    Column("signature", String(86), nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    UniqueConstraint("name"),
)
"""Few single values: the watch-list's version, the readiness probe."""
