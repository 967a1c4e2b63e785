"""Made-up beacon records, cases and draws for the tests."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from inspection_center.draws.beacons import BeaconRecord, next_round, read_record
from inspection_center.draws.ledger import beacons, rule_of
from inspection_center.draws.plan import Item, Place, Plan
from inspection_center.draws.statement import Commitment, Heading, commit

SECRET = "5a" * 32
PARTY = hashlib.sha256(bytes.fromhex(SECRET)).hexdigest()


def drand_record(round_number: int) -> str:
    """A record of the right form; its signature is made up."""
    signature = hashlib.sha512(str(round_number).encode()).hexdigest()[:96]
    randomness = hashlib.sha256(bytes.fromhex(signature)).hexdigest()
    return json.dumps({"round": round_number, "randomness": randomness, "signature": signature})


def commitment_of(plan: Plan, *, beacon: bool = True, **changes: Any) -> tuple[Commitment, BeaconRecord | None]:
    """A commitment, and the record of the round it names."""
    heading = {
        "series": "objects/2026-11-20",
        "number": 1,
        "kind": "objects",
        "purpose": "a test",
        "rule": "objects",
        "rule_version": 1,
        "rule_sha256": rule_of("objects").sha256,
        "committed": "2026-11-20T08:00:00.000000Z",
    }
    moment = datetime(2026, 11, 20, 8, 0, tzinfo=UTC) + timedelta(minutes=2)
    ahead = next_round(beacons()["drand_quicknet"], moment) if beacon else None
    made = commit(Heading(**{**heading, **changes}), plan, ahead, "" if beacon else PARTY)
    return made, None if ahead is None else read_record(drand_record(ahead.round))


def plan_of(weights: list[int], count: int = 1, **place: Any) -> Plan:
    """A plan with one place."""
    items = tuple(Item({"id": f"i{n}"}, weight) for n, weight in enumerate(weights))
    return Plan(items, (Place({"id": "p"}, count, **place),))
