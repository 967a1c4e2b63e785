"""Commitment and proof of a draw.

Before the draw the center publishes a *statement*: which draw it is, the digests of the salted lists with their
weights, the version of the rule, the digest of a secret of its own, and the round of a public beacon that lies in the
future (or the digest of a second party's secret). Afterwards the *proof* opens all of it. Neither the center, which
is bound to its lists and secret before the beacon speaks, nor the beacon, which does not know the secret, can choose
the result.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from inspection_center.draws.beacons import BeaconRecord, BeaconRound
from inspection_center.draws.plan import Plan, entry, place_entry
from inspection_center.draws.selection import select
from inspection_center.problems import Conflict, Unfit
from inspection_contract.canonical import canonical_bytes

STATEMENT_FORMAT = "inspection.draw.1"
PROOF_FORMAT = "inspection.draw.proof.1"


@dataclass(frozen=True)
class Heading:
    """Which draw it is."""

    series: str
    number: int
    kind: str
    purpose: str
    rule: str
    rule_version: int
    rule_sha256: str
    committed: str
    replaces: int = 0
    replaces_reason: str = ""
    follows: str = ""


@dataclass(frozen=True)
class Commitment:
    """A prepared draw: the statement to publish, and what stays secret until the draw."""

    statement: dict[str, Any]
    items: list[dict[str, Any]]
    places: list[dict[str, Any]]
    labels: dict[str, Any]
    secret: str

    @property
    def sha256(self) -> str:
        """Digest of the statement: what is published."""
        return digest_of(self.statement)

    def to_json(self) -> str:
        """As the database keeps it."""
        return json.dumps(self.__dict__, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Commitment:
        """What `to_json` wrote."""
        return Commitment(**json.loads(text))


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON (RFC 8785), hexadecimal."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def salted(label: dict[str, Any], salt: str) -> str:
    """The leaf that hides a label."""
    return hashlib.sha256(bytes.fromhex(salt) + canonical_bytes(label)).hexdigest()


def commit(heading: Heading, plan: Plan, beacon: BeaconRound | None, party_commitment: str = "") -> Commitment:
    """Bind a plan.

    Args:
        heading: which draw it is.
        plan: what is drawn from; it was checked.
        beacon: the future round; None for a two-party draw.
        party_commitment: SHA-256 of the second party's secret; empty where a beacon is used alone.

    Raises:
        Unfit: neither a beacon nor a second party, or a commitment that is no SHA-256.
    """
    if beacon is None and not party_commitment:
        raise Unfit("a draw needs a beacon round or a second party's commitment")
    if party_commitment and not _is_digest(party_commitment):
        raise Unfit("the second party's commitment must be 64 hexadecimal digits")
    item_salts = [secrets.token_hex(16) for _ in plan.items]
    place_salts = [secrets.token_hex(16) for _ in plan.places]
    items = [entry(item, salted(item.label, salt)) for item, salt in zip(plan.items, item_salts, strict=True)]
    places = [place_entry(place, salted(place.label, s)) for place, s in zip(plan.places, place_salts, strict=True)]
    secret = secrets.token_hex(32)
    statement = {
        "format": STATEMENT_FORMAT,
        "series": heading.series,
        "number": heading.number,
        "kind": heading.kind,
        "purpose": heading.purpose,
        "replaces": {"number": heading.replaces, "reason": heading.replaces_reason},
        "follows": heading.follows,
        "rule": {"id": heading.rule, "version": heading.rule_version, "sha256": heading.rule_sha256},
        "items": {"count": len(items), "sha256": digest_of(items)},
        "places": {"count": len(places), "sha256": digest_of(places)},
        "load_factor": plan.load_factor,
        "secret_sha256": hashlib.sha256(bytes.fromhex(secret)).hexdigest(),
        "party_sha256": party_commitment,
        "beacon": None if beacon is None else beacon.as_dict(),
        "strength": "two_party" if beacon is None else "beacon",
        "committed": heading.committed,
    }
    labels = {
        "items": [{"label": item.label, "salt": salt} for item, salt in zip(plan.items, item_salts, strict=True)],
        "places": [{"label": place.label, "salt": salt} for place, salt in zip(plan.places, place_salts, strict=True)],
    }
    return Commitment(statement, items, places, labels, secret)


def reveal(commitment: Commitment, record: BeaconRecord | None, party_secret: str = "") -> dict[str, Any]:
    """Draw, and write the proof (all labels opened; see `public_proof`).

    Raises:
        Conflict: the beacon's record is of another round, or the second party's secret is not the committed one.
        NoCompletion: the rules left no way; the draw failed, visibly.
    """
    statement = commitment.statement
    if statement["beacon"] is not None:
        if record is None:
            raise Conflict("the beacon's record is needed")
        record.check_against(statement["beacon"])
    elif record is not None:
        raise Conflict("this draw was committed without a beacon")
    if statement["party_sha256"]:
        if not _is_digest(party_secret):
            raise Unfit("the second party's secret must be 64 hexadecimal digits")
        if hashlib.sha256(bytes.fromhex(party_secret)).hexdigest() != statement["party_sha256"]:
            raise Conflict("the second party's secret is not the one it committed to")
    elif party_secret:
        raise Conflict("this draw was committed without a second party")
    seed = seed_of(commitment.sha256, commitment.secret, record.randomness if record else "", party_secret)
    selection = select(bytes.fromhex(seed), commitment.items, commitment.places, statement["load_factor"])
    return {
        "format": PROOF_FORMAT,
        "statement": statement,
        "statement_sha256": commitment.sha256,
        "items": commitment.items,
        "places": commitment.places,
        "labels": commitment.labels,
        "secret": commitment.secret,
        "party_secret": party_secret,
        "beacon": None if record is None else record.as_dict(),
        "seed": seed,
        "attempt": selection.attempt,
        "result": [list(chosen) for chosen in selection.chosen],
    }


def seed_of(statement_sha256: str, secret: str, beacon: str, party_secret: str) -> str:
    """The seed: nobody knows it before the beacon (or the second party) has spoken."""
    return digest_of({"statement": statement_sha256, "secret": secret, "beacon": beacon, "party": party_secret})


def public_proof(proof: dict[str, Any], publish_items: bool, publish_places: bool) -> dict[str, Any]:
    """A proof for everybody: labels that are not published stay behind their salted digests."""
    labels = proof["labels"]
    return {
        **proof,
        "labels": {
            "items": labels["items"] if publish_items else [None] * len(labels["items"]),
            "places": labels["places"] if publish_places else [None] * len(labels["places"]),
        },
    }


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(character in "0123456789abcdef" for character in text)
