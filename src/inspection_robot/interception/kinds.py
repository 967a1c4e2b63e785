"""What each kind of detection means for an incident: the table `config/incident_kinds.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.interception.grades import Grade
from inspection_robot.interception.incident import Limits


class Verification(StrEnum):
    """How the robot takes a second look."""

    NONE = "none"
    LOOK_AGAIN = "look_again"
    MEASURE_CLOSER = "measure_closer"
    DWELL = "dwell"
    SNIFF = "sniff"


@dataclass(frozen=True)
class KindRule:
    """One line of the table.

    Attributes:
        prefix: detections whose kind is this or begins with it and a dot.
        hypothesis: what is supposed; findings for one hypothesis strengthen each other.
        prior: probability of the hypothesis for a random subject.
        minimum_severity: weaker findings open no incident (0..4 of Detection.msg).
        grade: evidence grade of one finding.
        confirmed_grade: grade after the verification agreed.
        verification: the second look.
        agreeing: further findings of the hypothesis that confirm it.
        confirmed_from: severity from which a finding has had its second look in its own capability (5: never).
        summary: message key of what the officer is told.
        speech: message key of what the robot says at contact.
        priority: order of the queue; the smallest comes first.
        limits: times.
    """

    prefix: str
    hypothesis: str
    prior: float
    minimum_severity: int
    grade: Grade
    confirmed_grade: Grade
    verification: Verification
    agreeing: int
    confirmed_from: int
    summary: str
    speech: str
    priority: int
    limits: Limits


@dataclass(frozen=True)
class KindTable:
    """The whole table with its version."""

    version: str
    rules: tuple[KindRule, ...]

    def rule_of(self, kind: str) -> KindRule | None:
        """The rule with the longest prefix that fits a detection's kind."""
        fitting = [rule for rule in self.rules if kind == rule.prefix or kind.startswith(f"{rule.prefix}.")]
        return max(fitting, key=lambda rule: len(rule.prefix), default=None)


def load_kinds(path: Path | None = None) -> KindTable:
    """Read and check the table.

    Raises:
        InputError: missing, no YAML, an unknown key, or a value out of its range.
    """
    path = path or share() / "config" / "incident_kinds.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"no YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("kinds"), dict) or "version" not in content:
        raise InputError(path, "needs `version` and `kinds`")
    defaults = content.get("default_limits_s", {})
    try:
        rules = tuple(_rule(str(prefix), entry, defaults) for prefix, entry in content["kinds"].items())
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"not a valid table: {error}") from error
    return KindTable(str(content["version"]), rules)


def _rule(prefix: str, entry: Mapping[str, Any], defaults: Mapping[str, float]) -> KindRule:
    expected = {field.name for field in fields(KindRule)} - {"prefix", "limits"} | {"limits_s"}
    if unknown := set(entry) - expected:
        raise ValueError(f"{prefix} has unknown keys {sorted(unknown)}")
    limits = Limits(**{name: float(value) for name, value in {**defaults, **entry.get("limits_s", {})}.items()})
    for field in fields(limits):
        if not 0.0 < getattr(limits, field.name) <= 86400.0:
            raise ValueError(f"{prefix}: the limit {field.name} must be above 0 and at most a day")
    rule = KindRule(
        prefix=prefix,
        hypothesis=str(entry["hypothesis"]),
        prior=float(entry["prior"]),
        minimum_severity=int(entry["minimum_severity"]),
        grade=Grade(entry["grade"]),
        confirmed_grade=Grade(entry["confirmed_grade"]),
        verification=Verification(entry["verification"]),
        agreeing=int(entry["agreeing"]),
        confirmed_from=int(entry["confirmed_from"]),
        summary=str(entry["summary"]),
        speech=str(entry["speech"]),
        priority=int(entry["priority"]),
        limits=limits,
    )
    if not 0.0 < rule.prior < 1.0 or not 0 <= rule.minimum_severity <= 4 or rule.agreeing < 0:
        raise ValueError(f"{prefix}: prior within 0..1, minimum_severity within 0..4, agreeing from 0")
    if rule.confirmed_grade > rule.grade:
        raise ValueError(f"{prefix}: a confirmation cannot make the grade worse")
    return rule
