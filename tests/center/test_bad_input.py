"""What robots, disks, clocks and databases do wrong: refused or waited out, nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import create_engine, select, text, update

from inspection_center.database import schema
from inspection_center.settings import Settings
from inspection_contract.canonical import canonical_bytes
from inspection_contract.client import CenterBusy, CenterClient, CenterError, CenterRefused
from inspection_contract.envelope import BATCH_MEDIA_TYPE, MAXIMUM_EVENT_BYTES, join_batch, source_name, wrap
from inspection_contract.fields import EvidenceReference
from inspection_contract.signatures import request_headers
from tests.center.running import EnrolledRobot, RunningCenter
from tests.center.test_ingest import count, events, post
from tests.contract.builders import OUTBOX, detection


@pytest.fixture
def each(running_on_each: RunningCenter) -> RunningCenter:
    """A center on each database."""
    return running_on_each


def test_an_event_that_is_too_large_is_quarantined_and_the_next_is_stored(each: RunningCenter) -> None:
    robot = each.enrol()
    large, good = (
        wrap(detection(), id=uuid4(), source=source_name(robot.name, OUTBOX), sequence=n, time=datetime.now(UTC))
        for n in (1, 2)
    )
    large["data"]["attributes"] = {f"note_{n}": "x" * 4000 for n in range(MAXIMUM_EVENT_BYTES // 4000 + 1)}
    receipt = post(each, robot, canonical_bytes([large, good])).json()
    assert (receipt["stored"], [one["sequence"] for one in receipt["quarantined"]]) == (1, [1])
    assert "longer than" in receipt["quarantined"][0]["reason"]


def test_a_recorded_request_sent_again_by_somebody_changes_nothing(each: RunningCenter) -> None:
    robot = each.enrol()
    body = join_batch(events(robot.name, [detection()]))
    headers = {
        "Authorization": f"Bearer {robot.token}",
        "Content-Type": BATCH_MEDIA_TYPE,
        **request_headers(robot.key, robot=robot.name, method="POST", path="/api/v1/events", body=body),
    }
    answers = [httpx.post(f"{each.url}/api/v1/events", content=body, headers=headers).json() for _ in range(3)]
    assert [answer["stored"] for answer in answers] == [1, 0, 0]
    assert count(each, schema.event) == count(each, schema.detection) == 1


def test_a_robot_whose_clock_is_wrong_is_heard_and_its_offset_known(each: RunningCenter) -> None:
    robot = each.enrol()
    ahead = datetime.now(UTC) + timedelta(hours=2)
    values = wrap(detection(stamp=ahead), id=uuid4(), source=source_name(robot.name, OUTBOX), sequence=1, time=ahead)
    body = canonical_bytes([values])
    signed = request_headers(robot.key, robot=robot.name, method="POST", path="/api/v1/events", body=body, now=ahead)
    receipt = post(each, robot, body, **signed).json()
    assert receipt["stored"] == 1
    assert receipt["clock_offset_s"] == pytest.approx(-7200, abs=60)
    with each.center.engine.connect() as connection:
        assert connection.execute(select(schema.robot.c.clock_offset_s)).scalar_one() == receipt["clock_offset_s"]


def test_the_old_token_holds_for_a_while_and_then_no_more(each: RunningCenter) -> None:
    robot = each.enrol()
    batch = events(robot.name, [detection() for _ in range(3)])
    with CenterClient(each.url, robot.token) as old, CenterClient(each.url, robot.token) as new:
        new.use_token(old.rotate_token().token)
        assert old.send_events(robot.name, robot.key, batch[:1]).stored == 1
        each.center.writer.run(
            lambda transaction: transaction.connection.execute(
                update(schema.robot).values(previous_token_expires="2020-01-01T00:00:00.000000Z")
            )
        )
        with pytest.raises(CenterRefused, match="401"):
            old.send_events(robot.name, robot.key, batch[1:2])
        assert new.send_events(robot.name, robot.key, batch[1:]).stored == 2


@pytest.mark.parametrize("announced", [True, False])
def test_evidence_that_is_too_large_is_refused_and_leaves_nothing(tmp_path: Path, announced: bool) -> None:
    data = b"x" * 5000

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(data), 500):
            yield data[start : start + 500]

    with RunningCenter(tmp_path, Settings(maximum_evidence_bytes=1000)) as running:
        robot = running.enrol()
        answer = httpx.put(
            f"{running.url}/api/v1/blobs/{hashlib.sha256(data).hexdigest()}",
            content=data if announced else pieces(),
            headers={"Authorization": f"Bearer {robot.token}"},
        )
        assert answer.status_code == 413
        assert [path for path in (running.center.state / "evidence").rglob("*") if path.is_file()] == []


def test_evidence_waits_while_the_disk_is_full(running: RunningCenter, monkeypatch: pytest.MonkeyPatch) -> None:
    robot = running.enrol()
    data = b"picture"
    reference = EvidenceReference(sha256=hashlib.sha256(data).hexdigest(), media_type="image/png", size_bytes=len(data))

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with CenterClient(running.url, robot.token) as client:
        with monkeypatch.context() as full:
            full.setattr("inspection_center.blobs.os.fsync", refuse)
            with pytest.raises(CenterBusy, match="No space left"):
                client.put_evidence(reference, data)
            assert not running.center.blobs.has(reference.sha256)
        client.put_evidence(reference, data)
    assert running.center.blobs.has(reference.sha256)


def send_until_stored(client: CenterClient, robot: EnrolledRobot, batch: list[bytes]) -> int:
    """How often the center was busy."""
    for busy in range(20):
        try:
            client.send_events(robot.name, robot.key, batch)
        except CenterBusy:
            continue
        return busy
    raise AssertionError("the center never came back")


def test_a_lost_database_connection_is_told_and_loses_nothing(tmp_path: Path, empty_postgresql: str) -> None:
    with RunningCenter(tmp_path, Settings(database_url=empty_postgresql)) as running:
        robot = running.enrol()
        batch = events(robot.name, [detection() for _ in range(40)])
        other = create_engine(empty_postgresql)
        heard: list[int] = []
        all_heard = threading.Event()

        def listen(token: str) -> None:
            while len(heard) < 40:
                with CenterClient(running.url, token) as reader, contextlib.suppress(CenterError):
                    for event in reader.stream_events(after=heard[-1] if heard else 0):
                        heard.append(event.number)
                        if len(heard) == 40:
                            break
            all_heard.set()

        threading.Thread(target=listen, args=(running.service_token("officer"),), daemon=True).start()
        with CenterClient(running.url, robot.token) as client:
            busy = 0
            for first in range(0, 40, 10):
                with other.begin() as connection:
                    connection.execute(
                        text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
                    )
                busy += send_until_stored(client, robot, batch[first : first + 10])
        other.dispose()
        assert busy > 0
        with running.center.engine.connect() as connection:
            sequences = connection.execute(select(schema.event.c.sequence).order_by(schema.event.c.number)).scalars()
            assert list(sequences) == list(range(1, 41))
        # The stream, too, outlives the database's absence and misses nothing.
        assert all_heard.wait(30)
        assert heard == sorted(set(heard))


TEXTS = (
    "'; DROP TABLE event; --",
    '" OR 1=1 --',
    "<script>alert(1)</script>",
    "{{7*7}}",
    "../../etc/passwd",
    "%s%n",
    "𝕏‮",
)


@pytest.mark.parametrize("attack", TEXTS)
def test_text_fields_are_kept_as_they_are_and_do_nothing(each: RunningCenter, attack: str) -> None:
    robot = each.enrol()
    fields: dict[str, Any] = dict.fromkeys(("frame_id", "unit", "subject", "rule_id", "rule_version"), attack)
    body = detection(**fields, attributes={attack: attack})
    with CenterClient(each.url, robot.token) as client:
        assert client.send_events(robot.name, robot.key, events(robot.name, [body])).stored == 1
    with CenterClient(each.url, each.service_token("officer")) as reader:
        (found,) = reader.events()
    assert {name: found.data[name] for name in fields} == fields
    assert found.data["attributes"] == {attack: attack}
    with each.center.engine.connect() as connection:
        row = connection.execute(select(schema.detection)).one()
    assert (row.unit, row.subject, row.rule_id, row.rule_version) == (attack,) * 4
