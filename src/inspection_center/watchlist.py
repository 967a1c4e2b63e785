"""The watch-list: kept here sealed per person, given to each robot as digests and sealed names under its own key."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any, get_args

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now, now_text
from inspection_center.commands.issuing import issue
from inspection_center.database import schema
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.personal import ERASED, SEALED, Vault
from inspection_center.problems import Conflict, NotFound, Unfit
from inspection_center.supervision.events import emit
from inspection_contract.commands import WatchlistEntry, WatchlistUpdate
from inspection_contract.sealing import identifier_digest, seal_name
from inspection_contract.signatures import SigningKey

KINDS: tuple[str, ...] = get_args(WatchlistEntry.model_fields["kind"].annotation)
LIST_LIFE = timedelta(days=7)
_COLUMNS = ("id", "kind", "identifier", "birth_date", "advice", "expires")
_MAXIMUM_ROWS = 100_000
_FAULTS_TOLD = 20
_CHUNK = 500


def list_entries(connection: Connection, vault: Vault) -> list[dict[str, Any]]:
    """Entries in force, by id, opened."""
    table = schema.watchlist_entry
    rows = connection.execute(
        select(table)
        .where(table.c.removed_version.is_(None), or_(table.c.expires.is_(None), table.c.expires > now_text()))
        .order_by(table.c.id)
    )
    return _opened(connection, vault, [row_dict(row) for row in rows])


def version(connection: Connection) -> int:
    """The present version; 0 before the first entry."""
    value = connection.execute(
        select(schema.setting.c.value).where(schema.setting.c.name == "watchlist_version")
    ).scalar()
    return int(value) if value is not None else 0


def add_entries(transaction: Transaction, vault: Vault, officer: Principal, rows: list[dict[str, str]]) -> int:
    """Add entries and return the new version.

    Raises:
        Unfit: rows are not usable; the text names each with its line.
        Conflict: ids are taken, or an id is that of a person who was erased.
    """
    if not rows:
        raise Unfit("there is no entry")
    number = _next_version(transaction)
    values = [
        {**row, "added_by": officer.name, "added_version": number} for row in _checked(transaction.connection, rows)
    ]
    values = _sealed(transaction.connection, vault, values)
    try:
        with transaction.connection.begin_nested():
            transaction.connection.execute(insert(schema.watchlist_entry), values)
    except IntegrityError as error:
        raise Conflict("an id is there already, or twice in this list") from error
    record(transaction, officer.actor, "watchlist.added", str(number), entries=[row["id"] for row in values[:1000]])
    emit(transaction, "watchlist.added", officer, entries=len(values), version=number)
    return number


def forget_entry(transaction: Transaction, identity: str) -> None:
    """Take an entry whose person was erased off the list, if it is on it."""
    table = schema.watchlist_entry
    transaction.connection.execute(
        update(table).where(table.c.id == identity).values(identifier=ERASED, birth_date="", advice="")
    )
    transaction.connection.execute(
        update(table)
        .where(table.c.id == identity, table.c.removed_version.is_(None))
        .values(removed_version=_next_version(transaction))
    )


def seal_clear_entries(transaction: Transaction, vault: Vault) -> None:
    """Seal the entries that the first version kept in the clear."""
    table = schema.watchlist_entry
    rows = transaction.connection.execute(
        select(table).where(table.c.identifier.not_like(f"{SEALED}%"), table.c.identifier != ERASED)
    )
    for entry in _sealed(transaction.connection, vault, [row_dict(row) for row in rows]):
        transaction.connection.execute(
            update(table)
            .where(table.c.id == entry["id"])
            .values(identifier=entry["identifier"], birth_date=entry["birth_date"])
        )


def remove_entry(transaction: Transaction, officer: Principal, identity: str) -> int:
    """Take an entry off the list and return the new version.

    Raises:
        NotFound: it is not on the list.
    """
    number = _next_version(transaction)
    table = schema.watchlist_entry
    changed = transaction.connection.execute(
        update(table).where(table.c.id == identity, table.c.removed_version.is_(None)).values(removed_version=number)
    )
    if changed.rowcount == 0:
        raise NotFound("there is no such entry")
    record(transaction, officer.actor, "watchlist.removed", identity, version=number)
    emit(transaction, "watchlist.removed", officer, entry=identity, version=number)
    return number


def read_csv(content: str) -> list[dict[str, str]]:
    """Rows of an import, each with the `line` it ends in; a header with id, kind, identifier and, as wanted, the rest.

    Raises:
        Unfit: no such header, or too many rows.
    """
    reader = csv.DictReader(io.StringIO(content.removeprefix("\ufeff")))
    names = reader.fieldnames or []
    missing = {"id", "kind", "identifier"} - set(names)
    unknown = set(names) - set(_COLUMNS)
    if missing or unknown:
        raise Unfit(f"columns must be among {', '.join(_COLUMNS)}, with id, kind and identifier")
    rows: list[dict[str, str]] = []
    for row in reader:
        if len(rows) >= _MAXIMUM_ROWS:
            raise Unfit(f"more than {_MAXIMUM_ROWS} entries")
        rows.append({"line": str(reader.line_num), **{name: (row.get(name) or "").strip() for name in _COLUMNS}})
    return rows


def publish(transaction: Transaction, vault: Vault, key: SigningKey, officer: Principal) -> list[str]:
    """Send every robot what it lacks: the changes since the version it was last sent, or all; returns the robots."""
    connection = transaction.connection
    present = version(connection)
    robots = connection.execute(
        select(schema.robot.c.name, schema.robot.c.watchlist_key).where(~schema.robot.c.revoked)
    )
    names = []
    for name, secret in robots.all():
        held = _held(connection, name)
        update_for_robot = _update(connection, vault, secret, held, present)
        issue(transaction, key, name, update_for_robot, officer.name, LIST_LIFE)
        names.append(str(name))
    record(transaction, officer.actor, "watchlist.published", str(present), robots=names)
    emit(transaction, "watchlist.published", officer, version=present, robots=len(names))
    return names


def _update(connection: Connection, vault: Vault, secret: bytes, held: int | None, present: int) -> WatchlistUpdate:
    table = schema.watchlist_entry
    in_force = or_(table.c.expires.is_(None), table.c.expires > now_text())
    query = select(table).where(table.c.removed_version.is_(None), in_force)
    removed: tuple[str, ...] = ()
    if held is not None:
        query = query.where(table.c.added_version > held)
        gone = connection.execute(
            select(table.c.id).where(or_(table.c.removed_version > held, table.c.expires <= now_text()))
        )
        removed = tuple(str(row[0]) for row in gone)
    rows = _opened(connection, vault, [row_dict(row) for row in connection.execute(query)])
    entries = tuple(_for_robot(row, secret) for row in rows)
    return WatchlistUpdate(
        version=str(present),
        base_version="" if held is None else str(held),
        list_expires=now() + LIST_LIFE,
        entries=entries,
        removed=removed,
    )


def _for_robot(row: dict[str, Any], secret: bytes) -> WatchlistEntry:
    named = row["kind"] == "name"
    birth = row["birth_date"]
    return WatchlistEntry.model_validate(
        {
            "id": row["id"],
            "kind": row["kind"],
            "digest": "" if named else identifier_digest(secret, row["kind"], row["identifier"]),
            "sealed_name": seal_name(secret, row["id"], row["identifier"]) if named else "",
            "birth_date_digest": identifier_digest(secret, "birth_date", birth) if birth else "",
            "advice_key": row["advice"],
            "expires": row["expires"],
        }
    )


def _held(connection: Connection, robot: str) -> int | None:
    """The version a robot said it applied last; None when it must get the whole list."""
    command = schema.command
    row = connection.execute(
        select(command.c.data)
        .where(command.c.robot == robot, command.c.type == WatchlistUpdate.TYPE, command.c.state == "applied")
        .order_by(command.c.number.desc())
        .limit(1)
    ).first()
    pending = connection.execute(
        select(command.c.number).where(
            command.c.robot == robot, command.c.type == WatchlistUpdate.TYPE, command.c.state == "issued"
        )
    ).first()
    if row is None or pending is not None:
        return None
    return int(WatchlistUpdate.model_validate_json(row[0]).version)


def _checked(connection: Connection, rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Rows as they are stored; every fault of the list is told at once.

    Raises:
        Unfit: rows are not usable, or an id is there twice.
        Conflict: ids are on the list already.
    """
    values: list[dict[str, Any]] = []
    faults: list[str] = []
    lines: dict[str, str] = {}
    for place, row in enumerate(rows, 1):
        line = row.get("line", str(place))
        try:
            value = _check(row)
        except Unfit as error:
            faults.append(f"line {line}: {error}")
            continue
        if value["id"] in lines:
            faults.append(f"line {line}: the id {value['id']} is in line {lines[value['id']]} too")
        lines.setdefault(value["id"], line)
        values.append(value)
    if faults:
        raise Unfit(_several(faults))
    table = schema.watchlist_entry
    ids = list(lines)
    for start in range(0, len(ids), _CHUNK):
        found = connection.execute(select(table.c.id).where(table.c.id.in_(ids[start : start + _CHUNK])))
        faults += [f"line {lines[row[0]]}: the id {row[0]} is on the list already" for row in found]
    if faults:
        raise Conflict(_several(faults))
    return values


