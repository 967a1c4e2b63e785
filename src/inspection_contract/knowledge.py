"""Answers to travellers' questions with their sources, in both languages: what a knowledge file and an update hold."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

MINIMUM_PARAPHRASES = 5

KnowledgeText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600, pattern=r"^[^\x00-\x1f]+$")
]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class Strict(BaseModel):
    """Nothing unknown, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(Strict):
    """One text in both languages."""

    zh: KnowledgeText
    en: KnowledgeText

    def of(self, language: Language) -> str:
        """Return the text in ``language``."""
        return self.zh if language == "zh" else self.en


class Source(Strict):
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


class Wording(Strict):
    """One entry in one language. ``terms`` are words that tell the entry from the others."""

    question: KnowledgeText
    answer: KnowledgeText
    paraphrases: tuple[KnowledgeText, ...] = Field(min_length=MINIMUM_PARAPHRASES)
    terms: tuple[KnowledgeText, ...] = Field(min_length=1)


class Entry(Strict):
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
