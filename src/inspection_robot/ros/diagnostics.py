"""Parts of a node for `/diagnostics`, named and levelled as REP-107 wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue


class Level(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARNING = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Part:
    """How one part of a node fares.

    Attributes:
        name: the part, e.g. ``camera``; the status is named ``node: part``.
        level: :class:`Level`.
        message: one line.
        values: further figures; floats are written with six significant digits.
        hardware_id: type and serial number of the device; empty: the robot's own computer.
    """

    name: str
    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    hardware_id: str = ""


def to_status(node: str, part: Part, hardware_id: str) -> Any:
    """Make the DiagnosticStatus of a part.

    Args:
        node: fully qualified node name; the leading slash is dropped.
        part: the part.
        hardware_id: used when the part names no hardware of its own.
    """
    return DiagnosticStatus(
        level=bytes([part.level]),
        name=f"{node.lstrip('/')}: {part.name}",
        message=part.message,
        hardware_id=part.hardware_id or hardware_id,
        values=[KeyValue(key=key, value=_text(value)) for key, value in part.values.items()],
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
