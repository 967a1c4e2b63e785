"""The public pages keep one thing: which challenges were used."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from inspection_center.database.metadata import metadata

used_challenge = Table(
    "public_used_challenge",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("expires", String(27), nullable=False),
    Index("public_used_challenge_by_time", "expires"),
)
