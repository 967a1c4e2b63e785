from __future__ import annotations

import contextlib
import hashlib
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_contract.client import CenterBusy, CenterClient, CenterError, CenterUnreachable
from inspection_contract.signatures import SigningKey
from inspection_robot.backoff import Backoff
from inspection_robot.bridge.credentials import Credentials
from inspection_robot.bridge.outbox import Outbox, OutgoingEvent
from inspection_robot.bridge.sender import Sender
from inspection_robot.evidence import EvidenceStore
from tests.contract.builders import detection


class CenterDouble:
    """Keeps what it is sent by the center's rules, and misbehaves on order: `faults` is asked before each answer."""

    def __init__(self, faults: Callable[[], str] = lambda: "") -> None:
        self.stored: list[dict[str, object]] = []
        self.evidence: dict[str, bytes] = {}
        self.log: list[str] = []
        self.faults = faults
        self.poison: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        fault = self.faults()
        if fault == "unreachable":
            raise httpx.ConnectError("refused")
        if fault == "busy":
            return httpx.Response(503, json={"detail": "full"}, headers={"Retry-After": "0"})
        answer = self._put(request) if request.method == "PUT" else self._post(request)
        if fault == "answer lost":
            raise httpx.ReadError("reset")
        return answer

    def _put(self, request: httpx.Request) -> httpx.Response:
        digest = request.url.path.rsplit("/", 1)[1]
        assert hashlib.sha256(request.content).hexdigest() == digest
        self.evidence[digest] = request.content
        self.log.append("evidence")
        return httpx.Response(201)

    def _post(self, request: httpx.Request) -> httpx.Response:
        events = json.loads(request.content)
        if any(event["id"] in self.poison for event in events):
            return httpx.Response(422, json={"detail": "cannot take this"})
        first, expected = int(events[0]["sequence"]), len(self.stored) + 1
        if first > expected:
            return httpx.Response(409, json={"detail": {"expected": expected}})
        fresh = events[expected - first :]
        self.stored.extend(fresh)
        self.log.append("events")
        return httpx.Response(
            200, json={"acknowledged": len(self.stored), "stored": len(fresh), "duplicates": len(events) - len(fresh)}
        )


class Robot:
    """A sender over a fresh outbox, driven step by step."""

    def __init__(self, folder: Path, center: CenterDouble) -> None:
        key = SigningKey.generate()
        credentials = Credentials("http://c", "robot_1", "t", key.to_text(), key.public.to_text(), "A" * 43)
        self.outbox = Outbox(folder / "outbox.db", "robot_1")
        self.store = EvidenceStore(folder / "evidence")
        client = CenterClient("http://c", "t", transport=httpx.MockTransport(center))
        self.sender = Sender(client, credentials, self.outbox, self.store, lambda: None)

    def find(self, count: int = 1, **changes: object) -> list[str]:
        bodies = [detection(**changes) for _ in range(count)]
        self.outbox.accept([OutgoingEvent(body.uuid, body) for body in bodies], datetime.now(UTC))
        return [str(body.uuid) for body in bodies]

    def send_all(self, attempts: int = 500) -> None:
        for _ in range(attempts):
            try:
                if self.sender.send_once():
                    return
            except CenterError:
                continue
        raise AssertionError("never done")


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), groups=st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_through_any_faults_every_finding_arrives_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, seed: int, groups: list[int]
) -> None:
    source = random.Random(seed)
    center = CenterDouble(lambda: source.choice(["", "", "unreachable", "busy", "answer lost"]))
    robot = Robot(tmp_path_factory.mktemp("robot"), center)
    found: list[str] = []
    for count in groups:
        found += robot.find(count)
        with contextlib.suppress(CenterError):
            robot.sender.send_once()
    robot.send_all()
    assert [event["id"] for event in center.stored] == found
    assert robot.outbox.state().events == 0


