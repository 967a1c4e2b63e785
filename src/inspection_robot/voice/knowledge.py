"""The knowledge base: answers with their sources, in both languages, read strictly from ``config/knowledge``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from inspection_contract.errors import InputError
from inspection_contract.knowledge import LANGUAGES, Bilingual, Entry, KnowledgeText, Language, Source, Strict, Wording
from inspection_contract.resources import share

__all__ = ["LANGUAGES", "Bilingual", "Entry", "KnowledgeBase", "Language", "Source", "Wording", "findings", "load"]

M = TypeVar("M", bound=BaseModel)

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader, in C where PyYAML was built with it: ten times as fast."""

REVIEW_AFTER_DAYS = 365


class _EntryFile(Strict):
    entries: tuple[Entry, ...] = Field(min_length=1)


class _SourceFile(Strict):
    sources: dict[str, Source] = Field(min_length=1)


class _OffTopicFile(Strict):
    zh: tuple[KnowledgeText, ...]
    en: tuple[KnowledgeText, ...]


class _MenuFile(Strict):
    menu: dict[int, tuple[str, ...]]


@dataclass(frozen=True)
class KnowledgeBase:
    """All entries and sources, the menu (digit → subjects) and questions that are off topic (language → texts).

    ``version`` is that of the center's update that is part of it; 0 for the shipped base.
    """

    entries: Mapping[str, Entry]
    sources: Mapping[str, Source]
    menu: Mapping[int, tuple[str, ...]]
    off_topic: Mapping[Language, tuple[str, ...]]
    version: int = 0

    def valid_on(self, day: date) -> KnowledgeBase:
        """Return the base without entries that are not in force on ``day``, or one of whose sources is not."""

        def in_force(thing: Entry | Source) -> bool:
            return thing.valid_from <= day and (thing.valid_until is None or day <= thing.valid_until)

        kept = {
            name: entry
            for name, entry in self.entries.items()
            if in_force(entry) and all(in_force(self.sources[source]) for source in entry.sources)
        }
        return replace(self, entries=kept)

    def citations(self, entry: Entry, language: Language) -> list[str]:
        """Return the sources of ``entry`` as lines: title, issuer, number, year."""
        return [self.sources[source].citation(language) for source in entry.sources]

    def follow_ups(self, entry: Entry) -> list[Entry]:
        """Return the entries that travellers ask about next, those that are in force."""
        return [self.entries[name] for name in entry.follow_ups if name in self.entries]


def load(folder: Path | None = None) -> KnowledgeBase:
    """Read the knowledge base.

    Args:
        folder: ``config/knowledge`` of this installation by default.

    Raises:
        InputError: a file is missing, is not YAML, has an unknown or bad field, or refers to something that is not
            there; the message names the file and the field.
    """
    folder = share() / "config" / "knowledge" if folder is None else folder
    special = {"sources.yaml", "off_topic.yaml", "menu.yaml", "concepts.yaml", "ranking.yaml"}
    paths = sorted(path for path in folder.glob("*.yaml") if path.name not in special)
    if not paths:
        raise InputError(folder, "has no knowledge files")
    sources = _read(folder / "sources.yaml", _SourceFile).sources
    off_topic = _read(folder / "off_topic.yaml", _OffTopicFile)
    menu = _read(folder / "menu.yaml", _MenuFile).menu
    entries: dict[str, Entry] = {}
    for path in paths:
        for entry in _read(path, _EntryFile).entries:
            if entry.id in entries:
                raise InputError(path, f"entry {entry.id} exists twice")
            entries[entry.id] = entry
    base = KnowledgeBase(entries, sources, menu, {"zh": off_topic.zh, "en": off_topic.en})
    check(base, folder)
    return base


def check(base: KnowledgeBase, name: str | Path) -> None:
    """Check what a base's parts say about each other.

    Raises:
        InputError: of ``name``; an entry refers to a source or an entry that is not there, or no digit leads to it.
    """
    for entry in base.entries.values():
        if unknown := set(entry.sources) - set(base.sources):
            raise InputError(name, f"entry {entry.id} cites unknown sources {', '.join(sorted(unknown))}")
        if unknown := set(entry.follow_ups) - set(base.entries):
            raise InputError(name, f"entry {entry.id} follows up on unknown {', '.join(sorted(unknown))}")
    found = {entry.subject for entry in base.entries.values()}
    listed = {subject for group in base.menu.values() for subject in group}
    if missing := found - listed:
        raise InputError(name, f"no digit of the menu leads to {', '.join(sorted(missing))}")
    if unknown := listed - found:
        raise InputError(name, f"the menu leads to unknown subjects {', '.join(sorted(unknown))}")


def findings(base: KnowledgeBase, today: date) -> list[str]:
    """Return what a person should look at, one line each: texts used twice, expired or unchecked rules."""
    lines = []
    for language in LANGUAGES:
        owners: dict[str, list[str]] = {}
        for name, entry in base.entries.items():
            wording = entry.wording(language)
            for text in (wording.question, *wording.paraphrases):
                owners.setdefault(text.casefold(), []).append(name)
        lines += [
            f"{language}: “{text}” stands in {' and '.join(names)}" for text, names in owners.items() if len(names) > 1
        ]
        clash = {text.casefold() for text in base.off_topic[language]} & set(owners)
        lines += [f"{language}: “{text}” is both an entry's and off topic" for text in sorted(clash)]
    for name, source in base.sources.items():
        if source.valid_until is not None and source.valid_until < today:
            lines.append(f"source {name} expired on {source.valid_until}")
        if (today - source.last_checked).days > REVIEW_AFTER_DAYS:
            lines.append(f"source {name} was last checked on {source.last_checked}")
    lines += [
        f"entry {name} was last checked on {entry.last_checked}"
        for name, entry in base.entries.items()
        if (today - entry.last_checked).days > REVIEW_AFTER_DAYS
    ]
    cited = Counter(source for entry in base.entries.values() for source in entry.sources)
    lines += [f"source {name} is cited by no entry" for name in base.sources if not cited[name]]
    return lines


def subjects(entries: Iterable[Entry]) -> dict[str, int]:
    """Return how many entries each subject has."""
    return dict(Counter(entry.subject for entry in entries))


def _read(path: Path, model: type[M]) -> M:
    try:
        return model.model_validate(yaml.load(path.read_text(encoding="utf-8"), _Loader))
    except FileNotFoundError:
        raise InputError(path, "is missing") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(path, f"cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(path, f"{where}: {first['msg']}") from None
