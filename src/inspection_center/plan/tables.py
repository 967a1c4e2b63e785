"""Layers that robots sent: the newest of each robot and kind."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, LargeBinary, String, Table

from inspection_center.database.metadata import metadata

map_layer = Table(
    "map_layer",
    metadata,
    Column("robot", String(63), ForeignKey("robot.name"), primary_key=True),
    Column("layer", String(16), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("west", Float, nullable=False),
    Column("south", Float, nullable=False),
    Column("east", Float, nullable=False),
    Column("north", Float, nullable=False),
    Column("received", String(27), nullable=False),
    Column("png", LargeBinary, nullable=False),
)
"""An occupancy grid as a grey PNG, north up: 0 … 100 as the robot says, 255 not known; bounds in `map` [m]."""
