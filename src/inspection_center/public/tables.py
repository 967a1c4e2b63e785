"""The public pages keep one thing: which challenges were used."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from inspection_center.database.metadata import metadata

used_challenge = Table(
    "public_used_challenge",
    metadata,
    Column("id", String(64), primary_key=True),
)
"""The time a challenge expires [s since 1970, twelve digits] and its id: ordered by time."""
