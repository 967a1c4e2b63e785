"""How another system's fields become ours: mapping files, and values taken from a record by them."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inspection_center.declarations.model import Item, NewDeclaration
from inspection_center.located_yaml import Located, read_located_file

_DECLARATION_FIELDS = frozenset(NewDeclaration.model_fields) - {"items", "documents", "attributes"}
_ITEM_FIELDS = frozenset(Item.model_fields)
EXPORT_FIELDS = frozenset(
    {
        "id", "registration_number", "number", "kind", "company", "state", "received", "changed", "score", "result",
        "receipt", "released_on", "issued", "follow_up", "signature",
    }
)  # fmt: skip
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class FieldRule(BaseModel):
    """Where a field comes from: a column or path of the record, or always the same value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, Field(alias="from", max_length=200)] = ""
    value: str | float | bool | None = None
    type: Literal["text", "number", "flag", "date"] = "text"
    format: str = ""
    """Of a date (strptime); empty: ISO 8601. It becomes YYYY-MM-DD."""
    values: dict[str, str | float | bool] | None = None
    """What each of the other system's codes means here; another code is refused."""
    upper: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> FieldRule:
        if bool(self.source) == (self.value is not None):
            raise ValueError("a field has either `from` or `value`")
        return self


class ItemRules(BaseModel):
    """The items of a record: a list inside it (JSON), or each row (CSV)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, Field(alias="from", max_length=200)] = ""
    fields: dict[str, FieldRule]


class Import(BaseModel):
    """A mapping of records that come in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    version: Annotated[int, Field(ge=1)]
    direction: Literal["import"]
    format: Literal["csv", "json"]
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    records: Annotated[str, Field(max_length=200)] = ""
    """JSON: path of the list of records; empty: the document is the list, or one record."""
    external_id: FieldRule | None = None
    """Under which id the other system knows it; without it both numbers together."""
    fields: dict[str, FieldRule]
    items: ItemRules | None = None
    attributes: dict[str, FieldRule] = Field(default_factory=dict)


class Column(BaseModel):
    """One column that goes out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(alias="from")]
    values: dict[str, str] | None = None


class Export(BaseModel):
    """A mapping of records that go out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    version: Annotated[int, Field(ge=1)]
    direction: Literal["export"]
    format: Literal["csv", "json"]
    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=100)]


def read_import(path: Path) -> Import:
    """Read a mapping of incoming records.

    Raises:
        InputError: names the file, the line and the fault.
    """
    located = read_located_file(path, Import)
    found = located.content
    _known(located, "fields", found.fields, _DECLARATION_FIELDS)
    for required in ("registration_number", "number", "kind", "company"):
        if required not in found.fields:
            raise located.fault(("fields",), f"{required} is missing")
    if found.items is not None:
        _known(located, "items.fields", found.items.fields, _ITEM_FIELDS)
        if found.format == "json" and not found.items.source:
            raise located.fault(("items",), "JSON needs `from`: the path of the list")
    return found


def read_export(path: Path) -> Export:
    """Read a mapping of outgoing records.

    Raises:
        InputError: names the file, the line and the fault.
    """
    located = read_located_file(path, Export)
    for place, column in enumerate(located.content.columns):
        if column.source not in EXPORT_FIELDS:
            known = ", ".join(sorted(EXPORT_FIELDS))
            raise located.fault(("columns", place, "from"), f"there is no {column.source}; known: {known}")
    return located.content


def mapping_files(folder: Path, direction: str) -> dict[str, Path]:
    """The mapping files of a folder by their stem: those that begin with `import_` or `export_`."""
    return {path.stem: path for path in sorted(folder.glob(f"{direction}_*.yaml"))}


def take(rule: FieldRule, record: MappingType[str, Any]) -> Any:
    """The value of a field in a record; None when the record has none.

    Raises:
        ValueError: not of the rule's type, or a code it does not know.
    """
    if rule.value is not None:
        return rule.value
    found = look_up(record, rule.source)
    if found is None or (isinstance(found, str) and not found.strip()):
        return None
    if rule.values is not None:
        text = str(found).strip()
        if text not in rule.values:
            raise ValueError(f"{rule.source}: {text[:40]!r} is none of {', '.join(rule.values)}")
        return rule.values[text]
    return _convert(rule, found)


def look_up(record: MappingType[str, Any], path: str) -> Any:
    """What stands under a dotted path; the whole path as a name is tried first (columns may have dots)."""
    if path in record:
        return record[path]
    found: Any = record
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def _convert(rule: FieldRule, found: Any) -> Any:
    if isinstance(found, (dict, list)):
        raise ValueError(f"{rule.source}: is no single value")
    text = str(found).strip()
    if rule.type == "number":
        try:
            return float(text.replace(",", "")) if not isinstance(found, bool) else float(found)
        except ValueError:
            raise ValueError(f"{rule.source}: {text[:40]!r} is no number") from None
    if rule.type == "flag":
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError(f"{rule.source}: {text[:40]!r} is neither true nor false")
        return text.lower() in ("true", "1", "yes")
    if rule.type == "date":
        try:
            moment = datetime.strptime(text, rule.format) if rule.format else datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{rule.source}: {text[:40]!r} is no date") from None
        return moment.date().isoformat()
    return text.upper() if rule.upper else text


def _known(located: Located[Import], place: str, rules: MappingType[str, Any], known: frozenset[str]) -> None:
    for name in rules:
        if name not in known:
            raise located.fault((*place.split("."), name), f"there is no such field; known: {', '.join(sorted(known))}")
