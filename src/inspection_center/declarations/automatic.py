"""What the center does about declarations by itself: scores them, follows the draws, chooses spot checks."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import timedelta

from sqlalchemy import and_, exists, or_, select, update

from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.declarations import handling, receipts
from inspection_center.declarations.following import follow_orders
from inspection_center.declarations.handling import CENTER_ACTOR
from inspection_center.declarations.model import Item, NewDeclaration
from inspection_center.declarations.ordering import give
from inspection_center.declarations.queries import deeds
from inspection_center.declarations.states import Deed, State
from inspection_center.declarations.tables import declaration
from inspection_center.draws.outcomes import draw_of
from inspection_center.exchange.outbox import announce_revocation
from inspection_center.problems import Conflict, NotFound
from inspection_center.risk.cases import assess
from inspection_center.risk.tables import risk_case
from inspection_center.supervision.events import emit
from inspection_contract.signatures import SigningKey

_LOG = logging.getLogger(__name__)
MODELS = {"ship": "ships", "goods": "goods", "carrier": "carriers", "traveller": "channels"}
CENTER = Principal("service", "declarations", "supervisor")
ORDER_LIFE = timedelta(hours=4)
_CHUNK = 500


def accept(transaction: Transaction, key: SigningKey, actor: str, source: str, new: NewDeclaration) -> str:
    """Take a declaration in: kept, scored, and sent on by its level of risk; returns its id.

    Raises:
        Conflict: the company has declared under this number before.
        Unfit: the risk model does not know one of its attributes.
    """
    identity = handling.receive(transaction, key, actor, source, new)
    emit(
        transaction,
        "declaration.received",
        "",
        declaration=identity,
        company=new.registration_number,
        kind=new.kind,
        channel=source,
        source=source,
    )
    assessed = assess(
        transaction,
        CENTER_ACTOR,
        MODELS[new.kind],
        identity,
        facts_of(new),
        company=new.registration_number,
        goods=[goods_of(item) for item in new.items],
    )
    risk = {
        "case": assessed.case,
        "model": assessed.model,
        "version": assessed.version,
        "level": assessed.level,
        "rules": list(assessed.rules),
        "warnings": list(assessed.warnings),
        "known": assessed.known,
    }
    handling.change(
        transaction,
        CENTER_ACTOR,
        identity,
        Deed.SCORE,
        details={"model": assessed.model, "model_version": assessed.version, "score": assessed.score},
        columns={"score": assessed.score, "risk": json.dumps(risk, ensure_ascii=False)},
    )
    if assessed.level == "release":
        handling.change(transaction, CENTER_ACTOR, identity, Deed.REVIEW)
    return identity


def facts_of(new: NewDeclaration) -> dict[str, bool | float | str]:
    """What the risk model is told: the attributes, and of goods what their items add up to."""
    facts = dict(new.attributes)
    if new.kind == "goods":
        if all(item.weight_kg > 0 for item in new.items):
            facts.setdefault("mass_kg", sum(item.weight_kg for item in new.items))
        if all(item.currency == "USD" and item.value > 0 for item in new.items):
            facts.setdefault("value_usd", sum(item.value for item in new.items))
    return facts


def goods_of(item: Item) -> dict[str, str]:
    """An item as warnings about goods are matched against it."""
    lot = {"lot": item.code} if item.code_kind == "lot" else {}
    told = {"hs_code": item.commodity_code, "origin": item.origin, "name": item.description, **lot}
    return {name: value for name, value in told.items() if value}


def work(transaction: Transaction, key: SigningKey, spot_check_rate: float) -> None:
    """Bring every declaration up to date with orders, draws and spot checks."""
    follow_orders(transaction)
    follow_draws(transaction, key)
    choose_spot_checks(transaction, spot_check_rate)


def follow_draws(transaction: Transaction, key: SigningKey) -> None:
    """What was drawn is selected and ordered; what was not drawn goes to the review of its documents."""
    table = declaration
    scored, selected = table.c.state == State.SCORED.value, table.c.state == State.SELECTED.value
    waiting = transaction.connection.execute(
        select(table.c.id, table.c.state, table.c.number)
        .where(
            or_(scored, and_(selected, table.c.due > now_text())),
            exists().where(risk_case.c.reference == table.c.id, risk_case.c.drawn.in_(("selected", "not_selected"))),
        )
        .order_by(table.c.received)
        .limit(_CHUNK)
    ).all()
    for identity, state, number in waiting:
        drawn = draw_of(transaction.connection, identity)
        if drawn is None:
            continue
        if state == State.SCORED and drawn.state == "not_selected":
            handling.change(transaction, CENTER_ACTOR, identity, Deed.REVIEW, details={"draw": drawn.draw})
        elif drawn.state == "selected":
            if state == State.SCORED:
                told = {"draw": drawn.draw}
                handling.change(transaction, CENTER_ACTOR, identity, Deed.SELECT, details=told, columns=told)
            if drawn.officers and not _ordered_before(transaction, identity):
                _order(transaction, key, identity, number, drawn.officers, drawn.officers_draw)


def _order(
    transaction: Transaction, key: SigningKey, identity: str, number: str, officers: tuple[str, ...], draw: str
) -> None:
    savepoint = transaction.connection.begin_nested()
    try:
        give(
            transaction,
            key,
            CENTER,
            identity,
            inspectors=officers,
            robot=None,
            due=ORDER_LIFE,
            place_name=number,
            reason=draw,
        )
    except (Conflict, NotFound) as problem:
        # It stays selected, is overdue at once and therefore shown; a supervisor sends somebody else.
        savepoint.rollback()
        transaction.connection.execute(update(declaration).where(declaration.c.id == identity).values(due=now_text()))
        _LOG.warning("declaration %s cannot be ordered as drawn: %s", identity, problem)
        return
    savepoint.commit()


def _ordered_before(transaction: Transaction, identity: str) -> bool:
    return any(row["deed"] == Deed.ORDER for row in deeds(transaction.connection, identity))


def chosen_for_spot_check(root: str, identity: str, rate: float) -> bool:
    """Whether a release on documents is checked against the goods.

    Decided by the first signed root of the audit log after the release: nobody knows it when the release is given, and
    everybody can repeat the choice afterwards: the first 8 bytes of SHA-256(root ‖ id), as a fraction of 2⁶⁴.
    """
    digest = hashlib.sha256(f"{root}{identity}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < rate * 2**64


def choose_spot_checks(transaction: Transaction, rate: float) -> int:
    """Choose among the releases on documents since the last look; returns how many were chosen."""
    table, checkpoint = declaration, schema.audit_checkpoint
    first = (
        select(checkpoint.c.root)
        .where(checkpoint.c.time > table.c.changed)
        .order_by(checkpoint.c.size)
        .limit(1)
        .scalar_subquery()
    )
    rows = transaction.connection.execute(
        select(table.c.id, table.c.registration_number, first)
        .where(table.c.state == State.RELEASED.value, table.c.on_documents, table.c.spot_check == "")
        .limit(_CHUNK)
    ).all()
    chosen = 0
    for identity, company, root in rows:
        if root is None:
            continue
        if not chosen_for_spot_check(root, identity, rate):
            transaction.connection.execute(update(table).where(table.c.id == identity).values(spot_check="not_chosen"))
            continue
        handling.change(
            transaction,
            CENTER_ACTOR,
            identity,
            Deed.SPOT_CHECK,
            details={"root": root, "rate": rate},
            columns={"on_documents": False, "spot_check": "chosen"},
        )
        announce_revocation(transaction, identity, receipts.revoke(transaction, identity))
        emit(transaction, "release.revoked", "", declaration=identity, company=company, reason="spot check")
        chosen += 1
    return chosen
