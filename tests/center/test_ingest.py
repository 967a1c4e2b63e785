from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select

from inspection_center.auth import accounts
from inspection_center.database import schema
from inspection_contract.canonical import canonical_bytes
from inspection_contract.client import CenterBusy, CenterClient, CenterRefused, SequenceGap
from inspection_contract.envelope import BATCH_MEDIA_TYPE, join_batch, source_name, wrap, write_event
from inspection_contract.events import Event, Incident, RobotStatus
from inspection_contract.fields import EvidenceReference
from inspection_contract.signatures import SigningKey, request_headers
from tests.center.running import EnrolledRobot, RunningCenter
from tests.contract.builders import OUTBOX, detection


@pytest.fixture
def running(running_on_each: RunningCenter) -> RunningCenter:
    """Every test here holds on both databases."""
    return running_on_each


def events(robot: str, bodies: Sequence[Event], first: int = 1, outbox: UUID = OUTBOX) -> list[bytes]:
    now = datetime.now(UTC)
    return [
        write_event(body, id=uuid4(), source=source_name(robot, outbox), sequence=first + index, time=now)
        for index, body in enumerate(bodies)
    ]


def stored(running: RunningCenter) -> list[tuple[int, str]]:
    with running.center.engine.connect() as connection:
        rows = connection.execute(select(schema.event.c.sequence, schema.event.c.id).order_by(schema.event.c.number))
        return [(row[0], row[1]) for row in rows]


def count(running: RunningCenter, table: Any) -> int:
    with running.center.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def post(running: RunningCenter, robot: EnrolledRobot, body: bytes, **changes: str) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {robot.token}",
        "Content-Type": BATCH_MEDIA_TYPE,
        **request_headers(robot.key, robot=robot.name, method="POST", path="/api/v1/events", body=body),
    }
    return httpx.post(f"{running.url}/api/v1/events", content=body, headers={**headers, **changes})


def test_a_batch_sent_again_is_stored_once_and_in_order(running: RunningCenter) -> None:
    robot = running.enrol()
    batch = events(robot.name, [detection() for _ in range(5)])
    with CenterClient(running.url, robot.token) as client:
        first = client.send_events(robot.name, robot.key, batch[:3])
        again = client.send_events(robot.name, robot.key, batch)
    assert (first.stored, first.duplicates, first.acknowledged) == (3, 0, 3)
    assert (again.stored, again.duplicates, again.acknowledged) == (2, 3, 5)
    assert [sequence for sequence, _ in stored(running)] == [1, 2, 3, 4, 5]
    assert count(running, schema.detection) == 5


def test_a_gap_is_refused_while_the_robot_holds_what_is_missing_and_noted_when_it_does_not(
    running: RunningCenter,
) -> None:
    robot = running.enrol()
    batch = events(robot.name, [detection(), detection()], first=7)
    with CenterClient(running.url, robot.token) as client:
        with pytest.raises(SequenceGap) as gap:
            client.send_events(robot.name, robot.key, batch, outbox_first=1)
        assert gap.value.expected == 1
        assert client.send_events(robot.name, robot.key, batch, outbox_first=7).stored == 2
    with running.center.engine.connect() as connection:
        assert connection.execute(select(schema.outbox.c.missing)).scalar_one() == 6


def test_a_new_outbox_of_the_same_robot_begins_anew(running: RunningCenter) -> None:
    robot = running.enrol()
    with CenterClient(running.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, [detection()]))
        receipt = client.send_events(robot.name, robot.key, events(robot.name, [detection()], outbox=uuid4()))
    assert receipt.stored == 1
    assert count(running, schema.detection) == 2


