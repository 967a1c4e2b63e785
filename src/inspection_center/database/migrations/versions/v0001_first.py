"""The first version: its programs made their tables themselves."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing lies before it."""
