"""Versions of the robots' rules."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from inspection_center.database.metadata import metadata

robot_rule_set = Table(
    "robot_rule_set",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("rules", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("made_by", String(64), nullable=False),
    Column("created", String(27), nullable=False),
    Column("signature", String(86), nullable=False),
)
"""Each version whole, as canonical JSON that the center signed; versions are never changed."""