def test_evidence_goes_before_its_finding_while_the_link_keeps_up(tmp_path: Path) -> None:
    center = CenterDouble()
    robot = Robot(tmp_path, center)
    reference = robot.store.put(b"picture", "image/png")
    robot.find(1, evidence=(reference,))
    robot.send_all()
    assert center.log == ["evidence", "events"]
    assert center.evidence == {reference.sha256: b"picture"}


def test_findings_go_before_evidence_after_a_long_silence(tmp_path: Path) -> None:
    center = CenterDouble()
    robot = Robot(tmp_path, center)
    for number in range(60):
        robot.find(1, evidence=(robot.store.put(bytes([number]), "image/png"),))
    robot.send_all()
    assert center.log[0] == "events"
    assert len(center.evidence) == 60
    assert robot.outbox.state().evidence == 0


def test_evidence_that_is_gone_does_not_hold_up_its_finding(tmp_path: Path) -> None:
    center = CenterDouble()
    robot = Robot(tmp_path, center)
    reference = robot.store.put(b"picture", "image/png")
    robot.find(1, evidence=(reference,))
    robot.store.remove(reference.sha256)
    robot.send_all()
    assert len(center.stored) == 1
    assert robot.outbox.evidence_states()[reference.sha256][0] == "missing"


def test_one_event_the_center_cannot_take_is_set_aside_and_the_others_arrive(tmp_path: Path) -> None:
    center = CenterDouble()
    robot = Robot(tmp_path, center)
    found = robot.find(20)
    center.poison = {found[11]}
    robot.send_all()
    arrived = [event["id"] for event in center.stored]
    assert len(arrived) == 20
    assert set(found) - set(arrived) == {found[11]}
    assert center.stored[11]["type"] == "inspection.fault.v1"


def test_a_center_restored_from_a_backup_is_filled_up_again(tmp_path: Path) -> None:
    center = CenterDouble()
    robot = Robot(tmp_path, center)
    found = robot.find(10)
    robot.send_all()
    del center.stored[4:]
    found += robot.find(1)
    robot.send_all()
    assert [event["id"] for event in center.stored] == found


def test_a_refused_robot_keeps_its_findings(tmp_path: Path) -> None:
    robot = Robot(tmp_path, CenterDouble())
    robot.sender._client = CenterClient(
        "http://c", transport=httpx.MockTransport(lambda _: httpx.Response(401, json={"detail": "not signed in"}))
    )
    robot.find(3)
    with pytest.raises(CenterError, match="not signed in"):
        robot.sender.send_once()
    assert robot.outbox.state().events == 3


def test_an_answer_that_is_no_receipt_counts_as_none(tmp_path: Path) -> None:
    robot = Robot(tmp_path, CenterDouble())
    robot.sender._client = CenterClient(
        "http://c", transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>captive portal</html>"))
    )
    robot.find(1)
    with pytest.raises(CenterUnreachable, match="IngestReceipt"):
        robot.sender.send_once()
    assert robot.outbox.state().events == 1


def test_waits_grow_to_the_limit_scatter_and_heed_advice() -> None:
    backoff = Backoff(first_s=0.2, maximum_s=5.0, source=random.Random(1))
    waits = [backoff.failed() for _ in range(40)]
    assert all(0.5 * min(5.0, 0.2 * 2.0**n) <= wait <= min(5.0, 0.2 * 2.0**n) for n, wait in enumerate(waits))
    assert len(set(waits[10:])) > 20
    assert backoff.failed(advice_s=60.0) == 60.0
    backoff.succeeded()
    assert backoff.failed() <= 0.2


@pytest.mark.parametrize(
    ("status", "kind"), [(503, CenterBusy), (500, CenterBusy), (429, CenterBusy), (502, CenterBusy)]
)
def test_faults_of_the_center_are_worth_another_attempt(status: int, kind: type[CenterError]) -> None:
    client = CenterClient("http://c", transport=httpx.MockTransport(lambda _: httpx.Response(status)))
    with pytest.raises(kind):
        client.rotate_token()
