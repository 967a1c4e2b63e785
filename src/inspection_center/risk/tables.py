"""Tables of risk: versions of models, cases with everything their decision rests on, warnings."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from inspection_center.database.metadata import NumberKey, metadata

risk_model = Table(
    "risk_model",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("model", String(63), nullable=False),
    Column("version", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("state", String(16), nullable=False),  # proposed, approved, rejected
    Column("proposed", String(27), nullable=False),
    Column("proposed_by", String(80), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("decided", String(27)),
    Column("decided_by", String(80)),
    Column("report", Text, nullable=False, default=""),
    Index("risk_model_by_version", "model", "version", unique=True),
)
"""The approved version with the highest number is in force."""

risk_case = Table(
    "risk_case",
    metadata,
    Column("number", NumberKey, primary_key=True, autoincrement=True),
    Column("reference", String(64), nullable=False),
    Column("model", String(63), nullable=False),
    Column("version", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("company", String(64), nullable=False),
    Column("company_grade", String(3), nullable=False),
    Column("category", String(63), nullable=False),
    Column("created", String(27), nullable=False),
    Column("created_by", String(80), nullable=False),
    Column("facts", Text, nullable=False),
    Column("goods", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("known", Float, nullable=False),
    Column("level", String(16), nullable=False),
    Column("contributions", Text, nullable=False),
    Column("rules", Text, nullable=False),
    Column("warnings", Text, nullable=False),
    Column("outcome", String(16), nullable=False, default=""),  # passed, failed
    Column("outcome_time", String(27)),
    Column("outcome_by", String(80), nullable=False, default=""),
    Column("outcome_note", Text, nullable=False, default=""),
    Column("draw", Integer),
    Column("drawn", String(16), nullable=False, default=""),  # committed, selected, not_selected
    Column("officers_draw", Integer),
    Index("risk_case_by_reference", "reference", "number"),
    Index("risk_case_by_company", "company", "outcome_time"),
    Index("risk_case_by_draw", "drawn", "level"),
)
"""Each decision with the version, the inputs and the contributions it was made from."""

risk_warning = Table(
    "risk_warning",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("source", String(100), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("until", String(10)),
    Column("imported", String(27), nullable=False),
    Column("imported_by", String(80), nullable=False),
    Column("removed", String(27)),
)
