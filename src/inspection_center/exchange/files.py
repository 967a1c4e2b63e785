"""Mapping files by name, and files that go out by them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, select

from inspection_center.database.engine import row_dict
from inspection_center.declarations.tables import declaration, receipt
from inspection_center.exchange.mapping import Export, Import, mapping_files, read_export, read_import
from inspection_center.problems import NotFound, Unfit
from inspection_center.settings import Settings
from inspection_contract.errors import InputError
from inspection_contract.resources import share

T = TypeVar("T")
_MOST_ROWS = 100_000
# What a spreadsheet takes for a formula when a cell begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def mappings(settings: Settings, direction: str) -> dict[str, Path]:
    """All mapping files of a direction by name: ours, and those beside the partners file."""
    found = mapping_files(share() / "config" / "exchange", direction)
    if settings.exchange:
        found |= mapping_files(Path(settings.exchange).parent, direction)
    return found


def load_import(settings: Settings, name: str) -> Import:
    """A mapping of incoming records by its name.

    Raises:
        NotFound: there is none of this name.
        Unfit: its file is faulty.
    """
    return _load(settings, "import", name, read_import)


def load_export(settings: Settings, name: str) -> Export:
    """A mapping of outgoing records by its name.

    Raises:
        NotFound: there is none of this name.
        Unfit: its file is faulty.
    """
    return _load(settings, "export", name, read_export)


def _load(settings: Settings, direction: str, name: str, read: Callable[[Path], T]) -> T:
    path = mappings(settings, direction).get(name)
    if path is None:
        raise NotFound(f"there is no mapping {name}")
    try:
        return read(path)
    except InputError as error:
        raise Unfit(f"mapping {name}: {error.fault}") from error


def export(connection: Connection, rules: Export, since: str) -> str:
    """Declarations that changed since a time, oldest change first, as CSV or JSON, each with its valid receipt."""
    joined = declaration.outerjoin(
        receipt, and_(receipt.c.declaration == declaration.c.id, receipt.c.revoked.is_(None))
    )
    query = (
        select(
            *(column for column in declaration.c if column.name not in ("content", "lookup", "risk")),
            receipt.c.id.label("receipt"),
            receipt.c.issued,
            receipt.c.signature,
            receipt.c.content,
        )
        .select_from(joined)
        .where(declaration.c.changed >= since)
        .order_by(declaration.c.changed, declaration.c.id)
        .limit(_MOST_ROWS)
    )
    records = []
    for row in connection.execute(query):
        values = row_dict(row)
        values["released_on"] = json.loads(values["content"])["released_on"] if values["content"] else None
        records.append({column.name: _value(column.values, values[column.source]) for column in rules.columns})
    if rules.format == "json":
        return json.dumps(records, ensure_ascii=False)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, [column.name for column in rules.columns])
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)
    return out.getvalue()


def _value(values: dict[str, str] | None, found: Any) -> Any:
    return values.get(str(found), found) if values is not None and found is not None else found


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
