"""The watch-list on board: exact identifiers as keyed digests, names sealed at rest and opened in memory only.

The list is what the center signed for this robot and the bridge keeps (`inspection_robot.bridge.orders`). Nothing of
its content is ever logged or published: a hit is told by the entry's id, whose meaning only the center knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from inspection_contract.commands import WatchlistEntry
from inspection_contract.sealing import SealError, identifier_digest, open_name
from inspection_robot.bridge.orders import WatchlistInForce
from inspection_robot.documents.checked import Parsed
from inspection_robot.interception.grades import NAME_THRESHOLD, Grade, grade_of_hit
from inspection_robot.interception.name_index import NameIndex

EXACT_KINDS = ("document_number", "bag_tag", "container", "vehicle")


@dataclass(frozen=True)
class Hit:
    """An entry that a document may belong to.

    Attributes:
        entry: id of the entry.
        kind: kind of the entry.
        grade: how good the evidence is.
        score: 1 for an exact hit, else the calibrated probability of the name.
        advice_key: message key of what to do, as the entry says.
    """

    entry: str
    kind: str
    grade: Grade
    score: float
    advice_key: str


class Watchlist:
    """A list ready to be asked.

    Args:
        held: what the bridge keeps.
        key: this robot's watch-list key.

    Entries whose sealed name does not open under the key are counted in `unreadable` and match nothing.
    """

    def __init__(self, held: WatchlistInForce, key: bytes) -> None:
        self.version = held.version
        self.expires = held.expires
        self.unreadable = 0
        self._key = key
        exact: dict[tuple[str, str], list[WatchlistEntry]] = {}
        named: list[WatchlistEntry] = []
        names: list[str] = []
        for entry in held.entries:
            if entry.kind in EXACT_KINDS and entry.digest:
                exact.setdefault((entry.kind, entry.digest), []).append(entry)
            if entry.sealed_name:
                try:
                    names.append(open_name(key, entry.id, entry.sealed_name))
                except SealError:
                    self.unreadable += 1
                else:
                    named.append(entry)
        self._exact: Mapping[tuple[str, str], list[WatchlistEntry]] = MappingProxyType(exact)
        self._named = named
        self._names = NameIndex(names)
        self.entries = len(held.entries)

    def __repr__(self) -> str:
        """Say nothing of the content: an object shown in a log or a traceback must not leak names."""
        return f"Watchlist(version={self.version!r}, entries={self.entries})"

    def usable(self, now: datetime) -> bool:
        """Whether the list may still be used."""
        return now.astimezone(UTC) < self.expires

    def ask(self, document: Parsed, now: datetime) -> list[Hit]:
        """Entries that a document may belong to, best evidence first; none when the list has expired.

        Args:
            document: as parsed; when a check of it fails, its numbers count as read with repairs.
            now: wall clock.
        """
        if not self.usable(now):
            return []
        hits: dict[str, Hit] = {}
        birth = birth_date_of(document)
        for kind, identifier in document.identifiers:
            found = (
                self._names_like(identifier, birth)
                if kind == "name"
                else self._exactly(kind, identifier, document, birth)
            )
            for entry, hit in found:
                if entry.expires is not None and now.astimezone(UTC) >= entry.expires:
                    continue
                known = hits.get(hit.entry)
                if known is None or (hit.grade, -hit.score) < (known.grade, -known.score):
                    hits[hit.entry] = hit
        return sorted(hits.values(), key=lambda hit: (hit.grade, -hit.score, hit.entry))

    def digest(self, kind: str, identifier: str) -> str:
        """Keyed digest of an identifier, for messages that must not carry it."""
        return identifier_digest(self._key, kind, identifier)

    def _exactly(
        self, kind: str, identifier: str, document: Parsed, birth: str
    ) -> Iterable[tuple[WatchlistEntry, Hit]]:
        for entry in self._exact.get((kind, self.digest(kind, identifier)), ()):
            grade = grade_of_hit(document.valid, True, self._same_birth(entry, birth), 0.0)
            if grade is None:
                continue  # a number with a failed check and no birth date to back it says nothing
            yield entry, Hit(entry.id, entry.kind, grade, 1.0, entry.advice_key)

    def _names_like(self, name: str, birth: str) -> Iterable[tuple[WatchlistEntry, Hit]]:
        for candidate in self._names.search(name, limit=5):
            if candidate.probability < NAME_THRESHOLD:
                break
            entry = self._named[candidate.position]
            if birth and entry.birth_date_digest and not self._same_birth(entry, birth):
                continue  # another birth date: another person
            grade = grade_of_hit(False, False, self._same_birth(entry, birth), candidate.probability)
            if grade is not None:
                yield entry, Hit(entry.id, entry.kind, grade, candidate.probability, entry.advice_key)

    def _same_birth(self, entry: WatchlistEntry, birth: str) -> bool:
        if not birth or not entry.birth_date_digest:
            return False
        # Documents give two digits of the year, lists often four.
        return any(
            entry.birth_date_digest == self.digest("birth_date", century + birth) for century in ("", "19", "20")
        )


def birth_date_of(document: Parsed) -> str:
    """Birth date as YYMMDD, the form in which it stands in a machine readable zone; empty when not known whole."""
    text = document.fields.get("birth_date", "")
    return text if len(text) == 6 and text.isascii() and text.isdigit() else ""


def detection_kind(hit: Hit) -> str:
    """Dotted kind of the detection that tells of a hit."""
    if hit.grade in (Grade.A, Grade.B):
        return "document.watchlist"
    return "document.watchlist_name_and_birth_date" if hit.grade is Grade.C else "document.watchlist_name"
