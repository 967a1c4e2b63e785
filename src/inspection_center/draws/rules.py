"""The rules of draws as data: config/draws/<kind>.yaml."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inspection_center.located_yaml import read_located
from inspection_contract.errors import InputError

DrawKind = Literal["objects", "officers", "berths", "teams", "zones", "channels"]
KINDS: tuple[DrawKind, ...] = ("objects", "officers", "berths", "teams", "zones", "channels")
_Count = Annotated[int, Field(ge=0, le=50_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HowMany(_Part):
    """How many objects are drawn: a share of the list, within bounds."""

    share: Annotated[float, Field(ge=0, le=1)]
    minimum: Annotated[int, Field(ge=1, le=50_000)] = 1
    maximum: Annotated[int, Field(ge=1, le=50_000)] = 50_000

    @model_validator(mode="after")
    def _in_order(self) -> HowMany:
        if self.minimum > self.maximum:
            raise ValueError("the minimum is above the maximum")
        return self


class RiskWeight(_Part):
    """Weight of an object: (base + per_point × score) × warning_factor where a warning matches."""

    base: Annotated[float, Field(ge=0, le=1e6)]
    per_point: Annotated[float, Field(ge=0, le=1e6)]
    warning_factor: Annotated[float, Field(ge=1, le=1000)] = 1.0

    @model_validator(mode="after")
    def _weighs(self) -> RiskWeight:
        if self.base + self.per_point <= 0:
            raise ValueError("the weights sum to nothing")
        return self


class Coverage(_Part):
    """At least so many of each value of an attribute."""

    each: Literal["model", "level", "group", "company_grade"]
    at_least: Annotated[int, Field(ge=1, le=1000)]


class ObjectRule(_Part):
    """Which objects are taken with certainty, and what must be covered."""

    how_many: HowMany
    weight: RiskWeight
    always: Annotated[tuple[Literal["inspect", "warning"], ...], Field(min_length=1)] = ("inspect",)
    coverage: tuple[Coverage, ...] = ()


class OfficerRule(_Part):
    """How pairs are made."""

    officers_each: Annotated[int, Field(ge=1, le=5)] = 2
    leads_each: Annotated[int, Field(ge=0, le=5)] = 1
    at_most_of_a_unit: Annotated[int, Field(ge=0, le=5)] = 0
    """0: any number of the same unit."""
    not_again_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """An officer does not go to the same company again within so many days."""
    workload_days: Annotated[int, Field(ge=1, le=366)] = 30
    workload_halves_at: Annotated[float, Field(gt=0, le=1000)] = 2.0
    """So many inspections more than the least loaded officer halve the chance."""
    at_most_a_draw: _Count = 0
    requires: dict[str, tuple[str, ...]] = {}
    """Qualifications that an object of a risk model asks for."""

    @model_validator(mode="after")
    def _can_be_met(self) -> OfficerRule:
        if self.leads_each > self.officers_each:
            raise ValueError("more leads than officers")
        return self


class AllotmentRule(_Part):
    """Berths to ships, teams to tasks, teams to zones, channels to vehicles: one item a place."""

    each_item_once: bool
    """An item is given to one place only (a berth), or to any number (a channel)."""
    not_as_last_time: bool = False
    """Rotation: what a place got in the last draw of this kind, it does not get again."""


class DrawRuleData(_Part):
    """A rule file."""

    kind: DrawKind
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    zh: Annotated[str, Field(min_length=1, max_length=200)]
    en: Annotated[str, Field(min_length=1, max_length=200)]
    load_factor: Annotated[int, Field(ge=1, le=16)] = 1
    """What an item's chance is divided by for each place it has already got in the same draw."""
    publish_items: bool = False
    publish_places: bool = False
    """Whether everybody sees what the leaves stand for; else only who was told the salt, and auditors."""
    objects: ObjectRule | None = None
    officers: OfficerRule | None = None
    allotment: AllotmentRule | None = None

    @model_validator(mode="after")
    def _has_its_part(self) -> DrawRuleData:
        wanted = self.kind if self.kind in ("objects", "officers") else "allotment"
        present = [name for name in ("objects", "officers", "allotment") if getattr(self, name) is not None]
        if present != [wanted]:
            raise ValueError(f"a rule for {self.kind} has exactly the part {wanted!r}")
        return self


@dataclass(frozen=True)
class DrawRule:
    """A rule that was read."""

    data: DrawRuleData
    text: str

    @property
    def sha256(self) -> str:
        """Digest of the file, as statements name it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_rule(folder: Path, kind: DrawKind) -> DrawRule:
    """Read the rule of a kind.

    Raises:
        InputError: the file cannot be read, or is refused with the line and the reason.
    """
    path = folder / f"{kind}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8") from error
    located = read_located(text, path, DrawRuleData)
    if located.content.kind != kind:
        raise located.fault(("kind",), f"must be {kind!r} in this file")
    return DrawRule(located.content, text)
