"""The events of the inspection day: what each type carries, and appending them in the deed's own transaction."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import RootModel
from sqlalchemy import select

from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text, text
from inspection_center.database.bulk import insert_rows
from inspection_center.database.writer import Transaction
from inspection_center.located_yaml import read_located_file
from inspection_center.supervision import tables
from inspection_contract.resources import share

FOLDER = "supervision"
COMMON_FIELDS: dict[str, str] = {"actor": "text", "unit": "text"}
"""Fields of every event, beside those of its type."""
_COLUMNS = ("type", "time", "recorded", "actor", "unit", "data")
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class BusinessEvent:
    """Something that happened.

    Attributes:
        type: one of `config/supervision/events.yaml`.
        actor: account name of who did it; empty when nobody in particular did.
        fields: values of the type's fields; what is left out is unknown.
        unit: the actor's unit; empty: the one it is registered in.
        time: when it happened; None: now. What a wrong clock dates after now counts as now.
    """

    type: str
    actor: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    time: datetime | None = None


@cache
def event_types() -> dict[str, dict[str, str]]:
    """Fields of each event type: name to `text`, `number` or `flag`."""
    return read_event_types(share() / "config" / FOLDER / "events.yaml")


class _Catalogue(RootModel[dict[str, dict[str, Literal["text", "number", "flag"]]]]):
    pass


def read_event_types(path: Path) -> dict[str, dict[str, str]]:
    """Read a catalogue of event types.

    Raises:
        InputError: it cannot be read; the line is named.
    """
    types = read_located_file(path, _Catalogue).content.root
    return {name: dict(fields) for name, fields in types.items()}


def emit(
    transaction: Transaction,
    event_type: str,
    actor: str | Principal = "",
    /,
    *,
    unit: str = "",
    time: datetime | None = None,
    **fields: Any,
) -> None:
    """Append one event in the transaction of the deed itself.

    Args:
        transaction: of the deed.
        event_type: one of `config/supervision/events.yaml`.
        actor: who did it, an account's name or a principal; empty: nobody in particular.
        unit: the actor's unit; empty: looked up.
        time: when it happened, if not now (a robot that was offline).
        **fields: the type's fields.

    Raises:
        ValueError: the catalogue has no such type or field, or a value does not fit: a fault of the program.
    """
    emit_all(transaction, [BusinessEvent(event_type, actor_name(actor), fields, unit, time)])


def emit_all(transaction: Transaction, events: Sequence[BusinessEvent]) -> None:
    """Append many events, in order; see `emit`."""
    if not events:
        return
    unknown = {event.actor for event in events if event.actor and not event.unit}
    units = _units(transaction, unknown)
    recorded = now_text()
    insert_rows(
        transaction.connection,
        tables.enforcement_event,
        _COLUMNS,
        [
            (
                event.type,
                recorded if event.time is None else min(text(event.time), recorded),
                recorded,
                event.actor[:80],
                (event.unit or units.get(event.actor, ""))[:64],
                json.dumps(_checked(event), ensure_ascii=False),
            )
            for event in events
        ],
    )


def actor_name(actor: str | Principal) -> str:
    """How events name an actor: officers by their account, programs and robots with their kind before the name."""
    if isinstance(actor, str):
        return actor
    return actor.name if actor.kind == "officer" else actor.actor


def set_unit(transaction: Transaction, account: str, unit: str) -> None:
    """Register the unit (team, shift) that an officer belongs to from now on."""
    table = tables.officer_unit
    transaction.connection.execute(table.delete().where(table.c.account == account))
    if unit:
        transaction.connection.execute(table.insert().values(account=account, unit=unit[:64]))


def _units(transaction: Transaction, accounts: set[str]) -> dict[str, str]:
    table = tables.officer_unit
    if not accounts:
        return {}
    rows = transaction.connection.execute(
        select(table.c.account, table.c.unit).where(table.c.account.in_(sorted(accounts)))
    )
    return {str(row[0]): str(row[1]) for row in rows}


def _checked(event: BusinessEvent) -> dict[str, Any]:
    known = event_types().get(event.type)
    if known is None:
        raise ValueError(f"there is no event type {event.type}")
    values: dict[str, Any] = {}
    for name, value in event.fields.items():
        kind = known.get(name)
        if kind is None:
            raise ValueError(f"{event.type} has no field {name}")
        if value is None:
            continue
        if kind == "flag":
            fits = isinstance(value, bool)
        elif kind == "number":
            fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        else:
            fits = isinstance(value, str)
        if not fits:
            raise ValueError(f"{event.type}.{name} is {kind}, not {value!r}")
        values[name] = value[:_LONGEST_TEXT] if isinstance(value, str) else value
    return values
