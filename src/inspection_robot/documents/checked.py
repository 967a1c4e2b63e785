"""What a parser says about a payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class PayloadError(Exception):
    """The payload is not of the kind a parser reads; the text says what is wrong, without the payload."""


@dataclass(frozen=True)
class Parsed:
    """A payload understood.

    Attributes:
        kind: passport, visa, id_card, boarding_pass, bag_tag, container, inspection_qr, other.
        fields: what it says, by the field names of its standard.
        checks: each check of the standard and whether it holds.
        identifiers: what a watch-list can be asked for: (kind of `WatchlistEntry`, identifier).
    """

    kind: str
    fields: Mapping[str, str]
    checks: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    identifiers: tuple[tuple[str, str], ...] = ()

    @property
    def valid(self) -> bool:
        """Whether every check holds."""
        return all(self.checks.values())

    def checks_text(self) -> str:
        """The checks as `name=ok` and `name=failed`, for messages."""
        return " ".join(f"{name}={'ok' if holds else 'failed'}" for name, holds in self.checks.items())
