"""The center: durable ingest per second (SQLite, PostgreSQL), one finding, catching up, a console page."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import psutil
from tests.center.postgresql import postgresql, programs

from inspection_contract.client import EVENTS_PATH, CenterClient
from inspection_contract.envelope import BATCH_MEDIA_TYPE, join_batch, source_name, write_event
from inspection_contract.events import Detection, Incident, RobotStatus, Severity
from inspection_contract.fields import Pose, Position
from inspection_contract.signatures import SigningKey, request_headers
from inspection_robot.bridge.credentials import Credentials
from inspection_robot.bridge.outbox import Outbox, OutgoingEvent
from inspection_robot.bridge.sender import Sender
from inspection_robot.evidence import EvidenceStore

_REPOSITORY = Path(__file__).resolve().parents[1]
_CONNECTIONS = 4
_BATCH = 200
_EVENT_BYTES = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", type=int, default=80_000, help="events of each ingest run (default 80000)")
    parser.add_argument("--skip-postgresql", action="store_true", help="measure SQLite only")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    with _running("") as (url, robots, demo):
        sqlite = _ingest(url, robots, arguments.events, demo["process"])
        p99_ms = _finding_p99_ms(url, robots[0])
        catch_up_s = _catch_up_s(url, robots[1])
    with _running("") as (url, robots, reader):
        page_ms, alarm_ms = _console(url, robots, reader)
    on_postgresql = _Ingest(None, None)
    if not arguments.skip_postgresql and programs() is not None:
        with postgresql() as database, _running(database) as (url, robots, demo):
            on_postgresql = _ingest(url, robots, arguments.events, demo["process"])
    return {
        "ingest_sqlite_per_s": sqlite.per_s,
        "ingest_sqlite_cpu_us": sqlite.cpu_us,
        "ingest_postgresql_per_s": on_postgresql.per_s,
        "ingest_postgresql_cpu_us": on_postgresql.cpu_us,
        "floor_sqlite_cpu_us": _floor_us(),
        "load_average": round(os.getloadavg()[0], 1),
        "finding_p99_ms": p99_ms,
        "catch_up_30_min_s": catch_up_s,
        "page_ms": page_ms,
        "alarm_ms": alarm_ms,
    }


class _Robot:
    """A robot that makes events by filling a template: making them must not be what is measured."""

    def __init__(self, name: str, token: str, key: SigningKey) -> None:
        self.name, self.token, self.key = name, token, key
        self.outbox = uuid4()
        self.sequence = 0
        identity = UUID(int=0)
        body = _detection(identity, Severity.NOTICE)
        plain = write_event(body, id=identity, source=source_name(name, self.outbox), sequence=0, time=body.stamp)
        padded = body.model_copy(update={"attributes": {"note": "x" * max(0, _EVENT_BYTES - len(plain) - 10)}})
        self._template = write_event(
            padded, id=identity, source=source_name(name, self.outbox), sequence=0, time=body.stamp
        ).replace(b'"sequence":"%020d"' % 0, b'"sequence":"%020d"')

    def batch(self, count: int) -> bytes:
        events = []
        for _ in range(count):
            self.sequence += 1
            identity = str(uuid4()).encode()
            events.append((self._template % self.sequence).replace(str(UUID(int=0)).encode(), identity))
        return join_batch(events)

    def headers(self, body: bytes) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": BATCH_MEDIA_TYPE,
            **request_headers(self.key, robot=self.name, method="POST", path=EVENTS_PATH, body=body),
        }


@dataclass(frozen=True)
class _Ingest:
    """Durable events a second by the wall clock, and the center's own processor time for each [µs]."""

    per_s: float | None
    cpu_us: float | None


