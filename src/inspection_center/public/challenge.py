"""Challenges before a question of the public is answered: work for a browser, or a small sum where it runs no script.

Nothing is kept of a challenge until it is answered: its token carries what the center must know, under a keyed digest,
and an answered one is remembered until it would have expired. No third party, no cookie, nothing to look at.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from inspection_center.database.writer import Transaction
from inspection_center.public.tables import used_challenge

WORK_BITS = 16
"""Leading zero bits that SHA-256(id:answer) must have: 65,536 hashes on average, less than a second."""
LIFE_S = 900
_LONGEST_TOKEN, _LONGEST_ANSWER = 500, 20
Kind = Literal["work", "sum"]


class ChallengeError(Exception):
    """A challenge that is not solved, too old, or was used before."""


@dataclass(frozen=True)
class Challenge:
    """What a visitor is given; `terms` are those of a sum."""

    kind: Kind
    token: str
    identity: str
    terms: tuple[int, ...] = ()


@dataclass(frozen=True)
class Solved:
    """A challenge that was answered rightly."""

    kind: Kind
    identity: str
    expires_s: int


def make(secret: bytes, kind: Kind, now_s: float) -> Challenge:
    """A new challenge."""
    identity = secrets.token_hex(16)
    terms = (secrets.randbelow(40) + 10, secrets.randbelow(40) + 10) if kind == "sum" else ()
    content: dict[str, Any] = {"id": identity, "kind": kind, "expires": int(now_s) + LIFE_S}
    if kind == "sum":
        content["answer"] = _digest(secret, f"answer:{identity}:{sum(terms)}")
    body = base64.urlsafe_b64encode(json.dumps(content, sort_keys=True).encode()).decode()
    return Challenge(kind, f"{body}.{_digest(secret, body)}", identity, terms)


def check(secret: bytes, token: str, answer: str, now_s: float) -> Solved:
    """Check an answer.

    Raises:
        ChallengeError: not our token, too old, or not solved.
    """
    body, _, mark = token[:_LONGEST_TOKEN].partition(".")
    answer = answer.strip()[:_LONGEST_ANSWER]
    if not body.isascii() or not mark.isascii() or not hmac.compare_digest(_digest(secret, body), mark):
        raise ChallengeError("not a challenge of this center")
    try:
        content = json.loads(base64.urlsafe_b64decode(body))
    except (binascii.Error, ValueError) as error:
        raise ChallengeError("not a challenge of this center") from error
    if content["expires"] < now_s:
        raise ChallengeError("too old")
    identity, kind = content["id"], content["kind"]
    if kind == "work":
        solved = leading_zero_bits(hashlib.sha256(f"{identity}:{answer}".encode()).digest()) >= WORK_BITS
    else:
        solved = hmac.compare_digest(_digest(secret, f"answer:{identity}:{answer}"), content["answer"])
    if not solved:
        raise ChallengeError("not solved")
    return Solved(kind, identity, content["expires"])


def use(transaction: Transaction, solved: Solved) -> None:
    """Use a challenge up.

    Raises:
        ChallengeError: it was used before.
    """
    connection = transaction.connection
    try:
        with connection.begin_nested():
            connection.execute(insert(used_challenge).values(id=f"{solved.expires_s:012d}:{solved.identity}"))
    except IntegrityError as error:
        raise ChallengeError("used before") from error


def solve_work(identity: str) -> str:
    """The smallest number that solves a challenge of work: what the page's script does."""
    number = 0
    while leading_zero_bits(hashlib.sha256(f"{identity}:{number}".encode()).digest()) < WORK_BITS:
        number += 1
    return str(number)


def leading_zero_bits(digest: bytes) -> int:
    """How many bits at the beginning are zero."""
    return 8 * len(digest) - int.from_bytes(digest, "big").bit_length()


def forget(transaction: Transaction, now_s: float) -> int:
    """Remove the used challenges that have expired anyway; returns how many."""
    table = used_challenge
    gone = delete(table).where(table.c.id < f"{int(now_s):012d}")
    return int(transaction.connection.execute(gone).rowcount)


def _digest(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
