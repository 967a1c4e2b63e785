"""The outbox: what the robot has found and the center has not yet confirmed, in SQLite, durable at every commit.

An event is *accepted* when `Outbox.accept` returns: it has its number in the outbox's sequence and a commit with
`synchronous=FULL` behind it. The sequence has no gap. The same id is accepted once, however often it is offered (ROS
delivers findings again after a restart). What the center acknowledged stays for a while, so that a center restored from
a backup can ask for it again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from inspection_contract.envelope import source_name, write_event
from inspection_contract.errors import InputError
from inspection_contract.events import Detection, Event, Fault, OrderProgress
from inspection_contract.fields import EvidenceReference

KEPT_ACKNOWLEDGED = 20_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    accepted REAL NOT NULL,
    bytes BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS evidence (
    sha256 TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    reference TEXT NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS evidence_waiting ON evidence (state, severity DESC, sequence);
CREATE TABLE IF NOT EXISTS refused (sequence INTEGER PRIMARY KEY, reason TEXT NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS command (id TEXT PRIMARY KEY, applied REAL NOT NULL) WITHOUT ROWID;
"""


class OutboxError(Exception):
    """The outbox cannot take or give anything now (full or failing disk); nothing of the call was stored.

    Every method but the constructor may raise it.
    """


@dataclass(frozen=True)
class OutgoingEvent:
    """An event to be accepted: its body and the id under which it counts once."""

    id: UUID
    body: Event


@dataclass(frozen=True)
class StoredOutgoing:
    """An accepted event as it will be sent."""

    sequence: int
    accepted: float
    bytes: bytes


@dataclass(frozen=True)
class WaitingEvidence:
    """Evidence of accepted events that the center does not have yet."""

    reference: EvidenceReference
    sequence: int


@dataclass(frozen=True)
class OutboxState:
    """How much waits, and since when (POSIX seconds; None when nothing waits)."""

    events: int
    evidence: int
    last_sequence: int
    acknowledged: int
    oldest_accepted: float | None


