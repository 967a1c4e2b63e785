from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inspection_contract.commands import WatchlistEntry
from inspection_contract.sealing import identifier_digest, seal_name
from inspection_robot.bridge.orders import WatchlistInForce
from inspection_robot.documents.checked import Parsed
from inspection_robot.documents.mrz import document_of, parse_mrz
from inspection_robot.interception.grades import Grade
from inspection_robot.interception.watchlist import Watchlist, detection_kind

KEY = secrets.token_bytes(32)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
ZONE = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")


def watchlist(*entries: dict[str, Any], key: bytes = KEY, expires: datetime = NOW + timedelta(days=1)) -> Watchlist:
    made = tuple(WatchlistEntry(**entry) for entry in entries)
    return Watchlist(WatchlistInForce("v3", NOW, expires, made), key)


def number(identity: str, text: str, **more: Any) -> dict[str, Any]:
    return {
        "id": identity, "kind": "document_number", "digest": identifier_digest(KEY, "document_number", text), **more,
    }  # fmt: skip


def named(identity: str, name: str, birth: str = "") -> dict[str, Any]:
    digest = identifier_digest(KEY, "birth_date", birth) if birth else ""
    sealed = seal_name(KEY, identity, name)
    return {"id": identity, "kind": "name", "sealed_name": sealed, "birth_date_digest": digest}


def test_an_exact_number_is_grade_a_with_or_without_the_issuer() -> None:
    document = document_of(parse_mrz(ZONE))
    for text in ("L898902C3", "UTOL898902C3", "uto l898902c3"):
        hits = watchlist(number("w1", text)).ask(document, NOW)
        assert [(hit.entry, hit.grade) for hit in hits] == [("w1", Grade.A)]
        assert detection_kind(hits[0]) == "document.watchlist"


def test_a_number_whose_check_failed_counts_only_with_the_birth_date() -> None:
    doubtful = Parsed(
        "passport", {"birth_date": "740812"}, {"document_number": False}, (("document_number", "L898902C3"),)
    )
    assert watchlist(number("w1", "L898902C3")).ask(doubtful, NOW) == []
    birth = identifier_digest(KEY, "birth_date", "1974-08-12")
    hits = watchlist(number("w1", "L898902C3", birth_date_digest=birth)).ask(doubtful, NOW)
    assert [hit.grade for hit in hits] == [Grade.B]


def test_a_name_is_graded_by_the_birth_date_and_another_birth_date_excludes() -> None:
    document = document_of(parse_mrz(ZONE))
    assert watchlist(named("w2", "Анна Мария Эрикссон", "1974-08-12")).ask(document, NOW)[0].grade is Grade.C
    assert watchlist(named("w2", "Anna Eriksson Maria")).ask(document, NOW)[0].grade is Grade.D
    assert watchlist(named("w2", "Anna Maria Eriksson", "1999-01-01")).ask(document, NOW) == []


def test_an_expired_list_or_entry_says_nothing() -> None:
    document = document_of(parse_mrz(ZONE))
    assert watchlist(number("w1", "L898902C3"), expires=NOW).ask(document, NOW) == []
    assert watchlist(number("w1", "L898902C3", expires=NOW)).ask(document, NOW) == []


def test_under_another_robots_key_nothing_matches_and_names_stay_shut() -> None:
    held = watchlist(number("w1", "L898902C3"), named("w2", "Anna Maria Eriksson"), key=secrets.token_bytes(32))
    assert held.ask(document_of(parse_mrz(ZONE)), NOW) == []
    assert held.unreadable == 1


def test_the_list_shown_in_a_log_tells_no_content() -> None:
    held = watchlist(named("w2", "Anna Maria Eriksson"), number("w1", "L898902C3"))
    assert repr(held) == "Watchlist(version='v3', entries=2)"
    assert "Eriksson" not in str(held)


@pytest.mark.parametrize("kind", ["bag_tag", "container"])
def test_tags_and_containers_are_found_by_their_own_kind_only(kind: str) -> None:
    entry = {"id": "w5", "kind": kind, "digest": identifier_digest(KEY, kind, "0999123456")}
    held = watchlist(entry)
    assert held.ask(Parsed("other", {}, {}, ((kind, "0999123456"),)), NOW)[0].grade is Grade.A
    assert held.ask(Parsed("other", {}, {}, (("vehicle", "0999123456"),)), NOW) == []
