"""Words of the operator's markers: `config/text/{zh,en}/operator.yaml`."""

from __future__ import annotations

from functools import cache

import yaml

from inspection_contract.resources import share

LANGUAGES = ("zh", "en")


@cache
def words(language: str) -> dict[str, str]:
    """Return all texts of a language by key."""
    path = share() / "config" / "text" / language / "operator.yaml"
    content: dict[str, str] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content
