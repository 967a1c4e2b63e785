"""Versions of risk models in the database: proposed by one person, put in force by another."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.problems import Conflict, NotFound, Unfit
from inspection_center.risk.model import RiskModel, read_model
from inspection_center.risk.tables import risk_model
from inspection_center.supervision.events import emit
from inspection_contract.errors import InputError
from inspection_contract.resources import share

SHIPPED = ("ships", "goods", "carriers", "channels")
INSTALLATION = "installation"


def install_models(transaction: Transaction) -> None:
    """Bring the shipped models in: in force where there is none yet, else proposed.

    Raises:
        InputError: a shipped file was changed into something that is refused.
    """
    for name in SHIPPED:
        text = (share() / "config" / "risk" / f"{name}.yaml").read_text(encoding="utf-8")
        connection = transaction.connection
        digest = hashlib.sha256(text.encode()).hexdigest()
        if connection.execute(select(risk_model.c.number).where(risk_model.c.sha256 == digest)).first() is not None:
            continue
        model = compiled(text, name)
        there = connection.execute(
            select(func.max(risk_model.c.version)).where(risk_model.c.model == model.data.model)
        ).scalar()
        if there is not None and there >= model.data.version:
            continue
        state = "approved" if there is None else "proposed"
        _insert(transaction, model, INSTALLATION, "shipped with the program", "", state)
        record(transaction, INSTALLATION, "risk.model_installed", model.name, sha256=model.sha256, state=state)


def in_force(connection: Connection, name: str) -> RiskModel:
    """The version in force.

    Raises:
        NotFound: there is no such model.
    """
    text = connection.execute(
        select(risk_model.c.text)
        .where(risk_model.c.model == name, risk_model.c.state == "approved")
        .order_by(risk_model.c.version.desc())
        .limit(1)
    ).scalar()
    if text is None:
        raise NotFound("there is no such model in force")
    return compiled(text, name)


def version_of(connection: Connection, name: str, version: int) -> RiskModel:
    """Any version.

    Raises:
        NotFound: there is no such version.
    """
    return compiled(str(_row(connection, name, version)["text"]), f"{name}#{version}")


def versions(connection: Connection, name: str = "") -> list[dict[str, Any]]:
    """Every version without its text, the newest first; `in_force` marks those that decide."""
    columns = [column for column in risk_model.c if column.name not in ("text", "report")]
    query = select(*columns).order_by(risk_model.c.model, risk_model.c.version.desc())
    if name:
        query = query.where(risk_model.c.model == name)
    rows = [row_dict(row) for row in connection.execute(query)]
    decided: set[str] = set()
    for row in rows:
        row["in_force"] = row["state"] == "approved" and row["model"] not in decided
        if row["in_force"]:
            decided.add(row["model"])
    return rows


def details(connection: Connection, name: str, version: int) -> dict[str, Any]:
    """A version with its text and the report it was learnt with.

    Raises:
        NotFound: there is no such version.
    """
    row = _row(connection, name, version)
    row["report"] = json.loads(row["report"]) if row["report"] else None
    return row


def propose(transaction: Transaction, proposer: Principal | str, text: str, reason: str, report: str = "") -> RiskModel:
    """Bring a version in; somebody else approves it.

    Raises:
        Unfit: the model is refused; the text names the line.
        Conflict: this version is there already.
    """
    actor = proposer if isinstance(proposer, str) else proposer.actor
    try:
        model = compiled(text, "model")
    except InputError as error:
        raise Unfit(error.fault) from error
    if not reason.strip():
        raise Unfit("a proposal needs a reason")
    newest = transaction.connection.execute(
        select(func.max(risk_model.c.version)).where(risk_model.c.model == model.data.model)
    ).scalar()
    if newest is not None and model.data.version <= newest:
        raise Conflict(f"version {newest} is there already; a new one needs a higher number")
    _insert(transaction, model, actor, reason, report, "proposed")
    record(transaction, actor, "risk.model_proposed", model.name, sha256=model.sha256, reason=reason)
    return model


def decide(transaction: Transaction, officer: Principal, name: str, version: int, approve: bool, reason: str) -> None:
    """Put a proposed version in force, or refuse it.

    Raises:
        NotFound: there is no such version.
        Conflict: it was decided already, a newer one is in force, or the officer proposed it.
        Unfit: a refusal without a reason.
    """
    row = _row(transaction.connection, name, version)
    if row["state"] != "proposed":
        raise Conflict(f"this version is {row['state']}")
    if row["proposed_by"] == officer.actor:
        raise Conflict("who proposed a version does not decide about it")
    if not approve and not reason.strip():
        raise Unfit("a refusal needs a reason")
    if approve and in_force(transaction.connection, name).data.version > version:
        raise Conflict("a newer version is in force")
    transaction.connection.execute(
        update(risk_model)
        .where(risk_model.c.number == row["number"])
        .values(state="approved" if approve else "rejected", decided=now_text(), decided_by=officer.actor)
    )
    deed = "risk.model_approved" if approve else "risk.model_rejected"
    record(transaction, officer.actor, deed, f"{name}#{version}", reason=reason, sha256=row["sha256"])
    if approve:
        proposer = str(row["proposed_by"]).removeprefix("officer:")
        emit(transaction, "risk.rules_published", officer, model=name, version=str(version), proposed_by=proposer)


@lru_cache(maxsize=64)
def compiled(text: str, name: str) -> RiskModel:
    """A model, read once for each text."""
    return read_model(text, name)


def _row(connection: Connection, name: str, version: int) -> dict[str, Any]:
    row = connection.execute(
        select(risk_model).where(risk_model.c.model == name, risk_model.c.version == version)
    ).first()
    if row is None:
        raise NotFound("there is no such version")
    return row_dict(row)


def _insert(transaction: Transaction, model: RiskModel, actor: str, reason: str, report: str, state: str) -> None:
    present = now_text()
    decided = {"decided": present, "decided_by": actor} if state == "approved" else {}
    try:
        with transaction.connection.begin_nested():
            transaction.connection.execute(
                insert(risk_model).values(
                    model=model.data.model,
                    version=model.data.version,
                    sha256=model.sha256,
                    text=model.text,
                    state=state,
                    proposed=present,
                    proposed_by=actor,
                    reason=reason,
                    report=report,
                    **decided,
                )
            )
    except IntegrityError as error:
        raise Conflict("this version is there already") from error
