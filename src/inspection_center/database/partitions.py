"""The event log on PostgreSQL: one partition a day, so that what is too old goes by dropping tables.

The day is that of arrival, by the center's clock: a robot with a wrong clock makes no partitions. An event counts once
all the same, because its outbox's `last_sequence` moves in the same transaction.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import Connection, inspect, text

from inspection_center.clock import now

_AHEAD = timedelta(days=3)
_PREFIX = "event_day_"
_TABLE = """
CREATE TABLE event (
    number BIGINT NOT NULL DEFAULT nextval('event_number_seq'),
    outbox VARCHAR(36) NOT NULL,
    sequence BIGINT NOT NULL,
    robot VARCHAR(63) NOT NULL,
    id VARCHAR(36) NOT NULL,
    type VARCHAR(64) NOT NULL,
    time VARCHAR(27) NOT NULL,
    received VARCHAR(27) COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (number, received)
) PARTITION BY RANGE (received)
"""


def make_event_table(connection: Connection) -> None:
    """Make the partitioned table where there is none, and the partitions of the next days. PostgreSQL only."""
    if not inspect(connection).has_table("event"):
        connection.execute(text("CREATE SEQUENCE IF NOT EXISTS event_number_seq"))
        connection.execute(text(_TABLE))
        connection.execute(text("CREATE INDEX event_by_outbox ON event (outbox, sequence)"))
        # Days for which nobody made a partition in time, because a clock jumped.
        connection.execute(text("CREATE TABLE event_other PARTITION OF event DEFAULT"))
    prepare_days(connection)


def prepare_days(connection: Connection) -> None:
    """Make the partitions of today and the next days; nothing on SQLite, which has one table."""
    if connection.dialect.name == "postgresql":
        today = now().date()
        make_days(connection, today, today + _AHEAD)


def make_days(connection: Connection, first: date, last: date) -> None:
    """Make the partitions of some days; a day whose events lie in the partition for all others keeps them there."""
    present = set(inspect(connection).get_table_names())
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        name = _name(day)
        bounds = {"first": day.isoformat(), "after": (day + timedelta(days=1)).isoformat()}
        if name in present:
            continue
        taken = connection.execute(
            text("SELECT EXISTS (SELECT 1 FROM event_other WHERE received >= :first AND received < :after)"), bounds
        ).scalar_one()
        if not taken:
            # Bounds of a partition must be literals; these are dates this program made.
            connection.execute(
                text(
                    f"CREATE TABLE {name} PARTITION OF event FOR VALUES FROM ('{bounds['first']}') "
                    f"TO ('{bounds['after']}')"
                )
            )


def drop_days(connection: Connection, before: str) -> int:
    """Drop the partitions that lie wholly before a time (as text); returns how many. None on SQLite."""
    if connection.dialect.name != "postgresql":
        return 0
    last = _name(date.fromisoformat(before[:10]))
    overdue = [name for name in inspect(connection).get_table_names() if name.startswith(_PREFIX) and name < last]
    for name in overdue:
        connection.execute(text(f"DROP TABLE {name}"))
    return len(overdue)


def _name(day: date) -> str:
    return f"{_PREFIX}{day:%Y%m%d}"
