"""The tables of declarations: as they stand, what was done about each, who had which duty, receipts, items shown."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from inspection_center.database.metadata import NumberKey, metadata

declaration = Table(
    "declaration",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("registration_number", String(32), nullable=False),
    Column("number", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("company", String(200), nullable=False),
    Column("content", Text, nullable=False),
    Column("lookup", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("received", String(27), nullable=False),
    Column("changed", String(27), nullable=False),
    Column("due", String(27)),
    Column("source", String(64), nullable=False),
    Column("score", Float),
    Column("risk", Text, nullable=False, default="{}"),
    Column("draw", String(64), nullable=False, default=""),
    Column("on_documents", Boolean, nullable=False, default=False),
    Column("spot_check", String(16), nullable=False, default=""),  # chosen, not_chosen; empty: not looked at yet
    Column("order_id", String(64)),
    Column("inspector", String(64), nullable=False, default=""),
    Column("result", String(16), nullable=False, default=""),
    Column("follow_up", Text, nullable=False, default=""),
    UniqueConstraint("registration_number", "number"),
    Index("declaration_by_state", "state", "received"),
    Index("declaration_by_order", "order_id"),
)
"""`lookup` is a keyed digest of both numbers, `due` when the state should be over, `risk` the score's inputs."""

declaration_deed = Table(
    "declaration_deed",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("declaration", String(36), nullable=False),
    Column("time", String(27), nullable=False),
    Column("deed", String(32), nullable=False),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", Text, nullable=False),
    Index("declaration_deed_by_declaration", "declaration", "number"),
)

declaration_duty = Table(
    "declaration_duty",
    metadata,
    Column("declaration", String(36), primary_key=True),
    Column("duty", String(16), primary_key=True),
    Column("person", String(64), primary_key=True),
)

receipt = Table(
    "release_receipt",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("declaration", String(36), nullable=False),
    Column("issued", String(27), nullable=False),
    Column("content", Text, nullable=False),
    Column("signature", String(86), nullable=False),
    Column("revoked", String(27)),
    Index("release_receipt_by_declaration", "declaration"),
)

item = Table(
    "published_item",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("code", String(64), primary_key=True),
    Column("declaration", String(36), nullable=False),
    Column("published", String(27), nullable=False),
    Column("content", Text, nullable=False),
    Column("signature", String(86), nullable=False),
    Column("photos", Text, nullable=False),
    Column("revoked", String(27)),
)
"""What the public finds under the code on an item: a signed certificate and the photos released for it."""