def _several(faults: list[str]) -> str:
    told = "; ".join(faults[:_FAULTS_TOLD])
    return told if len(faults) <= _FAULTS_TOLD else f"{told}; {len(faults) - _FAULTS_TOLD} further faults"


def _check(row: dict[str, str]) -> dict[str, Any]:
    identity, kind, identifier = row.get("id", ""), row.get("kind", ""), row.get("identifier", "")
    if not (1 <= len(identity) <= 64 and identity.isascii() and identity.isprintable()):
        raise Unfit("id must have 1 … 64 printable ASCII characters")
    if kind not in KINDS:
        raise Unfit(f"kind must be one of {', '.join(KINDS)}")
    if not any(character.isalnum() for character in identifier) or len(identifier) > 500:
        raise Unfit("identifier must have 1 … 500 characters")
    birth, expires = row.get("birth_date", ""), row.get("expires", "")
    try:
        if birth:
            birth = date.fromisoformat(birth).isoformat()
        moment = date.fromisoformat(expires).isoformat() if expires else None
    except ValueError as error:
        raise Unfit("a date is not YYYY-MM-DD") from error
    if "\x00" in identifier or "\x00" in row.get("advice", "") or len(row.get("advice", "")) > 200:
        raise Unfit("advice must have at most 200 characters")
    return {
        "id": identity,
        "kind": kind,
        "identifier": identifier,
        "birth_date": birth,
        "advice": row.get("advice", ""),
        "expires": None if moment is None else f"{moment}T23:59:59.999999Z",
    }


