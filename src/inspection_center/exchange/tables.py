"""The tables of the exchange: what came in under which id, what goes out and how often it was tried, ships."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from inspection_center.database.metadata import NumberKey, metadata

arrival = Table(
    "exchange_arrival",
    metadata,
    Column("partner", String(64), primary_key=True),
    Column("external_id", String(200), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("declaration", String(36), nullable=False),
    Column("received", String(27), nullable=False),
)
"""One row a thing that was taken: the same again changes nothing, another one under the same id is refused."""

message = Table(
    "exchange_message",
    metadata,
    Column("partner", String(64), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("received", String(27), nullable=False),
    Index("exchange_message_by_time", "received"),
)
"""Signed messages that were taken, so that a recorded one is refused."""

outgoing = Table(
    "exchange_outgoing",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("created", String(27), nullable=False),
    Column("data", Text, nullable=False),
    Column("addressed", Boolean, nullable=False, default=False),
    Index("exchange_outgoing_by_state", "addressed", "number"),
)
"""What others are told, written in the deed's transaction; `addressed` once partners have their deliveries."""

delivery = Table(
    "exchange_delivery",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("outgoing", NumberKey, nullable=False),
    Column("partner", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # waiting, delivered, dead
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt", String(27), nullable=False),
    Column("changed", String(27), nullable=False),
    Column("fault", Text, nullable=False, default=""),
    UniqueConstraint("outgoing", "partner"),
    Index("exchange_delivery_by_state", "state", "next_attempt"),
)

ship = Table(
    "exchange_ship",
    metadata,
    Column("mmsi", Integer, primary_key=True),
    Column("name", String(20), nullable=False, default=""),
    Column("call_sign", String(7), nullable=False, default=""),
    Column("imo", Integer),
    Column("ship_type", Integer),
    Column("latitude_deg", Float),
    Column("longitude_deg", Float),
    Column("speed_m_s", Float),
    Column("course_deg", Float),
    Column("heading_deg", Float),
    Column("navigation_status", Integer),
    Column("received", String(27), nullable=False),
    Column("source", String(64), nullable=False),
)
"""The newest position and name of each ship heard (ITU-R M.1371)."""
