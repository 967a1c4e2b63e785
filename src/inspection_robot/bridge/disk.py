"""The disk bound of the outbox and its evidence. Evidence is thinned by a stated order; findings never are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspection_robot.bridge.outbox import Outbox
from inspection_robot.evidence import EvidenceStore, StoredEvidence

_YOUNG_S = 600.0
_TARGET = 0.9
_RANK = {"personal": 1, "routine": 2, "incident": 3}


@dataclass(frozen=True)
class DiskPolicy:
    """How much disk the bridge may use.

    Attributes:
        limit_bytes: of outbox and evidence together [byte].
        sent_for_s: evidence the center has is kept on the robot this long [s].
    """

    limit_bytes: int
    sent_for_s: float = 86_400.0


def choose_victims(
    stored: Sequence[StoredEvidence], states: Mapping[str, tuple[str, str]], excess_bytes: int, now: float
) -> list[StoredEvidence]:
    """Which evidence to remove to free `excess_bytes`, in this order, the oldest of each first.

    1. what the center has, or refused; 2. what no finding refers to and is older than ten minutes; 3. unsent personal,
    4. unsent routine, 5. unsent incident evidence. What is younger than ten minutes and not referred to is being
    written about right now and stays.

    Args:
        stored: what is in the store.
        states: by hash, state (`waiting`, `sent`, …) and retention class of what findings refer to.
        excess_bytes: what must go; nothing when not above 0.
        now: POSIX seconds.
    """
    ranked: list[tuple[int, float, StoredEvidence]] = []
    for item in stored:
        state, retention = states.get(item.sha256, ("orphan", ""))
        if state == "waiting":
            ranked.append((2 + _RANK.get(retention, 2), item.stored, item))
        elif state == "orphan":
            if now - item.stored > _YOUNG_S:
                ranked.append((1, item.stored, item))
        else:
            ranked.append((0, item.stored, item))
    ranked.sort(key=lambda entry: entry[:2])
    victims: list[StoredEvidence] = []
    freed = 0
    for _, _, item in ranked:
        if freed >= excess_bytes:
            break
        victims.append(item)
        freed += item.size_bytes
    return victims


def enforce(outbox: Outbox, store: EvidenceStore, policy: DiskPolicy, *, full: bool = False) -> int:
    """Remove evidence the policy no longer allows and return how many files went.

    Args:
        outbox: knows what was sent.
        store: the evidence.
        policy: the bound.
        full: the disk is full whatever the bound says: free a tenth of what the evidence takes.
    """
    now = time.time()
    stored = list(store.iterate())
    states = outbox.evidence_states()
    used = sum(item.size_bytes for item in stored)
    total = used + outbox.disk_bytes()
    excess = total - int(policy.limit_bytes * _TARGET) if total > policy.limit_bytes else 0
    if full:
        excess = max(excess, used // 10, 1)
    victims = choose_victims(stored, states, excess, now)
    chosen = {item.sha256 for item in victims}
    victims += [
        item
        for item in stored
        if item.sha256 not in chosen
        and states.get(item.sha256, ("", ""))[0] in ("sent", "refused")
        and now - item.stored > policy.sent_for_s
    ]
    for item in victims:
        store.remove(item.sha256)
        if states.get(item.sha256, ("", ""))[0] == "waiting":
            outbox.settle_evidence(item.sha256, "missing")
    outbox.forget_evidence(
        [item.sha256 for item in victims if states.get(item.sha256, ("waiting", ""))[0] != "waiting"]
    )
    return len(victims)