def _sealed(connection: Connection, vault: Vault, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    personal = _personal(entries)
    sealed = vault.seal(connection, personal)
    if ERASED in sealed:
        raise Conflict("an id is that of a person who was erased")
    return _with(entries, [seal if text else "" for (_, text), seal in zip(personal, sealed, strict=True)])


def _opened(connection: Connection, vault: Vault, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return _with(entries, vault.open(connection, _personal(entries)))


def _personal(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What of each entry is personal, with its subject: identifier and date of birth by turns."""
    return [(f"watchlist:{entry['id']}", entry[part]) for entry in entries for part in ("identifier", "birth_date")]


def _with(entries: list[dict[str, Any]], texts: list[str]) -> list[dict[str, Any]]:
    return [
        {**entry, "identifier": identifier, "birth_date": birth}
        for entry, identifier, birth in zip(entries, texts[::2], texts[1::2], strict=True)
    ]


def _next_version(transaction: Transaction) -> int:
    number = version(transaction.connection) + 1
    setting = schema.setting
    changed = transaction.connection.execute(
        update(setting).where(setting.c.name == "watchlist_version").values(value=str(number))
    )
    if changed.rowcount == 0:
        transaction.connection.execute(insert(setting).values(name="watchlist_version", value=str(number)))
    return number
