"""The subjects of the menu 1 … 9: the same digits, names, questions and answers that the robot's voice has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from inspection_contract.resources import share

_SPECIAL = frozenset({"sources", "off_topic", "menu", "concepts", "ranking"})
PERSON = 9


@dataclass(frozen=True)
class Answer:
    """A question with its answer in one language, and the titles of its sources."""

    question: str
    answer: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Subjects:
    """The menu in one language: what each digit says, and what is answered under it."""

    title: str
    names: dict[int, str]
    answers: dict[int, tuple[Answer, ...]]


@cache
def subjects(language: str, day: date) -> Subjects:
    """The menu as it is in force on a day."""
    config = share() / "config"
    knowledge = config / "knowledge"
    words = _read(config / "text" / language / "voice.yaml")["menu"]
    menu: dict[int, list[str]] = _read(knowledge / "menu.yaml")["menu"]
    sources = {name: one for name, one in _read(knowledge / "sources.yaml")["sources"].items() if _in_force(one, day)}
    titles = {name: f"{one['title'][language]} ({one['number'][language]})" for name, one in sources.items()}
    entries = [
        entry
        for path in sorted(knowledge.glob("*.yaml"))
        if path.stem not in _SPECIAL
        for entry in _read(path)["entries"]
        if _in_force(entry, day) and set(entry["sources"]) <= set(sources)
    ]
    answers = {
        digit: tuple(_answer(entry, language, titles) for entry in entries if entry["subject"] in group)
        for digit, group in menu.items()
    }
    return Subjects(words["title"], {digit: words[str(digit)] for digit in range(1, 10)}, answers)


def _answer(entry: dict[str, Any], language: str, titles: dict[str, str]) -> Answer:
    own = entry[language]
    return Answer(own["question"], own["answer"], tuple(titles[name] for name in entry["sources"]))


def _in_force(entry: dict[str, Any], day: date) -> bool:
    begin, end = entry.get("valid_from"), entry.get("valid_until")
    return (begin is None or begin <= day) and (end is None or day <= end)


@cache
def _read(path: Path) -> Any:
    # The C loader where there is one: the whole base is 5,000 lines.
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
