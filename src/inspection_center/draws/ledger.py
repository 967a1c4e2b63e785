"""Draws in the database: prepared, committed, drawn or aborted; numbered, so that every repetition shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now, now_text, parse, text
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_center.draws import consequences, gathering
from inspection_center.draws.beacons import Beacon, BeaconRecord, next_round, read_beacons
from inspection_center.draws.plan import Plan
from inspection_center.draws.planning import Choice
from inspection_center.draws.rules import DrawKind, DrawRule, read_rule
from inspection_center.draws.selection import NoCompletion
from inspection_center.draws.statement import Commitment, Heading, commit, public_proof, reveal
from inspection_center.draws.tables import draw
from inspection_center.problems import Conflict, NotFound, Unfit
from inspection_center.supervision.events import emit
from inspection_contract.resources import share

_SHORTEST_WAIT = timedelta(seconds=30)
_HIDDEN = ("commitment", "proof", "notes")


@dataclass(frozen=True)
class DrawRequest:
    """What a supervisor asks for.

    Attributes:
        kind: of draw.
        purpose: in words, published.
        beacon: its name in beacons.yaml; empty for a two-party draw.
        wait: how far ahead the beacon's round lies at least.
        party_commitment: SHA-256 of the second party's secret.
        replaces: number in the series of a draw that this one repeats, with the reason.
        choices, places: for berths, teams, zones and channels.
    """

    kind: DrawKind
    purpose: str
    beacon: str = ""
    wait: timedelta = timedelta(minutes=2)
    party_commitment: str = ""
    replaces: int = 0
    reason: str = ""
    choices: tuple[Choice, ...] = ()
    places: tuple[str, ...] = ()
    series: str = field(default="")


def folder() -> Path:
    """Where the rules lie."""
    return share() / "config" / "draws"


@cache
def beacons() -> dict[str, Beacon]:
    """The beacons this installation knows."""
    return read_beacons(folder() / "beacons.yaml")


@cache
def rule_of(kind: DrawKind) -> DrawRule:
    """The rule of a kind, read once."""
    return read_rule(folder(), kind)


def prepare(connection: Connection, request: DrawRequest) -> Plan:
    """The plan that a commitment would bind, for a look before it.

    Raises:
        Unfit: nothing to draw from, or rules that cannot be met.
    """
    return gathering.gather(connection, rule_of(request.kind), request.choices, request.places)


def commit_draw(transaction: Transaction, supervisor: Principal, request: DrawRequest) -> int:
    """Commit to a draw: from now on nothing of it can be changed. Returns its number.

    Raises:
        Unfit: the request or its lists do not fit.
        NotFound: the draw to be repeated is not there.
        Conflict: that draw is still open.
    """
    connection = transaction.connection
    if not request.purpose.strip() or len(request.purpose) > 200:
        raise Unfit("a draw needs a purpose of at most 200 characters")
    series = request.series or f"{request.kind}/{now_text()[:10]}"
    if not series.startswith(f"{request.kind}/"):
        raise Unfit(f"the series of a draw of {request.kind} begins with {request.kind}/")
    if request.replaces:
        _free_replaced(connection, series, request)
    plan = prepare(connection, request)
    rule = rule_of(request.kind)
    moment = now()
    beacon = None
    if request.beacon:
        if request.beacon not in beacons():
            raise Unfit(f"there is no beacon {request.beacon[:40]!r}")
        if request.wait < _SHORTEST_WAIT:
            raise Unfit(f"the beacon's round must lie at least {_SHORTEST_WAIT.seconds} s ahead")
        beacon = next_round(beacons()[request.beacon], moment + request.wait)
    number = (connection.execute(select(func.max(draw.c.in_series)).where(draw.c.series == series)).scalar() or 0) + 1
    heading = Heading(
        series,
        number,
        request.kind,
        request.purpose.strip(),
        request.kind,
        rule.data.version,
        rule.sha256,
        text(moment),
        request.replaces,
        request.reason.strip(),
        gathering.follows(connection) if request.kind == "officers" else "",
    )
    commitment = commit(heading, plan, beacon, request.party_commitment)
    inserted = connection.execute(
        insert(draw).values(
            series=series,
            in_series=number,
            kind=request.kind,
            state="committed",
            purpose=heading.purpose,
            statement_sha256=commitment.sha256,
            commitment=commitment.to_json(),
            notes=json.dumps(plan.notes, ensure_ascii=False),
            publishes=" ".join(name for name in ("items", "places") if getattr(rule.data, f"publish_{name}")),
            committed=heading.committed,
            committed_by=supervisor.actor[:80],
            due=heading.committed if beacon is None else text(beacon.time),
            replaces=request.replaces,
            reason=heading.replaces_reason[:500],
        )
    )
    assert inserted.inserted_primary_key is not None
    identity = int(inserted.inserted_primary_key[0])
    if request.kind == "objects":
        consequences.bind_cases(connection, identity, plan)
    name = f"{series}#{number}"
    record(
        transaction,
        supervisor.actor,
        "draw.committed",
        name,
        statement=commitment.sha256,
        items=len(plan.items),
        places=len(plan.places),
        replaces=request.replaces,
        reason=request.reason,
    )
    emit(transaction, "draw.committed", supervisor, draw=name, kind=request.kind, items=float(len(plan.items)))
    return identity


def reveal_draw(
    transaction: Transaction, supervisor: Principal, number: int, beacon: BeaconRecord | None, party_secret: str = ""
) -> str:
    """Draw; returns "done", or "failed" where the rules left no way (the draw stays, visibly).

    Raises:
        NotFound: there is no such draw.
        Conflict: it is not open, or the record or secret is not the committed one.
        Unfit: a secret that is none.
    """
    row = _open(transaction.connection, number)
    commitment = Commitment.from_json(row["commitment"])
    name = f"{row['series']}#{row['in_series']}"
    try:
        proof = reveal(commitment, beacon, party_secret)
    except NoCompletion as error:
        _finish(transaction, supervisor, row, "failed", str(error))
        record(transaction, supervisor.actor, "draw.failed", name, reason=str(error))
        return "failed"
    _finish(transaction, supervisor, row, "done", row["reason"], json.dumps(proof, ensure_ascii=False))
    drawn = sum(len(chosen) for chosen in proof["result"])
    record(
        transaction,
        supervisor.actor,
        "draw.made",
        name,
        statement=row["statement_sha256"],
        seed=proof["seed"],
        drawn=drawn,
    )
    emit(
        transaction,
        "draw.made",
        supervisor,
        draw=name,
        kind=row["kind"],
        number=float(row["in_series"]),
        reroll=row["replaces"] > 0,
        reroll_of=f"{row['series']}#{row['replaces']}" if row["replaces"] else "",
        reason=row["reason"],
        items=float(len(proof["items"])),
        selected=float(drawn),
        seconds_since_commitment=(now() - parse(row["committed"])).total_seconds(),
    )
    emit(transaction, "draw.published", supervisor, draw=name)
    consequences.apply(transaction, row, proof)
    return "done"


def abort_draw(transaction: Transaction, supervisor: Principal, number: int, reason: str) -> None:
    """End a draw without a result; it stays in the list with its reason.

    Raises:
        NotFound: there is no such draw.
        Conflict: it is not open.
        Unfit: no reason.
    """
    if not reason.strip():
        raise Unfit("ending a draw needs a reason")
    row = _open(transaction.connection, number)
    _finish(transaction, supervisor, row, "aborted", reason.strip()[:500])
    late = _beacon_spoke(row, now_text())
    name = f"{row['series']}#{row['in_series']}"
    record(transaction, supervisor.actor, "draw.aborted", name, reason=reason, after_the_beacon=late)


def list_draws(
    connection: Connection, limit: int = 100, kind: str = "", before: int | None = None
) -> list[dict[str, Any]]:
    """The newest draws first; no secrets."""
    query = select(*[column for column in draw.c if column.name not in _HIDDEN]).order_by(draw.c.number.desc())
    if kind:
        query = query.where(draw.c.kind == kind)
    if before is not None:
        query = query.where(draw.c.number < before)
    return [_described(row_dict(row)) for row in connection.execute(query.limit(limit))]


def details(connection: Connection, number: int, *, public: bool = False) -> dict[str, Any]:
    """A draw with its statement and, once it was made, its proof; `public`: names only where the rule publishes them.

    Raises:
        NotFound: there is no such draw.
    """
    row = _described(_row(connection, number))
    commitment = Commitment.from_json(row.pop("commitment"))
    row["statement"] = commitment.statement
    proof = json.loads(row.pop("proof")) if row["state"] == "done" else None
    row["notes"] = [] if public else json.loads(row["notes"])
    if proof is not None and public:
        proof = public_proof(proof, "items" in row["publishes"], "places" in row["publishes"])
    row["proof"] = proof
    return row


def _described(row: dict[str, Any]) -> dict[str, Any]:
    row["name"] = f"{row['series']}#{row['in_series']}"
    row["aborted_late"] = row["state"] == "aborted" and _beacon_spoke(row, row["finished"])
    return row


def _beacon_spoke(row: dict[str, Any], moment: str) -> bool:
    """Whether a draw's beacon had spoken by a moment; one without a beacon is due from its commitment on."""
    return bool(row["due"] != row["committed"] and moment >= row["due"])


