"""Retention, backup, metrics, settings and the command line."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select, update

from inspection_center.backup import back_up, restore
from inspection_center.clock import now_text
from inspection_center.command_line import main
from inspection_center.database import schema
from inspection_center.maintenance import remove_old
from inspection_center.service import Center
from inspection_center.settings import Settings, read_settings
from inspection_contract.client import CenterClient
from inspection_contract.errors import InputError
from inspection_contract.fields import EvidenceReference
from tests.center.running import EnrolledRobot, RunningCenter
from tests.center.test_ingest import events
from tests.contract.builders import detection


def reference(data: bytes, retention: str = "routine") -> EvidenceReference:
    digest = hashlib.sha256(data).hexdigest()
    return EvidenceReference(sha256=digest, media_type="image/png", size_bytes=len(data), retention=retention)


def report(running: RunningCenter, robot: EnrolledRobot, pictures: Sequence[tuple[bytes, str, int]]) -> None:
    bodies = []
    with CenterClient(running.url, robot.token) as client:
        for data, retention, severity in pictures:
            client.put_evidence(reference(data, retention), data)
            bodies.append(detection(severity=severity, evidence=(reference(data, retention),)))
        client.send_events(robot.name, robot.key, events(robot.name, bodies, outbox=uuid4()))


def age_everything(running: RunningCenter, days: float) -> None:
    def job(transaction: object) -> None:
        old = now_text(-timedelta(days=days))
        transaction.connection.execute(update(schema.blob).values(received=old))  # type: ignore[attr-defined]
        transaction.connection.execute(update(schema.event).values(received=old))  # type: ignore[attr-defined]

    running.center.writer.run(job)


def test_evidence_goes_by_its_class_but_not_under_an_open_alert(running: RunningCenter) -> None:
    robot = running.enrol()
    kinds = [
        ("routine", "routine", 1),
        ("incident", "incident", 1),
        ("personal", "personal", 1),
        ("alarm", "routine", 3),
    ]
    report(running, robot, [(name.encode(), retention, severity) for name, retention, severity in kinds])
    age_everything(running, 31)
    assert asyncio.run(remove_old(running.center)) == 2
    names = (b"routine", b"incident", b"personal", b"alarm")
    names = (b"routine", b"incident", b"personal", b"alarm")
    left = {data for data in names if running.center.blobs.has(reference(data).sha256)}
    assert left == {b"incident", b"alarm"}
    assert asyncio.run(remove_old(running.center)) == 0


def test_events_go_after_their_time_and_detections_stay(running: RunningCenter) -> None:
    robot = running.enrol()
    report(running, robot, [(b"x", "incident", 1)])
    age_everything(running, 800)
    asyncio.run(remove_old(running.center))
    with running.center.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(schema.event)).scalar_one() == 0
        assert connection.execute(select(func.count()).select_from(schema.detection)).scalar_one() == 1


def test_a_backup_taken_while_running_restores_everything(running: RunningCenter, tmp_path: Path) -> None:
    robot = running.enrol()
    report(running, robot, [(b"one", "routine", 1), (b"two", "incident", 3)])
    assert back_up(running.center.state, tmp_path / "backup") == 2
    assert back_up(running.center.state, tmp_path / "backup") == 2
    assert restore(tmp_path / "backup", tmp_path / "restored") == 2
    center = Center(tmp_path / "restored", Settings())
    try:
        with center.engine.connect() as connection:
            assert connection.execute(select(func.count()).select_from(schema.event)).scalar_one() == 2
        assert b"".join(center.blobs.read(reference(b"two").sha256) or ()) == b"two"
        assert center.key.public.to_text() == running.center.key.public.to_text()
    finally:
        center.close()
    with pytest.raises(InputError, match="holds a center already"):
        restore(tmp_path / "backup", tmp_path / "restored")
    with pytest.raises(InputError, match="is no backup"):
        restore(tmp_path, tmp_path / "other")


def test_metrics_are_for_those_who_may_read_statistics(running: RunningCenter) -> None:
    robot = running.enrol()
    report(running, robot, [(b"one", "routine", 3)])
    assert httpx.get(f"{running.url}/health/metrics").status_code == 401
    token = running.service_token("auditor")
    text = httpx.get(f"{running.url}/health/metrics", headers={"Authorization": f"Bearer {token}"}).text
    assert 'inspection_alerts{state="open"} 1.0' in text
    assert 'inspection_robot_outbox_events{robot="robot_1"} 0.0' in text


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("session_hours: 0", "session_hours"),
        ("sesion_hours: 3", "sesion_hours"),
        ("- a", "Input should be"),
        ("a: [", "no YAML"),
        ("retention: {routine_evidence_days: -1}", "retention.routine_evidence_days"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "center.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=fault):
        read_settings(path)
    with pytest.raises(InputError, match="No such file"):
        read_settings(tmp_path / "missing.yaml")


def test_the_shipped_settings_are_the_defaults() -> None:
    assert read_settings(Path(__file__).resolve().parents[2] / "config" / "center.yaml") == Settings()


def test_bad_starts_are_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state", str(tmp_path / "center")]
    (tmp_path / "file").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = [
            (["serve", "--port", port, *state], "the port is in use"),
            (["serve", "--port", "70000", *state], "not within"),
            (["serve", "--host", "192.0.2.1", "--port", "0", *state], "no such address"),
            (["serve", "--host", "0.0.0.0", "--demo", str(tmp_path / "d.json"), *state], "loopback only"),
            (["serve", "--port", "0", "--state", str(tmp_path / "file")], "cannot be the state folder"),
            (["serve", "--port", "0", "--settings", str(tmp_path / "none.yaml"), *state], "No such file"),
            (["enrol", "Robot 1", *state], "a robot's name"),
            (["backup", str(tmp_path / "b"), "--state", str(tmp_path)], "has no center.db"),
        ]
        for words, fault in cases:
            assert main(words) == 2, words
            error = capsys.readouterr().err
            assert fault in error, words
            assert error.count("\n") == 1, error


def test_an_administrator_works_beside_the_running_center(
    running: RunningCenter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ["--state", str(running.center.state)]
    monkeypatch.setattr("sys.stdin.readline", lambda: "a good password\n", raising=False)
    assert main(["enrol", "robot_7", *state]) == 0
    code = capsys.readouterr().out.strip()
    with CenterClient(running.url) as client:
        from inspection_contract.signatures import SigningKey

        assert client.enrol(code, SigningKey.generate()).robot == "robot_7"
    assert main(["service-token", "scraper", "--role", "auditor", *state]) == 0
    token = capsys.readouterr().out.strip()
    assert httpx.get(f"{running.url}/health/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 200
