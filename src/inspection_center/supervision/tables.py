"""Tables of supervision: the events it reads, how far it has read, cases with their history, daily counts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from inspection_center.database.metadata import NumberKey, metadata

enforcement_event = Table(
    "enforcement_event",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("type", String(64), nullable=False),
    Column("time", String(27), nullable=False),
    Column("recorded", String(27), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("data", Text, nullable=False),
)
"""What happened, append-only, in the order of the commits; `time`: when it happened, `recorded`: when it was stored."""

outside_source = Table(
    "supervision_source",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("last", BigInteger, nullable=False),
)
"""Other systems that tell events (laboratory, licence office): the number of the last one taken in."""

officer_unit = Table(
    "supervision_unit",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("unit", String(64), nullable=False),
)
"""Which unit (team, shift) an officer belongs to."""

rule_state = Table(
    "supervision_rule_state",
    metadata,
    Column("rule", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("state", LargeBinary, nullable=False),
)
"""What each risk point remembers, as of the saved position; `digest` is of the rule that made it."""

position = Table(
    "supervision_position",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("watermark_us", BigInteger, nullable=False),
    Column("saved_number", BigInteger, nullable=False),
    Column("saved_watermark_us", BigInteger, nullable=False),
    Column("held", Text, nullable=False),
    Column("late", BigInteger, nullable=False),
    Column("updated", String(27), nullable=False),
)
"""One row: the last event read and up to which time events were judged; the same when the memory was last saved, with
the numbers of the events that still waited for their time then."""

judged_round = Table(
    "supervision_round",
    metadata,
    Column("id", NumberKey, primary_key=True, autoincrement=True),
    Column("number", BigInteger, nullable=False),
    Column("watermark_us", BigInteger, nullable=False),
)
"""Rounds since the memory was saved: judging their events again, round by round, gives the memory of the position."""

case = Table(
    "supervision_case",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("rule", String(64), nullable=False),
    Column("rule_digest", String(64), nullable=False),
    Column("matter", String(500), nullable=False),  # the values of the rule's key: what it is about
    Column("tier", Integer, nullable=False),
    Column("level", String(64), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # open, proposed, closed, withdrawn
    Column("opened", String(27), nullable=False),
    Column("due", String(27), nullable=False),
    Column("answer_due", String(27), nullable=False),
    Column("escalates", String(27)),
    Column("overdue", Boolean, nullable=False),
    Column("assignee", String(64)),
    Column("proposed_by", String(64)),
    Column("outcome", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("closed", String(27)),
    Column("version", Integer, nullable=False),
    Index("supervision_case_by_state", "state", "opened"),
    Index("supervision_case_by_matter", "rule", "matter", "state"),
)

occurrence = Table(
    "supervision_occurrence",
    metadata,
    Column("rule", String(64), primary_key=True),
    Column("trigger", String(100), primary_key=True),
    Column("case", String(32), nullable=False),
    Column("time", String(27), nullable=False),
    Column("events", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Index("supervision_occurrence_by_case", "case"),
)
"""Each time a risk point was met, once: by the event (or the group and the hour) that met it."""

concerned = Table(
    "supervision_concerned",
    metadata,
    Column("case", String(32), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("answered", String(27)),
    Index("supervision_concerned_by_account", "account"),
)

deed = Table(
    "supervision_deed",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("case", String(32), nullable=False),
    Column("time", String(27), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("action", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("open_to_concerned", Boolean, nullable=False),
    Index("supervision_deed_by_case", "case", "number"),
)
"""What was done about a case, append-only."""

daily_count = Table(
    "supervision_count",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("unit", String(64), primary_key=True),
    Column("officer", String(80), primary_key=True),
    Column("measure", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""How often what happened, by day (UTC), unit and officer."""
