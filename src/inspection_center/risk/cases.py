"""Cases: what is assessed is kept with the version, the inputs and the contributions; results come back to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from inspection_center.audit.log import record
from inspection_center.clock import now, now_text, parse, text
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.problems import NotFound, Unfit
from inspection_center.risk import imports, versions
from inspection_center.risk.compliance import YEARS, History, history_of
from inspection_center.risk.model import Level, RiskModel
from inspection_center.risk.scoring import FactError, FactValue, score
from inspection_center.risk.tables import risk_case
from inspection_center.risk.warnings import Goods, GoodsWarning, warning_facts
from inspection_center.supervision.events import BusinessEvent, emit, emit_all

_GROUP_FACTS = ("ship_type", "kind", "mode")
_JSON_COLUMNS = ("facts", "goods", "contributions", "rules", "warnings")


@dataclass(frozen=True)
class CaseInput:
    """Something to be assessed; see `assess`."""

    reference: str
    facts: Mapping[str, FactValue]
    company: str = ""
    goods: tuple[Goods, ...] = ()


@dataclass(frozen=True)
class Assessment:
    """What follows for a case, and from which version."""

    case: int
    model: str
    version: int
    score: float
    level: Level
    rules: tuple[str, ...]
    warnings: tuple[str, ...]
    known: float


def assess(
    transaction: Transaction,
    actor: str,
    model: str,
    reference: str,
    facts: Mapping[str, FactValue],
    company: str = "",
    goods: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> Assessment:
    """Assess one thing by the version in force, and keep the decision.

    Args:
        transaction: of the deed.
        actor: who asks, as the audit log names it.
        model: which model.
        reference: what is assessed; may be assessed again, every case stays.
        facts: what is known; the company's history and matching warnings are added here.
        company: whose history counts.
        goods: one or several goods, for warnings; of several, the riskiest decides.

    Raises:
        NotFound: there is no such model.
        Unfit: a fact that the model does not have, or that does not fit.
    """
    several = [goods] if isinstance(goods, Mapping) else list(goods or ())
    case = CaseInput(reference, facts, company, tuple(Goods.from_mapping(one) for one in several))
    return assess_many(transaction, actor, model, [case])[0]


def assess_many(transaction: Transaction, actor: str, model: str, cases: Sequence[CaseInput]) -> list[Assessment]:
    """Assess many at once; see `assess`.

    Raises:
        NotFound: there is no such model.
        Unfit: a case does not fit; the text names it.
    """
    connection = transaction.connection
    version = versions.in_force(connection, model)
    matcher = imports.matcher(connection)
    histories = {
        company: company_history(connection, company) for company in {case.company for case in cases} if company
    }
    rows: list[dict[str, FactValue]] = []
    owners: list[int] = []
    hits: list[list[GoodsWarning]] = []
    for place, case in enumerate(cases):
        _check_reference(case)
        hits.append(matcher.match_any(case.goods))
        for variant in _variants(version, case, histories.get(case.company), hits[-1]):
            rows.append(variant)
            owners.append(place)
    try:
        scores = score(version, rows)
    except FactError as error:
        raise Unfit(f"{cases[owners[error.index]].reference}: {error}") from error
    best: dict[int, int] = {}
    for row, place in enumerate(owners):
        held = best.get(place)
        rank = (int(scores.level[row]), float(scores.score[row]))
        if held is None or rank > (int(scores.level[held]), float(scores.score[held])):
            best[place] = row
    assessed = []
    for place, case in enumerate(cases):
        row = best[place]
        found = Assessment(
            case=0,
            model=model,
            version=version.data.version,
            score=round(float(scores.score[row]), 6),
            level=scores.level_of(row),
            rules=scores.rules_of(row),
            warnings=tuple(warning.id for warning in hits[place]),
            known=round(float(scores.known[row]), 6),
        )
        grade = histories[case.company].grade if case.company else ""
        number = _store(transaction, actor, version, case, rows[row], grade, found, scores.contributions_of(row))
        assessed.append(replace(found, case=number))
    _tell(transaction, cases, assessed)
    return assessed


def record_result(
    transaction: Transaction, actor: str, reference: str, outcome: Literal["passed", "failed"], note: str = ""
) -> None:
    """Bring an inspection's result back to the newest case of a reference.

    Raises:
        NotFound: there is no case.
        Unfit: another outcome.
    """
    if outcome not in ("passed", "failed"):
        raise Unfit("a result is passed or failed")
    found = case_of(transaction.connection, reference)
    if found is None:
        raise NotFound("there is no such case")
    before = company_history(transaction.connection, found["company"]).grade if found["company"] else "new"
    transaction.connection.execute(
        update(risk_case)
        .where(risk_case.c.number == found["number"])
        .values(outcome=outcome, outcome_time=now_text(), outcome_by=actor[:80], outcome_note=note[:2000])
    )
    record(
        transaction, actor, "risk.result_recorded", reference, outcome=outcome, case=found["number"], note=note[:500]
    )
    if found["company"]:
        _tell_grade(transaction, found["company"], before, reference)


def case_of(connection: Connection, reference: str) -> dict[str, Any] | None:
    """The newest case of a reference."""
    row = connection.execute(
        select(risk_case).where(risk_case.c.reference == reference).order_by(risk_case.c.number.desc()).limit(1)
    ).first()
    return None if row is None else _readable(row_dict(row))


def case_by_number(connection: Connection, number: int) -> dict[str, Any]:
    """A case.

    Raises:
        NotFound: there is no such case.
    """
    row = connection.execute(select(risk_case).where(risk_case.c.number == number)).first()
    if row is None:
        raise NotFound("there is no such case")
    return _readable(row_dict(row))


def list_cases(connection: Connection, limit: int = 100, level: str = "", model: str = "") -> list[dict[str, Any]]:
    """The newest cases first."""
    query = select(risk_case).order_by(risk_case.c.number.desc()).limit(limit)
    if level:
        query = query.where(risk_case.c.level == level)
    if model:
        query = query.where(risk_case.c.model == model)
    return [_readable(row_dict(row)) for row in connection.execute(query)]


def past_cases(connection: Connection, model: str, limit: int, *, inspected_only: bool = False) -> list[dict[str, Any]]:
    """Cases of a model with facts and outcomes, the newest first, for what-if and learning."""
    columns = (risk_case.c.number, risk_case.c.reference, risk_case.c.facts, risk_case.c.outcome)
    query = select(*columns).where(risk_case.c.model == model).order_by(risk_case.c.number.desc()).limit(limit)
    if inspected_only:
        query = query.where(risk_case.c.outcome != "")
    rows = [row_dict(row) for row in connection.execute(query)]
    for row in rows:
        row["facts"] = json.loads(row["facts"])
    return rows


def company_history(connection: Connection, company: str) -> History:
    """Results of a company's inspections at this center."""
    present = now()
    rows = connection.execute(
        select(risk_case.c.outcome, risk_case.c.outcome_time).where(
            risk_case.c.company == company,
            risk_case.c.outcome_time > text(present - timedelta(days=366 * YEARS)),
        )
    )
    return history_of(
        [(outcome == "failed", (present - parse(time)).total_seconds() / 86400) for outcome, time in rows]
    )


