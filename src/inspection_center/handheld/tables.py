"""Who carries an order out, what was recorded at each step, and the receipts."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, String, Table, Text

from inspection_center.database.metadata import metadata

order_assignment = Table(
    "order_assignment",
    metadata,
    Column("order_id", String(64), ForeignKey("inspection_order.id"), primary_key=True),
    Column("officer", String(64)),  # null: a robot, or whoever takes it
    Column("alert", String(36)),
    Column("x", Float),
    Column("y", Float),
    Column("taken", String(27)),
    Index("order_assignment_by_officer", "officer"),
)
"""Which officer carries an order out, where (in `map` [m]) and about which alert; one row an order."""

order_record = Table(
    "order_record",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("order_id", String(64), ForeignKey("inspection_order.id"), nullable=False),
    Column("step", String(200), nullable=False),
    Column("officer", String(64), nullable=False),
    Column("recorded", String(27), nullable=False),
    Column("received", String(27), nullable=False),
    Column("body", Text, nullable=False),
    Index("order_record_by_order", "order_id", "received"),
)
"""What a handheld recorded at a step, as it came; the id is made on the handheld, so that sending twice stores once."""

order_receipt = Table(
    "order_receipt",
    metadata,
    Column("number", String(64), primary_key=True),
    Column("order_id", String(64), ForeignKey("inspection_order.id"), nullable=False, unique=True),
    Column("issued", String(27), nullable=False),
    Column("body", Text, nullable=False),
    Column("signature", String(86), nullable=False),
)
"""What was found, in canonical JSON, signed by the center."""
