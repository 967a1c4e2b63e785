"""PostgreSQL keeps the event log in one partition a day; dates of birth have room to be sealed."""

from __future__ import annotations

from datetime import date

from alembic import op
from sqlalchemy import Connection, String, Text, text

from inspection_center.database.partitions import make_days, make_event_table

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("watchlist_entry") as table:
        table.alter_column("birth_date", type_=Text(), existing_type=String(10), existing_nullable=False)
    if op.get_bind().dialect.name == "postgresql":
        _part_events(op.get_bind())


def _part_events(connection: Connection) -> None:
    """Move the events into partitions; they keep their numbers."""
    connection.execute(text("ALTER TABLE event RENAME TO event_before"))
    connection.execute(text("ALTER INDEX event_by_outbox RENAME TO event_before_by_outbox"))
    connection.execute(text("ALTER TABLE event_before RENAME CONSTRAINT event_pkey TO event_before_pkey"))
    connection.execute(text("ALTER SEQUENCE event_number_seq OWNED BY NONE"))
    make_event_table(connection)
    days = connection.execute(text("SELECT DISTINCT substr(received, 1, 10) FROM event_before")).scalars().all()
    for day in days:
        make_days(connection, date.fromisoformat(day), date.fromisoformat(day))
    columns = "number, outbox, sequence, robot, id, type, time, received, data"
    connection.execute(text(f"INSERT INTO event ({columns}) SELECT {columns} FROM event_before"))
    connection.execute(text("DROP TABLE event_before"))
