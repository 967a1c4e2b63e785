"""Adjudication: from what was measured, and who carries it, to a verdict an officer can act on.

The rules are data (``config/radiation_rules.yaml``); the first one whose conditions all hold decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from inspection_contract.errors import InputError
from inspection_robot.radiation.identify import Identification
from inspection_robot.radiation.nuclides import Nuclide

VERDICTS: Final = ("red", "amber", "green", "unidentified")
_LIMITS: Final = ("high_dose_rate_usv_h", "scanner_longest_s", "single_line_below_kev")
SEVERITIES: Final = ("info", "notice", "warning", "alarm", "emergency")


@dataclass(frozen=True)
class Situation:
    """What is known about an alarm besides its spectrum.

    Attributes:
        overload: the detector was blinded.
        dose_rate_usv_h: highest dose rate [uSv/h]; None when not known.
        carrier: person, luggage, vehicle, or empty when nobody's track explains the counts.
        moves_with_carrier: whether the source moved with the track; None when not known yet.
        zone: kind of the map zone it happened in, e.g. xray_scanner, cargo; empty for none.
        duration_s: how long the rise lasted so far [s].
    """

    overload: bool = False
    dose_rate_usv_h: float | None = None
    carrier: str = ""
    moves_with_carrier: bool | None = None
    zone: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """The decision: colour, severity name, message key of the reason, rule and its version."""

    verdict: str
    severity: str
    reason: str
    rule_id: str
    rule_version: str


@dataclass(frozen=True)
class Rule:
    """One rule; its conditions are named in :meth:`Rules.decide`."""

    id: str
    when: dict[str, Any]
    verdict: str
    severity: str
    reason: str


@dataclass(frozen=True)
class Rules:
    """All rules in their order, with the limits they share."""

    version: str
    high_dose_rate_usv_h: float
    scanner_longest_s: float
    single_line_below_kev: float
    rules: tuple[Rule, ...]

    def decide(self, identification: Identification | None, situation: Situation) -> Verdict:
        """Return the verdict; the last rule of a valid file has no conditions, so there always is one."""
        facts = self._facts(identification, situation)
        found = [n.nuclide for n in identification.found] if identification is not None else []
        for rule in self.rules:
            if all(_holds(name, wanted, facts, found) for name, wanted in rule.when.items()):
                return Verdict(rule.verdict, rule.severity, rule.reason, f"radiation.{rule.id}", self.version)
        raise AssertionError("a valid file ends with a rule without conditions")

    def _facts(self, identification: Identification | None, situation: Situation) -> dict[str, Any]:
        found = identification.found if identification is not None else ()
        medical = [n.nuclide for n in found if n.nuclide.category == "medical"]
        dose_rate = situation.dose_rate_usv_h
        return {
            "overload": situation.overload,
            "high_dose_rate": dose_rate is not None and dose_rate >= self.high_dose_rate_usv_h,
            "identified": bool(found),
            "single_low_line": any(self.one_low_line(nuclide) for nuclide in medical),
            "carrier": situation.carrier,
            "moves_with_carrier": situation.moves_with_carrier,
            "zone": situation.zone,
            "short": situation.duration_s <= self.scanner_longest_s,
        }

    def one_low_line(self, nuclide: Nuclide) -> bool:
        """Whether a nuclide shows a single line, and that at a low energy."""
        lines = nuclide.telling_lines()
        return len(lines) == 1 and lines[0][0] < self.single_line_below_kev


_CONDITIONS: Final[dict[str, type | tuple[type, ...]]] = {
    "overload": bool, "high_dose_rate": bool, "identified": bool, "single_low_line": bool, "short": bool,
    "moves_with_carrier": bool, "carrier": str, "zone": str, "category": str, "also": str,
}  # fmt: skip
"""Conditions of a rule. ``category``: a nuclide of this first category was found; ``also``: a nuclide found is used for
this as well."""


def _holds(name: str, wanted: Any, facts: dict[str, Any], found: list[Nuclide]) -> bool:
    if name == "category":
        return any(nuclide.category == wanted for nuclide in found)
    if name == "also":
        return any(wanted in nuclide.categories for nuclide in found)
    return bool(facts[name] == wanted)


def load_rules(path: Path) -> Rules:
    """Read and check the rules.

    Raises:
        InputError: the file is missing or a rule is not as described; names the rule.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(path, f"cannot be read as YAML: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("rules"), list):
        raise InputError(path, "needs `version`, limits and a list `rules`")
    limits = [data.get(name) for name in _LIMITS]
    if not all(isinstance(value, int | float) and value > 0 for value in limits):
        raise InputError(path, "limits must be positive numbers")
    rules = tuple(_rule(path, entry) for entry in data["rules"])
    if not rules or rules[-1].when:
        raise InputError(path, "the last rule must have no conditions, so that there always is a verdict")
    dose_rate, scanner, line = (float(data[name]) for name in _LIMITS)
    return Rules(str(data.get("version", "")), dose_rate, scanner, line, rules)


def _rule(path: Path, entry: Any) -> Rule:
    if not isinstance(entry, dict) or set(entry) != {"id", "when", "verdict", "severity", "reason"}:
        raise InputError(path, f"a rule needs id, when, verdict, severity, reason: {entry!r}")
    name = entry["id"]
    if entry["verdict"] not in VERDICTS or entry["severity"] not in SEVERITIES:
        raise InputError(path, f"rule {name}: verdict is one of {VERDICTS}, severity one of {SEVERITIES}")
    if not isinstance(entry["when"], dict):
        raise InputError(path, f"rule {name}: `when` must be a mapping")
    for condition, wanted in entry["when"].items():
        if condition not in _CONDITIONS:
            raise InputError(path, f"rule {name}: no condition {condition!r}; there are {', '.join(_CONDITIONS)}")
        if not isinstance(wanted, _CONDITIONS[condition]):
            raise InputError(path, f"rule {name}: {condition} has a value of the wrong type")
    return Rule(str(name), dict(entry["when"]), entry["verdict"], entry["severity"], str(entry["reason"]))
