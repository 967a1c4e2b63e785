"""Records of another system, read by a mapping: each becomes a declaration, or is refused with its line and reason."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from inspection_center.declarations.model import NewDeclaration
from inspection_center.exchange.mapping import Import, look_up, take
from inspection_center.problems import Unfit
from inspection_contract.envelope import first_fault

MAXIMUM_BYTES = 20 * 2**20
_MAXIMUM_ROWS = 100_000
_DEEPEST = 40


@dataclass(frozen=True)
class Record:
    """One declaration of a file or message: where it stands, and under which id the other system knows it."""

    place: str
    external_id: str
    declaration: NewDeclaration


@dataclass(frozen=True)
class Refused:
    """One that cannot be taken: where it stands, and why."""

    place: str
    reason: str


def read_records(content: bytes, mapping: Import) -> list[Record | Refused]:
    """Read a file or a message's body.

    Args:
        content: its bytes.
        mapping: how its fields become ours.

    Raises:
        Unfit: it is not of the mapping's format at all.
    """
    if len(content) > MAXIMUM_BYTES:
        raise Unfit(f"longer than {MAXIMUM_BYTES} bytes")
    try:
        text = content.decode(mapping.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Unfit(f"byte {error.start} is not {mapping.encoding}") from error
    if "\x00" in text:
        raise Unfit("has NUL characters")
    groups = _csv_groups(text, mapping) if mapping.format == "csv" else _json_groups(text, mapping)
    found = [_read(place, rows, mapping) for place, rows in groups]
    if not found:
        raise Unfit("has no record")
    return found


def _csv_groups(text: str, mapping: Import) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows that belong to one declaration: one after the other, with the same numbers."""
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
    try:
        header = reader.fieldnames or []
        _check_header(header, mapping)
        place, rows, present = "", list[dict[str, Any]](), None
        for count, row in enumerate(reader, 1):
            if count > _MAXIMUM_ROWS:
                raise Unfit(f"more than {_MAXIMUM_ROWS} rows")
            if None in row or None in row.values():
                raise Unfit(f"line {reader.line_num}: has {_length(row)} columns, the header {len(header)}")
            identity = _identity(row, mapping)
            if identity != present and rows:
                yield place, rows
                rows = []
            if not rows:
                place = f"line {reader.line_num}"
            rows.append(row)
            present = identity
        if rows:
            yield place, rows
    except csv.Error as error:
        raise Unfit(f"line {reader.line_num}: {error}") from error


def _length(row: Mapping[Any, Any]) -> int:
    return sum(value is not None for key, value in row.items() if key is not None) + len(row.get(None) or ())


def _check_header(header: Any, mapping: Import) -> None:
    names = list(header)
    if len(set(names)) != len(names):
        raise Unfit("line 1: a column stands there twice")
    rules = [*mapping.fields.values(), *(mapping.items.fields.values() if mapping.items else ())]
    missing = [rule.source for rule in rules if rule.source and rule.source not in names]
    if missing:
        raise Unfit(f"line 1: column {missing[0]} is missing")


def _identity(row: Mapping[str, Any], mapping: Import) -> tuple[Any, ...]:
    """Both numbers as they will be kept; where they cannot be read, as they stand there."""
    found = []
    for rule in (mapping.fields["registration_number"], mapping.fields["number"]):
        try:
            found.append(take(rule, row))
        except ValueError:
            found.append(look_up(row, rule.source))
    return tuple(found)


def _json_groups(text: str, mapping: Import) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (json.JSONDecodeError, RecursionError) as error:
        line = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        raise Unfit(f"{line}no JSON: {getattr(error, 'msg', 'nested too deep')}") from error
    except ValueError as error:
        raise Unfit(f"no JSON: {error}") from error
    if mapping.records:
        document = look_up(document, mapping.records) if isinstance(document, dict) else None
    records = document if isinstance(document, list) else [document]
    if len(records) > _MAXIMUM_ROWS:
        raise Unfit(f"more than {_MAXIMUM_ROWS} records")
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise Unfit(f"record {number}: is no object")
        yield f"record {number}", [record]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _read(place: str, rows: list[dict[str, Any]], mapping: Import) -> Record | Refused:
    head = rows[0]
    try:
        values: dict[str, Any] = _fields(mapping.fields, head)
        if mapping.items is not None:
            listed = rows if mapping.format == "csv" else look_up(head, mapping.items.source) or []
            if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
                raise ValueError(f"{mapping.items.source}: is no list of objects")
            values["items"] = [_fields(mapping.items.fields, one) for one in listed]
        values["attributes"] = _fields(mapping.attributes, head)
        declaration = NewDeclaration.model_validate(values)
        external = take(mapping.external_id, head) if mapping.external_id else None
    except ValidationError as error:
        return Refused(place, first_fault(error))
    except ValueError as error:
        return Refused(place, str(error))
    identity = str(external) if external is not None else f"{declaration.registration_number}/{declaration.number}"
    if not 1 <= len(identity) <= 200 or not identity.isprintable():
        return Refused(place, "its external id is not 1 … 200 printable characters")
    return Record(place, identity, declaration)


def _fields(rules: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: take(rule, record) for name, rule in rules.items()}
    return {name: value for name, value in found.items() if value is not None}
