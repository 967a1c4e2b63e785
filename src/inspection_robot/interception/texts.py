"""What officers read of an incident: `config/text/{zh,en}/interception.yaml`."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from inspection_contract.resources import share
from inspection_robot.interception.case_book import Case

LANGUAGES = ("zh", "en")


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language, by dotted key."""
    content = yaml.safe_load((share() / "config" / "text" / language / "interception.yaml").read_text(encoding="utf-8"))
    return dict(_flat(content, ""))


def officer_text(case: Case, language: str, key: str = "") -> str:
    """One line about an incident, or the text of a key.

    Args:
        case: the incident.
        language: zh or en.
        key: a text of the catalogue instead of the incident's line.
    """
    texts = catalogue(language)
    if key:
        return texts[key]
    incident = case.incident
    return texts["line"].format(
        summary=texts[case.rule.summary],
        state=texts[f"state.{incident.state.value}"],
        grade=incident.grade.value,
        confidence=f"{incident.confidence:.0%}",
    )


def _flat(content: dict[str, Any], prefix: str) -> list[tuple[str, str]]:
    pairs = []
    for key, value in content.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", str(value))]
    return pairs
