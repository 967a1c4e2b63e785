"""Journeys as their users see them. Pure: no ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Travel:
    """How a journey stands: ``driving``, ``arrived`` or ``failed`` with its reason."""

    state: str
    reason: str = ""


class Navigator(Protocol):
    """Drives to poses, one at a time. Nothing here waits."""

    def go(self, x: float, y: float, yaw: float) -> None:
        """Start to drive; replaces a journey that is under way."""

    def cancel(self) -> None:
        """Stop driving; nothing happens when nothing is under way."""

    def travel(self) -> Travel:
        """How the last journey stands."""