def _row(connection: Connection, number: int) -> dict[str, Any]:
    row = connection.execute(select(draw).where(draw.c.number == number)).first()
    if row is None:
        raise NotFound("there is no such draw")
    return row_dict(row)


def _open(connection: Connection, number: int) -> dict[str, Any]:
    row = _row(connection, number)
    if row["state"] != "committed":
        raise Conflict(f"this draw is {row['state']}")
    return row


def _finish(
    transaction: Transaction, supervisor: Principal, row: dict[str, Any], state: str, reason: str, proof: str = ""
) -> None:
    transaction.connection.execute(
        update(draw)
        .where(draw.c.number == row["number"])
        .values(state=state, finished=now_text(), finished_by=supervisor.actor[:80], reason=reason, proof=proof)
    )
    if state != "done" and row["kind"] == "objects":
        consequences.free_cases(transaction.connection, row["number"])


def _free_replaced(connection: Connection, series: str, request: DrawRequest) -> None:
    if not request.reason.strip():
        raise Unfit("repeating a draw needs a reason")
    found = connection.execute(
        select(draw.c.number, draw.c.state, draw.c.kind).where(
            draw.c.series == series, draw.c.in_series == request.replaces
        )
    ).first()
    if found is None:
        raise NotFound(f"there is no {series}#{request.replaces}")
    if found.state == "committed":
        raise Conflict("the draw to be repeated is still open")
    if found.kind == "objects":
        consequences.free_cases(connection, found.number)
    elif found.kind == "officers":
        consequences.free_officers(connection, found.number)
