"""What the robot says of itself: templates of ``config/text/{zh,en}/voice.yaml``, filled with cleaned values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.voice.knowledge import LANGUAGES, Language
from inspection_robot.voice.text import clean

VALUE_LENGTH = 120
NAME_LENGTH, NAME_WORDS = 40, 5
_SLOT = re.compile(r"\{([a-z_]+)\}")
_SPOKEN = re.compile(r"[^\w\s.,:()·'’/+°%-]")
_NAME = re.compile(r"[^\w\s·'’-]|[\d_]")


class Phrases:
    """Catalogue of both languages.

    Raises:
        InputError: a catalogue is missing, or the two differ in their keys or slots.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = share() / "config" / "text" if folder is None else folder
        self._texts = {language: _flatten(_read(folder / language / "voice.yaml")) for language in LANGUAGES}
        zh, en = self._texts["zh"], self._texts["en"]
        for key in sorted(set(zh) | set(en)):
            if key not in zh or key not in en or set(_SLOT.findall(zh[key])) != set(_SLOT.findall(en[key])):
                raise InputError(folder, f"voice.yaml: {key} differs between zh and en")

    def __contains__(self, key: str) -> bool:
        return key in self._texts["en"]

    def keys(self) -> frozenset[str]:
        """Return the names of all templates."""
        return frozenset(self._texts["en"])

    def text(self, key: str, language: Language, values: Mapping[str, str] | None = None) -> str:
        """Return a template with its slots filled.

        Values come from watch-lists, documents and networks: they are cleaned, cut and stripped of everything but
        letters, digits and plain punctuation, and are never read as templates.

        Raises:
            InputError: unknown template, or a slot without a value.
        """
        template = self._texts[language].get(key)
        if template is None:
            raise InputError(f"template {key}", f"does not exist; there are {', '.join(sorted(self.keys()))}")
        given = values or {}
        if missing := [name for name in _SLOT.findall(template) if name not in given]:
            raise InputError(f"template {key}", f"lacks a value for {', '.join(missing)}")

        def fill(match: re.Match[str]) -> str:
            value = given[match[1]]
            return spoken_name(value) if match[1] == "name" else spoken_value(value)

        return _SLOT.sub(fill, template)


def spoken_value(value: str) -> str:
    """Return a foreign value fit to be spoken inside a sentence."""
    return " ".join(_SPOKEN.sub(" ", clean(value)).split())[:VALUE_LENGTH]


def spoken_name(value: str) -> str:
    """Return a person's name fit to be spoken: a few words of letters, so that no sentence can hide in it."""
    words = " ".join(_NAME.sub(" ", clean(value)).split()[:NAME_WORDS])
    return words[:NAME_LENGTH]


def _read(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(path, f"cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(path, "is not a mapping")
    return content


def _flatten(content: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= _flatten(value, f"{name}.")
        else:
            flat[name] = str(value)
    return flat