def test_one_bad_event_is_quarantined_and_costs_the_others_nothing(running: RunningCenter) -> None:
    robot = running.enrol()
    good, future, unknown, malformed = (
        wrap(detection(), id=uuid4(), source=source_name(robot.name, OUTBOX), sequence=n, time=datetime.now(UTC))
        for n in range(1, 5)
    )
    future["time"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    unknown["type"] = "inspection.nothing.v1"
    malformed["data"]["severity"] = "<script>alert(1)</script>\u0000'; DROP TABLE event; --"
    answer = post(running, robot, canonical_bytes([good, future, unknown, malformed]))
    assert answer.status_code == 200
    receipt = answer.json()
    assert (receipt["stored"], receipt["acknowledged"]) == (1, 4)
    reasons = [event["reason"] for event in receipt["quarantined"]]
    assert [reason.split(":")[0] for reason in reasons] == [
        "time",
        "unknown event type 'inspection.nothing.v1'",
        "severity",
    ]
    assert count(running, schema.quarantine) == 3
    assert count(running, schema.event) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda batch: [], 422),
        (lambda batch: {"a": 1}, 422),
        (lambda batch: [batch[0], batch[0]], 422),
        (lambda batch: [batch[1], batch[0]], 422),
        (lambda batch: [{**batch[0], "source": source_name("other", OUTBOX)}], 422),
        (lambda batch: [{**batch[0], "source": "x"}], 422),
        (lambda batch: [{**batch[0], "sequence": "1"}], 422),
        (lambda batch: [{**batch[0], "specversion": "0.3"}], 422),
        (lambda batch: [{**batch[0], "time": 12}], 422),
        (lambda batch: [1, None, "x"], 422),
    ],
)
def test_a_malformed_batch_is_refused_and_nothing_of_it_is_stored(
    running: RunningCenter, change: Any, status: int
) -> None:
    robot = running.enrol()
    batch = [json.loads(event) for event in events(robot.name, [detection(), detection()])]
    answer = post(running, robot, canonical_bytes(change(batch)))
    assert answer.status_code == status
    assert "\n" not in answer.json()["detail"]
    assert count(running, schema.event) == 0


def test_wrong_signatures_tokens_sizes_and_types_are_refused(running: RunningCenter) -> None:
    robot, other = running.enrol("robot_1"), running.enrol("robot_2")
    body = join_batch(events(robot.name, [detection()]))
    path, method = "/api/v1/events", "POST"
    foreign = request_headers(SigningKey.generate(), robot=robot.name, method=method, path=path, body=body)
    elsewhere = request_headers(robot.key, robot=robot.name, method=method, path="/api/v1/x", body=body)
    assert post(running, robot, body, **foreign).status_code == 400
    assert post(running, robot, body, **elsewhere).status_code == 400
    assert post(running, robot, body, Signature="").status_code == 400
    assert post(running, robot, body, **{"Content-Digest": "sha-256=:AAAA:"}).status_code == 400
    assert post(running, robot, body, Authorization=f"Bearer {other.token}").status_code == 400
    assert post(running, robot, body, Authorization="Bearer x").status_code == 401
    assert post(running, robot, body, **{"Content-Type": "application/json"}).status_code == 415
    assert post(running, robot, b"[" + b" " * (9 * 2**20) + b"]").status_code == 413
    assert post(running, robot, b"\xff[").status_code == 422
    assert count(running, schema.event) == 0
    assert post(running, robot, body).status_code == 200


def test_evidence_is_stored_under_its_hash_only(running: RunningCenter) -> None:
    robot = running.enrol()
    data = b"\x89PNG picture"
    digest = hashlib.sha256(data).hexdigest()
    reference = EvidenceReference(sha256=digest, media_type="image/png", size_bytes=len(data))
    with CenterClient(running.url, robot.token) as client:
        client.put_evidence(reference, data)
        client.put_evidence(reference, data)
        with pytest.raises(CenterRefused, match="hash"):
            client.put_evidence(reference, b"other bytes")
    with CenterClient(running.url, running.service_token("officer")) as reader:
        assert reader.get_evidence(digest) == data
        with pytest.raises(CenterRefused, match="404"):
            reader.get_evidence("0" * 64)
    assert sorted(path.name for path in (running.center.state / "evidence").rglob("*") if path.is_file()) == [digest]


@pytest.mark.parametrize("name", ["..%2f..%2fcenter.db", "A" * 64, "0" * 63, "%00" * 32, "0" * 64 + "%0a"])
def test_no_evidence_name_leads_elsewhere(running: RunningCenter, name: str) -> None:
    robot = running.enrol()
    answer = httpx.put(
        f"{running.url}/api/v1/blobs/{name}", content=b"x", headers={"Authorization": f"Bearer {robot.token}"}
    )
    assert answer.status_code in (404, 422)


