"""Where ships are: the newest of each that was heard, on the port map when the map's place on earth is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from inspection_center.clock import now_text
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.exchange.ais import ShipReport, to_plan
from inspection_center.exchange.tables import ship
from inspection_center.settings import MapOrigin

# Class A at anchor reports each three minutes (ITU-R M.1371-5, table 1): twice that is silence.
SHOWN_FOR = timedelta(minutes=7)
_KEPT_FOR = timedelta(days=1)
_MOST = 5000


def store(transaction: Transaction, source: str, reports: Iterable[ShipReport]) -> int:
    """Keep what was heard; returns of how many ships. What a message does not say stays as it was."""
    present = now_text()
    merged: dict[int, dict[str, Any]] = {}
    for report in reports:
        told = {name: value for name, value in asdict(report).items() if value is not None}
        merged.setdefault(report.mmsi, {}).update(told)
    for mmsi, values in merged.items():
        values |= {"received": present, "source": source}
        changed = transaction.connection.execute(update(ship).where(ship.c.mmsi == mmsi).values(**values))
        if changed.rowcount == 0:
            transaction.connection.execute(insert(ship).values(**{"name": "", "call_sign": "", **values}))
    return len(merged)


def forget(transaction: Transaction) -> int:
    """Remove the ships not heard for a day."""
    return int(transaction.connection.execute(delete(ship).where(ship.c.received < now_text(-_KEPT_FOR))).rowcount)


def list_ships(connection: Connection, origin: MapOrigin | None) -> list[dict[str, Any]]:
    """The ships heard lately, by name; `x`, `y` [m] on the port map when its origin is known."""
    rows = connection.execute(
        select(ship)
        .where(ship.c.received > now_text(-SHOWN_FOR), ship.c.latitude_deg.is_not(None))
        .order_by(ship.c.name, ship.c.mmsi)
        .limit(_MOST)
    )
    found = []
    for row in rows:
        one = row_dict(row)
        x = y = None
        if origin is not None:
            place = (origin.latitude_deg, origin.longitude_deg)
            x, y = to_plan(one["latitude_deg"], one["longitude_deg"], place, origin.turn_deg)
        found.append({**one, "x": x, "y": y})
    return found


def placed_ships(connection: Connection, origin: MapOrigin | None) -> list[dict[str, Any]]:
    """What the port map draws: ships heard lately with name and place [m]; none while the origin is not known."""
    if origin is None:
        return []
    return [
        {"mmsi": one["mmsi"], "name": one["name"] or str(one["mmsi"]), "x": one["x"], "y": one["y"]}
        for one in list_ships(connection, origin)
    ]
