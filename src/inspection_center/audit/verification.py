"""Checks a whole audit log: every leaf against its entry, every root against its signed checkpoint. Pure reading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from inspection_center.audit import merkle
from inspection_center.audit.log import ERASED, ERASURE, checkpoint_bytes, details_digest, leaf_bytes
from inspection_center.database import schema
from inspection_contract.signatures import SignatureError, VerifyKey


@dataclass(frozen=True)
class Checkpoint:
    """A signed state of the log, also as somebody kept it elsewhere."""

    size: int
    root: str
    time: str
    signature: str


@dataclass
class Verdict:
    """What was found; intact when there are no faults."""

    entries: int = 0
    erased: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass
class _Frontier:
    """Roots of the complete subtrees of the leaves seen so far, largest first: enough to give any next root."""

    hashes: list[tuple[int, bytes]] = field(default_factory=list)
    size: int = 0

    def add(self, leaf: bytes) -> None:
        level, current = 0, leaf
        while self.hashes and self.hashes[-1][0] == level:
            _, left = self.hashes.pop()
            level, current = level + 1, merkle.node_hash(left, current)
        self.hashes.append((level, current))
        self.size += 1

    def root(self) -> bytes:
        current = self.hashes[-1][1]
        for _, left in reversed(self.hashes[:-1]):
            current = merkle.node_hash(left, current)
        return current


def verify(connection: Connection, key: VerifyKey, kept: tuple[Checkpoint, ...] = ()) -> Verdict:
    """Check the log in a database.

    Args:
        connection: to read with.
        key: the center's public key.
        kept: checkpoints that somebody kept outside; they must be states of this log.
    """
    verdict = Verdict()
    signed = {point.size: point for point in _checkpoints(connection)}
    wanted: dict[int, list[Checkpoint]] = {}
    for point in (*signed.values(), *kept):
        wanted.setdefault(point.size, []).append(point)
        try:
            key.verify(checkpoint_bytes(point.size, point.root, point.time), point.signature)
        except SignatureError:
            verdict.faults.append(f"checkpoint {point.size}: the signature does not hold")
    verdict.checkpoints = len(signed)
    frontier = _Frontier()
    declared = 0
    for leaf, expected, found, erased, declares in _leaves(connection):
        declared += declares
        if leaf != frontier.size:
            verdict.faults.append(f"entry {frontier.size} is missing")
            break
        if not erased and expected != found:
            verdict.faults.append(f"entry {leaf} was changed")
        verdict.erased += erased
        frontier.add(bytes.fromhex(found))
        for point in wanted.pop(frontier.size, ()):
            if point.root != frontier.root().hex():
                verdict.faults.append(f"checkpoint {point.size}: the log had other entries when it was signed")
    verdict.entries = frontier.size
    verdict.faults += [
        f"checkpoint {size}: the log ends before it, at {frontier.size}" for size in sorted(wanted) if size
    ]
    if verdict.erased > declared:
        verdict.faults.append(f"{verdict.erased} entries were erased, the log tells of {declared}")
    verdict.unsigned = frontier.size - max((size for size in signed if size <= frontier.size), default=0)
    return verdict


def _leaves(connection: Connection) -> Iterator[tuple[int, str, str, bool, int]]:
    """Number, hash as it should be, hash as it stands, whether it was erased, how many erasures it tells of."""
    table = schema.audit
    rows = connection.execution_options(yield_per=5000).execute(select(table).order_by(table.c.leaf))
    for row in rows:
        data = leaf_bytes(row.time, row.action, details_digest(row.salt, row.actor, row.object, row.details))
        erased = row.details == ERASED
        declares = int(json.loads(row.details)["entries"]) if row.action == ERASURE and not erased else 0
        yield row.leaf, merkle.leaf_hash(data).hex(), row.leaf_hash, erased, declares


def _checkpoints(connection: Connection) -> list[Checkpoint]:
    table = schema.audit_checkpoint
    rows = connection.execute(
        select(table.c.size, table.c.root, table.c.time, table.c.signature).order_by(table.c.size)
    )
    return [Checkpoint(*row) for row in rows]
