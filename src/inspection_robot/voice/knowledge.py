"""The knowledge base: answers with their sources, in both languages, read strictly from ``config/knowledge``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from inspection_contract.errors import InputError
from inspection_contract.resources import share

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

M = TypeVar("M", bound=BaseModel)

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader, in C where PyYAML was built with it: ten times as fast."""

MINIMUM_PARAPHRASES = 5
REVIEW_AFTER_DAYS = 365

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600, pattern=r"^[^\x00-\x1f]+$")
]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(_Strict):
    """One text in both languages."""

    zh: Text
    en: Text

    def of(self, language: Language) -> str:
        """Return the text in ``language``."""
        return self.zh if language == "zh" else self.en


class Source(_Strict):
    """A published rule that answers cite.

    ``checked_against`` says what ``last_checked`` means: compared with a published copy, or known to the editor.
    """

    title: Bilingual
    number: Bilingual
    year: int = Field(ge=1949, le=2100)
    issuer: Bilingual
    valid_from: date
    valid_until: date | None = None
    last_checked: date
    checked_against: Literal["published_copy", "editor"]

    def citation(self, language: Language) -> str:
        """Return title, number, year and issuer as one line."""
        if language == "zh":
            return f"《{self.title.zh}》，{self.issuer.zh}，{self.number.zh}，{self.year}年"
        return f"{self.title.en}, {self.issuer.en}, {self.number.en}, {self.year}"


class Wording(_Strict):
    """One entry in one language. ``terms`` are words that tell the entry from the others."""

    question: Text
    answer: Text
    paraphrases: tuple[Text, ...] = Field(min_length=MINIMUM_PARAPHRASES)
    terms: tuple[Text, ...] = Field(min_length=1)


class Entry(_Strict):
    """A question that travellers ask, and its answer."""

    id: Identifier
    subject: Annotated[str, StringConstraints(pattern=r"^[a-z]+(_[a-z]+)*$")]
    sources: tuple[str, ...] = Field(min_length=1)
    valid_from: date
    valid_until: date | None = None
    last_checked: date
    follow_ups: tuple[Identifier, ...] = ()
    zh: Wording
    en: Wording

    def wording(self, language: Language) -> Wording:
        """Return the entry in ``language``."""
        return self.zh if language == "zh" else self.en


class _EntryFile(_Strict):
    entries: tuple[Entry, ...] = Field(min_length=1)


class _SourceFile(_Strict):
    sources: dict[str, Source] = Field(min_length=1)


class _OffTopicFile(_Strict):
    zh: tuple[Text, ...]
    en: tuple[Text, ...]


class _MenuFile(_Strict):
    menu: dict[int, tuple[str, ...]]


@dataclass(frozen=True)
class KnowledgeBase:
    """All entries and sources, the menu (digit → subjects) and questions that are off topic (language → texts)."""

    entries: Mapping[str, Entry]
    sources: Mapping[str, Source]
    menu: Mapping[int, tuple[str, ...]]
    off_topic: Mapping[Language, tuple[str, ...]]

    def valid_on(self, day: date) -> KnowledgeBase:
        """Return the base without entries that are not in force on ``day``, or one of whose sources is not."""

        def in_force(thing: Entry | Source) -> bool:
            return thing.valid_from <= day and (thing.valid_until is None or day <= thing.valid_until)

        kept = {
            name: entry
            for name, entry in self.entries.items()
            if in_force(entry) and all(in_force(self.sources[source]) for source in entry.sources)
        }
        return KnowledgeBase(kept, self.sources, self.menu, self.off_topic)

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
            if unknown := set(entry.sources) - set(sources):
                raise InputError(path, f"entry {entry.id} cites unknown sources {', '.join(sorted(unknown))}")
            entries[entry.id] = entry
    for entry in entries.values():
        if unknown := set(entry.follow_ups) - set(entries):
            raise InputError(folder, f"entry {entry.id} follows up on unknown {', '.join(sorted(unknown))}")
    subjects = {entry.subject for entry in entries.values()}
    listed = [subject for group in menu.values() for subject in group]
    if missing := subjects - set(listed):
        raise InputError(folder / "menu.yaml", f"no digit leads to {', '.join(sorted(missing))}")
    if unknown := set(listed) - subjects:
        raise InputError(folder / "menu.yaml", f"unknown subjects {', '.join(sorted(unknown))}")
    return KnowledgeBase(entries, sources, menu, {"zh": off_topic.zh, "en": off_topic.en})


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