def _variants(
    version: RiskModel, case: CaseInput, history: History | None, hits: Sequence[GoodsWarning]
) -> list[dict[str, FactValue]]:
    """A case's facts as the model takes them, one variant for each of its goods."""
    declared = version.data.facts
    added = {**(history.facts() if history else {}), **warning_facts(hits)}
    for name in case.facts:
        if name in declared and declared[name].given_by != "declaration":
            raise Unfit(f"{case.reference}: {name}: the center adds this itself")
    facts = {**case.facts, **{name: value for name, value in added.items() if name in declared}}
    codes = {goods.hs_code for goods in case.goods if goods.hs_code} if "hs_code" in declared else set()
    if facts.get("hs_code") is not None or not codes:
        return [facts]
    return [{**facts, "hs_code": code} for code in sorted(codes)]


def _check_reference(case: CaseInput) -> None:
    if not 1 <= len(case.reference) <= 64 or not case.reference.isprintable():
        raise Unfit("a reference must have 1 … 64 printable characters")
    if len(case.company) > 64 or "\x00" in case.company:
        raise Unfit(f"{case.reference}: a company's code must have at most 64 characters")


def _store(
    transaction: Transaction,
    actor: str,
    version: RiskModel,
    case: CaseInput,
    facts: Mapping[str, FactValue],
    grade: str,
    found: Assessment,
    contributions: list[dict[str, Any]],
) -> int:
    category = str(facts.get("hs_code") or "")[:2] or next((str(facts[f]) for f in _GROUP_FACTS if facts.get(f)), "")
    inserted = transaction.connection.execute(
        insert(risk_case).values(
            reference=case.reference,
            model=version.data.model,
            version=version.data.version,
            sha256=version.sha256,
            company=case.company,
            company_grade=grade,
            category=category[:63],
            created=now_text(),
            created_by=actor[:80],
            facts=_write({name: value for name, value in facts.items() if value is not None}),
            goods=_write([goods.__dict__ for goods in case.goods]),
            score=found.score,
            known=found.known,
            level=found.level,
            contributions=_write(contributions),
            rules=_write(found.rules),
            warnings=_write(found.warnings),
        )
    )
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def _tell(transaction: Transaction, cases: Sequence[CaseInput], assessed: Sequence[Assessment]) -> None:
    in_words = {"release": "low", "draw": "medium", "inspect": "high"}
    emit_all(
        transaction,
        [
            BusinessEvent(
                "risk.scored",
                "",
                {
                    "declaration": given.reference,
                    "company": given.company,
                    "model": found.model,
                    "version": str(found.version),
                    "score": found.score,
                    "level": in_words[found.level],
                },
            )
            for given, found in zip(cases, assessed, strict=True)
        ],
    )


def _tell_grade(transaction: Transaction, company: str, before: str, reference: str) -> None:
    after = company_history(transaction.connection, company).grade
    if after != before:
        order = ("D", "C", "new", "B", "A")
        emit(
            transaction,
            "credit.changed",
            "",
            company=company,
            from_class=before,
            to_class=after,
            raised=order.index(after) > order.index(before),
            reason=f"result of {reference}",
        )


def _write(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    for column in _JSON_COLUMNS:
        row[column] = json.loads(row[column])
    return row
