"""Tables of draws: each draw with its statement and proof, what was assigned, the duty roster."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from inspection_center.database.metadata import NumberKey, metadata

draw = Table(
    "draw",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("series", String(100), nullable=False),
    Column("in_series", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),  # committed, done, aborted, failed
    Column("purpose", String(200), nullable=False),
    Column("statement_sha256", String(64), nullable=False),
    Column("commitment", Text, nullable=False),
    Column("proof", Text, nullable=False, default=""),
    Column("notes", Text, nullable=False, default="[]"),
    Column("publishes", String(16), nullable=False, default=""),  # items, places, items places
    Column("committed", String(27), nullable=False),
    Column("committed_by", String(80), nullable=False),
    Column("due", String(27), nullable=False),
    Column("finished", String(27)),
    Column("finished_by", String(80), nullable=False, default=""),
    Column("reason", String(500), nullable=False, default=""),
    Column("replaces", Integer, nullable=False, default=0),
    Index("draw_by_series", "series", "in_series", unique=True),
    Index("draw_by_kind", "kind", "number"),
)
"""Numbered without gaps within a series: an aborted or repeated draw stays and shows."""

draw_assignment = Table(
    "draw_assignment",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("draw", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("item", String(100), nullable=False),
    Column("place", String(100), nullable=False),
    Column("company", String(64), nullable=False, default=""),
    Column("time", String(27), nullable=False),
    Index("draw_assignment_by_item", "kind", "item", "time"),
    Index("draw_assignment_by_place", "kind", "place"),
    Index("draw_assignment_by_draw", "draw"),
)
"""What finished draws gave to whom: workload, rotation, who was where."""

draw_roster = Table(
    "draw_roster",
    metadata,
    Column("officer", String(64), primary_key=True),
    Column("unit", String(64), nullable=False),
    Column("lead", Boolean, nullable=False),
    Column("qualifications", Text, nullable=False),
    Column("conflicts", Text, nullable=False),
    Column("duty_from", String(27), nullable=False),
    Column("duty_until", String(27), nullable=False),
    Column("changed", String(27), nullable=False),
    Column("changed_by", String(80), nullable=False),
)
