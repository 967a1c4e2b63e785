"""Warnings from recalls and failed inspections: lists that are imported, and which goods they match.

A warning names what it knows of the goods: HS code (a prefix), origin, producer, lot, words of the name. It matches
goods that agree with everything it names; what it does not name, it does not ask for. A warning that names nothing is
refused: it would match everything.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from inspection_center.problems import Unfit
from inspection_contract.envelope import first_fault

MAXIMUM_WARNINGS = 20_000
COLUMNS = ("id", "source", "kind", "severity", "hs_code", "origin", "producer", "lot", "words", "text", "until")
_Short = Annotated[str, Field(max_length=200)]


class GoodsWarning(BaseModel):
    """One warning of a list.

    `severity`: 1 notice, 2 minor, 3 grave, 4 danger to life.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")]
    source: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Literal["recall", "failed_inspection", "alert"]
    severity: Annotated[int, Field(ge=1, le=4)] = 2
    hs_code: Annotated[str, Field(pattern=r"^[0-9]{0,12}$")] = ""
    origin: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    producer: _Short = ""
    lot: _Short = ""
    words: _Short = ""
    text: Annotated[str, Field(max_length=2000)] = ""
    until: date | None = None

    @field_validator("hs_code", mode="before")
    @classmethod
    def _digits(cls, value: Any) -> Any:
        return value.replace(".", "").replace(" ", "") if isinstance(value, str) else value

    @field_validator("severity", "until", mode="before")
    @classmethod
    def _absent(cls, value: Any, info: Any) -> Any:
        return ({"severity": 2}.get(info.field_name) if value == "" else value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _names_something(self) -> GoodsWarning:
        if not (self.hs_code or self.producer or self.lot or self.words):
            raise ValueError("names neither HS code, producer, lot nor words: it would match everything")
        for text in (self.source, self.producer, self.lot, self.words, self.text):
            if "\x00" in text:
                raise ValueError("has a NUL character")
        return self


@dataclass(frozen=True)
class Goods:
    """What is known of goods."""

    hs_code: str = ""
    origin: str = ""
    producer: str = ""
    lot: str = ""
    name: str = ""

    @staticmethod
    def from_mapping(goods: Mapping[str, Any]) -> Goods:
        """Goods of a declaration; other keys and empty values are passed over."""
        known = {name: str(goods[name]) for name in Goods.__dataclass_fields__ if goods.get(name) is not None}
        known["hs_code"] = known.get("hs_code", "").replace(".", "").replace(" ", "")
        return Goods(**known)


def read_warnings(content: str) -> list[GoodsWarning]:
    """Read a list: CSV with a header of `COLUMNS`, or JSON: a list of objects with the same names.

    Raises:
        Unfit: no such list; the text names the line (CSV) or the entry (JSON) and the reason.
    """
    text = content.removeprefix("\ufeff")
    rows = _json_rows(text) if text.lstrip().startswith("[") else _csv_rows(text)
    if not rows:
        raise Unfit("there is no warning in the list")
    if len(rows) > MAXIMUM_WARNINGS:
        raise Unfit(f"more than {MAXIMUM_WARNINGS} warnings")
    found, places = [], dict[str, str]()
    for place, row in rows:
        try:
            warning = GoodsWarning.model_validate(row)
        except ValidationError as error:
            raise Unfit(f"{place}: {first_fault(error)}") from error
        if warning.id in places:
            raise Unfit(f"{place}: {warning.id} stands already in {places[warning.id]}")
        places[warning.id] = place
        found.append(warning)
    return found


class Matcher:
    """Finds the warnings that match goods, by an index over what each names most sharply."""

    def __init__(self, warnings: Iterable[GoodsWarning]) -> None:
        self._by_key: dict[tuple[str, str], list[GoodsWarning]] = {}
        self._by_words: list[GoodsWarning] = []
        for warning in warnings:
            if warning.lot:
                key = ("lot", _fold(warning.lot))
            elif warning.producer:
                key = ("producer", _fold(warning.producer))
            elif warning.hs_code:
                key = ("hs", warning.hs_code)
            else:
                self._by_words.append(warning)
                continue
            self._by_key.setdefault(key, []).append(warning)

    def match(self, goods: Goods) -> list[GoodsWarning]:
        """Warnings that match, the gravest first."""
        keys = [("lot", _fold(goods.lot)), ("producer", _fold(goods.producer))]
        keys += [("hs", goods.hs_code[:length]) for length in range(1, len(goods.hs_code) + 1)]
        candidates = [warning for key in keys if key[1] for warning in self._by_key.get(key, ())]
        hits = [warning for warning in candidates + self._by_words if _agrees(warning, goods)]
        return sorted(hits, key=lambda warning: (-warning.severity, warning.id))

    def match_any(self, goods: Sequence[Goods]) -> list[GoodsWarning]:
        """Warnings that match any of several goods, each once, the gravest first."""
        hits = {warning.id: warning for one in goods for warning in self.match(one)}
        return sorted(hits.values(), key=lambda warning: (-warning.severity, warning.id))


def warning_facts(hits: Sequence[GoodsWarning]) -> dict[str, float]:
    """What the models are told: how many match, and how grave the gravest is."""
    return {
        "warning_matches": float(len(hits)),
        "warning_severity": float(max((warning.severity for warning in hits), default=0)),
    }


def _agrees(warning: GoodsWarning, goods: Goods) -> bool:
    return (
        goods.hs_code.startswith(warning.hs_code)
        and (not warning.origin or warning.origin == goods.origin)
        and (not warning.producer or _fold(warning.producer) == _fold(goods.producer))
        and (not warning.lot or _fold(warning.lot) == _fold(goods.lot))
        and all(word in _fold(goods.name) for word in _fold(warning.words).split())
    )


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _csv_rows(text: str) -> list[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    try:
        names = set(reader.fieldnames or ())
        if not {"id", "source", "kind"} <= names or not names <= set(COLUMNS):
            raise Unfit(f"line 1: columns must be among {', '.join(COLUMNS)}, with id, source and kind")
        rows = []
        for row in reader:
            if "" in row:
                raise Unfit(f"line {reader.line_num}: more fields than columns")
            rows.append((f"line {reader.line_num}", {name: value for name, value in row.items() if value}))
    except csv.Error as error:
        raise Unfit(f"line {reader.line_num}: no CSV: {error}") from error
    return rows


def _json_rows(text: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"no JSON: {error}") from error
    return [(f"entry {number}", row) for number, row in enumerate(content, 1)]
