"""Every table of the center: importing this fills the one `metadata`. A package with tables adds a line here."""

from __future__ import annotations

from inspection_center.database import schema
from inspection_center.database.metadata import metadata
from inspection_center.declarations import tables as declarations
from inspection_center.draws import tables as draws
from inspection_center.exchange import tables as exchange
from inspection_center.handheld import tables as handheld
from inspection_center.plan import tables as plan
from inspection_center.public import tables as public
from inspection_center.risk import tables as risk
from inspection_center.robot_rules import tables as robot_rules
from inspection_center.supervision import tables as supervision

__all__ = [
    "declarations",
    "draws",
    "exchange",
    "handheld",
    "metadata",
    "plan",
    "public",
    "risk",
    "robot_rules",
    "schema",
    "supervision",
]