def _ingest(url: str, robots: list[_Robot], events: int, process_id: int) -> _Ingest:
    """Until the last acknowledgement, 4 connections × 200 in flight, from a process of its own."""
    batches = max(1, events // (_CONNECTIONS * _BATCH))
    work = {
        "url": url,
        "robots": [{"name": robot.name, "token": robot.token, "key": robot.key.to_text()} for robot in robots],
        "batches": batches,
    }
    center = psutil.Process(process_id)
    before = center.cpu_times()
    process = subprocess.run(
        [sys.executable, str(Path(__file__).resolve())],
        input=json.dumps(work), capture_output=True, text=True, check=True, env=_environment(),
    )  # fmt: skip
    after = center.cpu_times()
    seconds = after.user + after.system - before.user - before.system
    return _Ingest(float(process.stdout), round(1e6 * seconds / (batches * _CONNECTIONS * _BATCH), 1))


def _floor_us(batches: int = 40) -> float:
    """Processor time an event when nothing is done but parse its JSON and insert its row durably [µs]."""
    robot = _Robot("robot_1", "", SigningKey.generate())
    bodies = [robot.batch(_BATCH) for _ in range(batches)]
    with tempfile.TemporaryDirectory(prefix="floor-") as name, sqlite3.connect(Path(name) / "floor.db") as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE event (number INTEGER PRIMARY KEY, id TEXT, data TEXT)")
        begin = time.process_time()
        for body in bodies:
            rows = [(event["id"], json.dumps(event["data"])) for event in json.loads(body)]
            database.executemany("INSERT INTO event (id, data) VALUES (?, ?)", rows)
            database.commit()
        return round(1e6 * (time.process_time() - begin) / (batches * _BATCH), 1)


def _send_load(work: dict[str, Any]) -> float:
    robots = [_Robot(item["name"], item["token"], SigningKey.from_text(item["key"])) for item in work["robots"]]
    prepared = []
    for robot in robots[:_CONNECTIONS]:
        bodies = [robot.batch(_BATCH) for _ in range(work["batches"])]
        prepared.append([(body, robot.headers(body)) for body in bodies])
    address = urlsplit(work["url"])
    faults: list[str] = []

    def send(requests: list[tuple[bytes, dict[str, str]]]) -> None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        for body, headers in requests:
            connection.request("POST", EVENTS_PATH, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200 or json.loads(content)["stored"] != _BATCH:
                faults.append(f"{answer.status} {content[:200]!r}")
                return

    threads = [threading.Thread(target=send, args=(requests,)) for requests in prepared]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    if faults:
        raise SystemExit(f"the center did not store everything: {faults[0]}")
    return round(sum(len(requests) for requests in prepared) * _BATCH / seconds, 1)


def _finding_p99_ms(url: str, robot: _Robot, count: int = 400) -> float:
    times = []
    robot.outbox, robot.sequence = uuid4(), 0
    fresh = _Robot(robot.name, robot.token, robot.key)
    with httpx.Client(base_url=url) as client:
        for _ in range(count):
            body = fresh.batch(1)
            headers = fresh.headers(body)
            begin = time.perf_counter()
            client.post(EVENTS_PATH, content=body, headers=headers).raise_for_status()
            times.append(1e3 * (time.perf_counter() - begin))
            time.sleep(0.01)
    return round(statistics.quantiles(times, n=100)[98], 2)


def _catch_up_s(url: str, robot: _Robot) -> float:
    """How long the bridge's own sender takes for what 30 min without a link leave at 10 findings a second [s]."""
    key = robot.key
    credentials = Credentials(url, robot.name, robot.token, key.to_text(), key.public.to_text(), "A" * 43)
    with tempfile.TemporaryDirectory(prefix="outbox-") as name, CenterClient(url, robot.token) as client:
        outbox = Outbox(Path(name) / "outbox.db", robot.name)
        for _ in range(36):
            bodies = [_detection(uuid4(), Severity.NOTICE) for _ in range(500)]
            outbox.accept([OutgoingEvent(body.uuid, body) for body in bodies])
        sender = Sender(client, credentials, outbox, EvidenceStore(Path(name) / "evidence"), lambda: None)
        begin = time.perf_counter()
        while not sender.send_once():
            pass
        seconds = time.perf_counter() - begin
        outbox.close()
    return round(seconds, 2)


def _console(url: str, robots: list[_Robot], demo: dict[str, Any]) -> tuple[float, float]:
    """Median time of the start page, and longest of an alarm to a page, with 10,000 incidents and 100 robots [ms]."""
    sender = robots[0]
    fleet = robots[: len(demo["robots"])]
    with CenterClient(url, sender.token) as client:
        now = datetime.now(UTC)
        for first in range(0, 10_000, 500):
            events = []
            for number in range(first, first + 500):
                incident = Incident(
                    uuid=uuid4(),
                    stamp=now,
                    state="awaiting_officer" if number % 100 == 0 else "dismissed",
                    kind="thermal.fever",
                    grade="C",
                    confidence=0.9,
                    pose=Pose(position=Position(x=number % 60, y=number % 30)),
                )
                events.append(
                    write_event(
                        incident,
                        id=uuid4(),
                        source=source_name(sender.name, sender.outbox),
                        sequence=number + 1,
                        time=now,
                    )
                )
            client.send_events(sender.name, sender.key, events)
    sender.sequence = 10_000
    stopping = threading.Event()

    def report(part: list[_Robot]) -> None:
        clients = [CenterClient(url, robot.token) for robot in part]
        while not stopping.is_set():
            begin = time.monotonic()
            for index, client in enumerate(clients):
                client.put_status(
                    RobotStatus(
                        stamp=datetime.now(UTC),
                        ready=True,
                        battery=0.7,
                        pose=Pose(position=Position(x=index % 60, y=10.0)),
                    )
                )
            stopping.wait(max(0.0, 1.0 - (time.monotonic() - begin)))

    threads = [threading.Thread(target=report, args=(fleet[part::4],), daemon=True) for part in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(2.0)
    with httpx.Client(base_url=url, follow_redirects=True, timeout=30.0) as browser:
        browser.get(demo["console_url"]).raise_for_status()
        pages = []
        for _ in range(30):
            begin = time.perf_counter()
            browser.get("/").raise_for_status()
            pages.append(1e3 * (time.perf_counter() - begin))
            time.sleep(0.05)
        alarms = _alarm_times(url, browser, sender)
    stopping.set()
    for thread in threads:
        thread.join()
    return round(statistics.median(pages), 1), round(max(alarms), 1)


def _alarm_times(url: str, browser: httpx.Client, robot: _Robot, count: int = 10) -> list[float]:
    """From the robot's POST to the row in the page's stream [ms]."""
    times = []
    with httpx.Client(base_url=url) as client, browser.stream("GET", "/findings/stream", timeout=10.0) as stream:
        lines = stream.iter_lines()
        next(lines)
        for _ in range(count):
            body = _detection(uuid4(), Severity.ALARM)
            robot.sequence += 1
            content = join_batch(
                [
                    write_event(
                        body, id=body.uuid, source=source_name(robot.name, robot.outbox), sequence=robot.sequence,
                        time=body.stamp,
                    )
                ]
            )  # fmt: skip
            begin = time.perf_counter()
            client.post(EVENTS_PATH, content=content, headers=robot.headers(content)).raise_for_status()
            for line in lines:
                if str(body.uuid) in line:
                    break
            times.append(1e3 * (time.perf_counter() - begin))
    return times


def _detection(identity: UUID, severity: Severity) -> Detection:
    return Detection(
        uuid=identity,
        stamp=datetime.now(UTC),
        frame_id="thermal_optical_frame",
        kind="thermal.fever",
        severity=severity,
        confidence=0.93,
        value=38.4,
        unit="Cel",
        standard_uncertainty=0.21,
        subject="thermal_17",
        pose=Pose(position=Position(x=12.5, y=3.25)),
        rule_id="fever.two_stage",
        rule_version="1",
    )


@contextmanager
def _running(database_url: str) -> Iterator[tuple[str, list[_Robot], dict[str, Any]]]:
    """A center process with 100 enrolled robots."""
    with tempfile.TemporaryDirectory(prefix="center-") as name:
        folder = Path(name)
        settings = folder / "center.yaml"
        settings.write_text(f"database_url: {json.dumps(database_url)}\n")
        names = [f"robot_{number}" for number in range(1, 101)]
        process = subprocess.Popen(
            [sys.executable, "-m", "inspection_center", "serve", "--port", "0", "--state", str(folder / "state"),
             "--settings", str(settings), "--demo", str(folder / "demo.json"),
             *(word for robot in names for word in ("--demo-robot", robot))],
            env=_environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError("the center did not start")
            demo = json.loads((folder / "demo.json").read_text())
            robots = []
            with CenterClient(demo["url"]) as client:
                for robot in names:
                    key = SigningKey.generate()
                    enrolment = client.enrol(demo["robots"][robot], key)
                    robots.append(_Robot(robot, enrolment.token, key))
            yield demo["url"], robots, {**demo, "process": process.pid}
        finally:
            process.terminate()
            process.wait(20)


def _environment() -> dict[str, str]:
    paths = [str(_REPOSITORY / "src"), str(_REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


if __name__ == "__main__":
    print(_send_load(json.load(sys.stdin)))