def test_active_content_is_never_served_as_such(running: RunningCenter) -> None:
    robot = running.enrol()
    page = b"<script>alert(1)</script>"
    reference = EvidenceReference(sha256=hashlib.sha256(page).hexdigest(), media_type="text/html", size_bytes=len(page))
    with CenterClient(running.url, robot.token) as client:
        client.put_evidence(reference, page)
    answer = httpx.get(
        f"{running.url}/api/v1/blobs/{reference.sha256}",
        headers={"Authorization": f"Bearer {running.service_token('officer')}"},
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_full_disk_is_told_loses_nothing_and_is_left_behind(running: RunningCenter) -> None:
    if running.center.settings.database_url:
        pytest.skip("only SQLite can be made to think that its disk is full")
    robot = running.enrol()

    def limit_pages(extra: int) -> None:
        def job(transaction: Any) -> None:
            used = transaction.connection.exec_driver_sql("PRAGMA page_count").scalar()
            transaction.connection.exec_driver_sql(f"PRAGMA max_page_count={used + extra}")

        running.center.writer.run(job)

    limit_pages(4)
    batch = events(robot.name, [detection(attributes={"note": "x" * 3000}) for _ in range(50)])
    with CenterClient(running.url, robot.token) as client:
        with pytest.raises(CenterBusy, match="full"):
            client.send_events(robot.name, robot.key, batch)
        assert count(running, schema.event) == 0
        # A fresh connection has no such limit: the disk has room again.
        receipt = client.send_events(robot.name, robot.key, batch)
    assert receipt.stored == 50


def test_readiness_says_when_nothing_can_be_stored(running: RunningCenter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert httpx.get(f"{running.url}/health/ready").status_code == 200

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("inspection_center.blobs.os.fsync", refuse)
    answer = httpx.get(f"{running.url}/health/ready")
    assert answer.status_code == 503
    assert "No space left" in answer.json()["detail"]


def test_what_is_stored_is_told_to_listeners_in_order(running: RunningCenter) -> None:
    robot = running.enrol()
    heard: list[int] = []
    done = threading.Event()

    def listen() -> None:
        with CenterClient(running.url, running.service_token("officer")) as client:
            for event in client.stream_events(after=0):
                heard.append(event.sequence)
                if len(heard) == 40:
                    done.set()
                    return

    threading.Thread(target=listen, daemon=True).start()
    with CenterClient(running.url, robot.token) as client:
        for first in range(1, 41, 4):
            client.send_events(robot.name, robot.key, events(robot.name, [detection() for _ in range(4)], first))
    assert done.wait(20)
    assert heard == list(range(1, 41))


def test_an_incident_takes_in_the_alarms_it_is_made_of(running: RunningCenter) -> None:
    robot = running.enrol()
    alarms = [detection(), detection()]
    incident = Incident.model_validate(
        {
            "uuid": uuid4(),
            "stamp": datetime.now(UTC),
            "state": "awaiting_officer",
            "kind": "thermal.fever",
            "confidence": 0.97,
            "grade": "C",
            "detections": [body.uuid for body in alarms],
        }
    )
    with CenterClient(running.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, [*alarms, incident]))
    with running.center.engine.connect() as connection:
        rows = connection.execute(select(schema.alert.c.id, schema.alert.c.state))
        states = {row[0]: row[1] for row in rows}
    assert states == {str(alarms[0].uuid): "merged", str(alarms[1].uuid): "merged", str(incident.uuid): "open"}


def test_only_the_newest_status_counts(running: RunningCenter) -> None:
    robot = running.enrol()
    with CenterClient(running.url, robot.token) as client:
        for waiting in (3, 2):
            client.put_status(RobotStatus(stamp=datetime.now(UTC), ready=True, outbox_findings=waiting))
    with running.center.engine.connect() as connection:
        assert json.loads(connection.execute(select(schema.robot.c.status)).scalar_one())["outbox_findings"] == 2


def test_a_code_enrols_once_and_a_rotated_token_replaces_the_old(running: RunningCenter, tmp_path: Path) -> None:
    code = running.center.writer.run(lambda transaction: accounts.new_enrolment(transaction, "test", "robot_9"))
    with CenterClient(running.url) as client:
        enrolment = client.enrol(code, SigningKey.generate())
        with pytest.raises(CenterRefused, match="used"):
            client.enrol(code, SigningKey.generate())
        client.use_token(enrolment.token)
        fresh = client.rotate_token()
        client.use_token(fresh.token)
        client.put_status(RobotStatus(stamp=datetime.now(UTC), ready=True))
    with running.center.engine.connect() as connection:
        row = connection.execute(select(schema.robot)).one()
    assert enrolment.token not in str(tuple(row))
    assert fresh.token not in str(tuple(row))
