from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.bridge.disk import DiskPolicy, choose_victims, enforce
from inspection_robot.bridge.outbox import Outbox, OutgoingEvent
from inspection_robot.evidence import EvidenceStore, StoredEvidence
from tests.contract.builders import detection

NOW = 1_000_000.0


def item(name: str, size: int = 10, age_s: float = 1000.0) -> StoredEvidence:
    return StoredEvidence(name, size, NOW - age_s)


def test_evidence_goes_in_the_stated_order() -> None:
    states = {
        "sent": ("sent", "incident"),
        "personal": ("waiting", "personal"),
        "routine": ("waiting", "routine"),
        "incident": ("waiting", "incident"),
    }
    stored = [item("incident"), item("routine"), item("personal"), item("orphan"), item("sent")]
    chosen = [victim.sha256 for victim in choose_victims(stored, states, 1000, NOW)]
    assert chosen == ["sent", "orphan", "personal", "routine", "incident"]


def test_what_is_being_written_about_right_now_stays() -> None:
    assert choose_victims([item("fresh", age_s=5.0)], {}, 1000, NOW) == []


@given(sizes=st.lists(st.integers(1, 100), max_size=20), excess=st.integers(-5, 1000))
def test_no_more_goes_than_is_needed(sizes: list[int], excess: int) -> None:
    stored = [item(str(index), size, age_s=1000.0 + index) for index, size in enumerate(sizes)]
    states = {entry.sha256: ("waiting", "routine") for entry in stored}
    victims = choose_victims(stored, states, excess, NOW)
    freed = sum(victim.size_bytes for victim in victims)
    assert freed >= min(max(excess, 0), sum(sizes))
    if victims:
        assert freed - victims[-1].size_bytes < excess
        assert [victim.stored for victim in victims] == sorted(victim.stored for victim in victims)


def test_findings_survive_a_bound_that_no_evidence_fits(tmp_path: Path) -> None:
    outbox, store = Outbox(tmp_path / "outbox.db", "robot_1"), EvidenceStore(tmp_path / "evidence")
    for number in range(10):
        reference = store.put(bytes([number]) * 50_000, "image/png")
        os.utime(store.path(reference.sha256), (NOW + number, NOW + number))
        body = detection(evidence=(reference,))
        outbox.accept([OutgoingEvent(body.uuid, body)])
    removed = enforce(outbox, store, DiskPolicy(limit_bytes=outbox.disk_bytes() + 250_000))
    assert 0 < removed < 10
    assert outbox.state().events == 10
    assert outbox.state().evidence == 10 - removed
    assert enforce(outbox, store, DiskPolicy(limit_bytes=1)) == 10 - removed
    assert outbox.state().events == 10


def test_evidence_the_center_has_goes_after_its_time(tmp_path: Path) -> None:
    outbox, store = Outbox(tmp_path / "outbox.db", "robot_1"), EvidenceStore(tmp_path / "evidence")
    reference = store.put(b"picture", "image/png")
    body = detection(evidence=(reference,))
    outbox.accept([OutgoingEvent(body.uuid, body)])
    os.utime(store.path(reference.sha256), (NOW, NOW))
    assert enforce(outbox, store, DiskPolicy(10**9, sent_for_s=60.0)) == 0
    outbox.settle_evidence(reference.sha256, "sent")
    assert enforce(outbox, store, DiskPolicy(10**9, sent_for_s=60.0)) == 1
    assert outbox.evidence_states() == {}