class Outbox:
    """The outbox of one robot. Thread-safe.

    Args:
        path: the database file, made when missing.
        robot: the robot's name, part of every event's source.

    Raises:
        InputError: the file cannot be opened, is no outbox, or is another robot's.
    """

    def __init__(self, path: Path, robot: str) -> None:
        self._lock = threading.Lock()
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute("PRAGMA auto_vacuum=INCREMENTAL")
            self._database.executescript(_SCHEMA)
            self.id = UUID(self._meta("outbox") or self._set_meta("outbox", str(uuid4())))
            owner = self._meta("robot") or self._set_meta("robot", robot)
        except (sqlite3.Error, OSError) as error:
            raise InputError(path, f"cannot be the outbox: {error}") from error
        if owner != robot:
            raise InputError(path, f"is the outbox of {owner}, not of {robot}")
        self._source = source_name(robot, self.id)
        self._acknowledged = int(self._meta("acknowledged") or 0)
        row = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
        self._last = int(row[0]) if row else 0

    def accept(self, events: Sequence[OutgoingEvent], now: datetime | None = None) -> int:
        """Store events in one commit and return how many were new.

        Args:
            events: in the order in which they shall be sent.
            now: wall clock; frozen into the envelopes.

        Raises:
            OutboxError: the disk is full or failing; nothing was stored.
        """
        moment = now or datetime.now(UTC)
        with self._exclusive():
            sequence = self._last
            self._database.execute("BEGIN IMMEDIATE")
            for event in events:
                sequence += self._insert(event, sequence + 1, moment)
            self._database.execute("COMMIT")
            new, self._last = sequence - self._last, sequence
        return new

    def waiting_events(self, limit: int, limit_bytes: int) -> list[StoredOutgoing]:
        """The oldest unacknowledged events, at most so many and so long together, but at least one."""
        with self._exclusive():
            rows = self._database.execute(
                "SELECT sequence, accepted, bytes FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (self._acknowledged, limit),
            ).fetchall()
        chosen: list[StoredOutgoing] = []
        length = 0
        for row in rows:
            length += len(row[2]) + 1
            if chosen and length > limit_bytes:
                break
            chosen.append(StoredOutgoing(*row))
        return chosen

    def first_held(self) -> int:
        """Lowest sequence still here; the next one to be given out when nothing is."""
        with self._exclusive():
            row = self._database.execute("SELECT min(sequence) FROM event").fetchone()
            return int(row[0]) if row[0] is not None else self._last + 1

    def acknowledge(self, sequence: int) -> None:
        """Note that the center holds everything up to a sequence; also backwards, when it wants something again."""
        with self._exclusive():
            sequence = min(sequence, self._last)
            self._transaction(
                [
                    ("INSERT OR REPLACE INTO meta VALUES ('acknowledged', ?)", (str(sequence),)),
                    ("DELETE FROM event WHERE sequence <= ?", (sequence - KEPT_ACKNOWLEDGED,)),
                ]
            )
            self._acknowledged = sequence

    def set_aside(self, sequence: int, reason: str) -> None:
        """Keep an event the center cannot take apart; a fault event takes its number in the sequence."""
        moment = datetime.now(UTC)
        fault = Fault(
            stamp=moment,
            code="bridge.event_refused",
            severity=2,
            source="bridge: outbox",
            text=f"event {sequence}: {reason}"[:1000],
            active=True,
        )
        content = write_event(fault, id=uuid4(), source=self._source, sequence=sequence, time=moment)
        with self._exclusive():
            self._transaction(
                [
                    (
                        "INSERT OR REPLACE INTO refused SELECT sequence, ?, bytes FROM event WHERE sequence = ?",
                        (reason, sequence),
                    ),
                    ("UPDATE event SET bytes = ? WHERE sequence = ?", (content, sequence)),
                ]
            )

    def waiting_evidence(self, limit: int, up_to: int | None = None) -> list[WaitingEvidence]:
        """Evidence the center does not have: that of the gravest findings first, then the oldest."""
        with self._exclusive():
            rows = self._database.execute(
                "SELECT reference, sequence FROM evidence WHERE state = 'waiting' AND sequence <= ?"
                " ORDER BY severity DESC, sequence LIMIT ?",
                (self._last if up_to is None else up_to, limit),
            ).fetchall()
        return [WaitingEvidence(EvidenceReference.model_validate_json(row[0]), row[1]) for row in rows]

    def settle_evidence(self, sha256: str, state: str) -> None:
        """Note what became of evidence: `sent`, `missing` (no longer on the robot) or `refused` by the center."""
        with self._exclusive():
            self._transaction([("UPDATE evidence SET state = ? WHERE sha256 = ?", (state, sha256))])

    def evidence_states(self) -> dict[str, tuple[str, str]]:
        """State and retention class of all evidence that findings refer to, by hash."""
        with self._exclusive():
            rows = self._database.execute("SELECT sha256, state, reference FROM evidence").fetchall()
        return {row[0]: (row[1], EvidenceReference.model_validate_json(row[2]).retention) for row in rows}

    def forget_evidence(self, hashes: Sequence[str]) -> None:
        """Drop the notes about evidence whose file is gone."""
        with self._exclusive():
            self._transaction([("DELETE FROM evidence WHERE sha256 = ? AND state <> 'waiting'", (h,)) for h in hashes])

    def state(self) -> OutboxState:
        """How much waits."""
        with self._exclusive():
            evidence = self._database.execute("SELECT count(*) FROM evidence WHERE state = 'waiting'").fetchone()[0]
            oldest = self._database.execute(
                "SELECT accepted FROM event WHERE sequence > ? ORDER BY sequence LIMIT 1", (self._acknowledged,)
            ).fetchone()
            return OutboxState(
                events=self._last - self._acknowledged,
                evidence=evidence,
                last_sequence=self._last,
                acknowledged=self._acknowledged,
                oldest_accepted=oldest[0] if oldest else None,
            )

    def disk_bytes(self) -> int:
        """Disk used by the database and its log [byte]."""
        return sum(
            file.stat().st_size
            for file in (self.path, self.path.with_name(self.path.name + "-wal"))
            if file.exists()
        )  # fmt: skip

    def command_cursor(self) -> int:
        """Number of the last command of the center that was dealt with."""
        with self._exclusive():
            return int(self._meta("command_cursor") or 0)

    def was_applied(self, command: UUID) -> bool:
        """Whether a command was dealt with before."""
        with self._exclusive():
            return self._database.execute("SELECT 1 FROM command WHERE id = ?", (str(command),)).fetchone() is not None

    def settle_command(self, number: int, command: UUID, outcome: OutgoingEvent, now: datetime | None = None) -> None:
        """Note a command as dealt with, move the cursor and accept its outcome, in one commit.

        Raises:
            OutboxError: the disk is full or failing; the command will come again.
        """
        moment = now or datetime.now(UTC)
        with self._exclusive():
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("INSERT OR IGNORE INTO command VALUES (?, ?)", (str(command), moment.timestamp()))
            self._database.execute("INSERT OR REPLACE INTO meta VALUES ('command_cursor', ?)", (str(number),))
            new = self._insert(outcome, self._last + 1, moment)
            self._database.execute("COMMIT")
            self._last += new

    def close(self) -> None:
        """Let the file go."""
        with self._exclusive():
            self._database.close()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One caller at a time; every fault of the database becomes an OutboxError and leaves nothing half done."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                # SQLite has already rolled back after some faults (full disk).
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise OutboxError(str(error)) from error

    def _insert(self, event: OutgoingEvent, sequence: int, moment: datetime) -> int:
        row = self._database.execute("SELECT 1 FROM event WHERE id = ?", (str(event.id),)).fetchone()
        if row is not None:
            return 0
        content = write_event(event.body, id=event.id, source=self._source, sequence=sequence, time=moment)
        self._database.execute(
            "INSERT INTO event (sequence, id, accepted, bytes) VALUES (?, ?, ?, ?)",
            (sequence, str(event.id), moment.timestamp(), content),
        )
        references, severity = evidence_of(event.body)
        for reference in references:
            self._database.execute(
                "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, 'waiting')",
                (reference.sha256, sequence, severity, reference.model_dump_json()),
            )
        return 1

    def _transaction(self, statements: Sequence[tuple[str, tuple[object, ...]]]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        for statement, values in statements:
            self._database.execute(statement, values)
        self._database.execute("COMMIT")

    def _meta(self, name: str) -> str:
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def _set_meta(self, name: str, value: str) -> str:
        self._database.execute("INSERT INTO meta VALUES (?, ?)", (name, value))
        return value


def evidence_of(body: Event) -> tuple[tuple[EvidenceReference, ...], int]:
    """The evidence an event refers to, and how grave the event is."""
    if isinstance(body, Detection):
        return body.evidence, int(body.severity)
    if isinstance(body, OrderProgress):
        return tuple(reference for step in body.steps for reference in step.evidence), 2
    return (), 0
