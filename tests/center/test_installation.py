"""The larger installation: evidence in S3, two instances over PostgreSQL with NATS between them, a floor plan."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import cv2
import httpx
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from inspection_center.plan.floor_plan import read_floor_plan
from inspection_center.service import Center
from inspection_center.settings import S3Settings, Settings
from inspection_contract.client import CenterBusy, CenterClient, CenterRefused
from inspection_contract.errors import InputError
from inspection_contract.fields import EvidenceReference
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.contract.builders import detection


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Settings]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = S3Settings(bucket="evidence", endpoint_url=f"http://{host}:{port}")
    boto3.client("s3", endpoint_url=settings.endpoint_url).create_bucket(Bucket="evidence")
    yield settings
    server.stop()


@pytest.fixture
def nats_url() -> Iterator[str]:
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if program is None:
        pytest.skip("nats-server is not installed (apt-get install nats-server)")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [program, "-a", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    yield f"nats://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


def test_evidence_lives_in_s3_as_it_does_in_files(tmp_path: Path, s3: S3Settings) -> None:
    data = b"picture" * 1000
    reference = EvidenceReference(sha256=hashlib.sha256(data).hexdigest(), media_type="image/png", size_bytes=len(data))
    with RunningCenter(tmp_path, Settings(s3=s3)) as running:
        robot = running.enrol()
        with CenterClient(running.url, robot.token) as client:
            client.put_evidence(reference, data)
            with pytest.raises(CenterRefused, match="hash"):
                client.put_evidence(reference, b"other")
        with CenterClient(running.url, running.service_token("officer")) as reader:
            assert reader.get_evidence(reference.sha256) == data
            assert reader.ready()
        assert running.center.blobs.has(reference.sha256)
        running.center.blobs.remove(reference.sha256)
        assert not running.center.blobs.has(reference.sha256)
        assert running.center.blobs.read(reference.sha256) is None


def test_a_store_that_is_away_is_told_and_readiness_sees_it(tmp_path: Path, s3: S3Settings) -> None:
    away = s3.model_copy(update={"bucket": "nowhere"})
    data = b"picture"
    reference = EvidenceReference(sha256=hashlib.sha256(data).hexdigest(), media_type="image/png", size_bytes=7)
    with RunningCenter(tmp_path, Settings(s3=away)) as running:
        robot = running.enrol()
        with CenterClient(running.url, robot.token) as client:
            with pytest.raises(CenterBusy, match="evidence store"):
                client.put_evidence(reference, data)
            assert not client.ready()


def test_two_instances_tell_each_other_what_is_new(tmp_path: Path, empty_postgresql: str, nats_url: str) -> None:
    settings = Settings(database_url=empty_postgresql, nats_url=nats_url)
    (tmp_path / "two").mkdir()
    with RunningCenter(tmp_path / "one", settings) as one:
        shutil.copy(tmp_path / "one" / "signing.key", tmp_path / "two" / "signing.key")
        with RunningCenter(tmp_path / "two", settings) as two:
            name = f"robot_{time.time_ns()}"
            robot = one.enrol(name)
            heard: list[str] = []
            done = threading.Event()
            token = one.service_token("officer")
            start = two.center.tail.last

            def listen() -> None:
                with CenterClient(two.url, token) as client:
                    for event in client.stream_events(after=start):
                        heard.append(str(event.data["uuid"]))
                        if len(heard) == 20:
                            done.set()
                            return

            threading.Thread(target=listen, daemon=True).start()
            bodies = [detection(stamp=datetime.now(UTC)) for _ in range(20)]
            batch = events(name, bodies)
            with CenterClient(one.url, robot.token) as first, CenterClient(two.url, robot.token) as second:
                assert first.send_events(name, robot.key, batch[:10]).stored == 10
                # The robot's next batch, and a repetition, reach the other instance.
                receipt = second.send_events(name, robot.key, batch[5:])
            assert (receipt.stored, receipt.duplicates) == (10, 5)
            assert done.wait(20)
            assert heard == [str(body.uuid) for body in bodies]


def test_a_map_of_the_robots_lies_below_the_floor_plan(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "hall.pgm"), np.full((300, 600), 254, np.uint8))
    path = tmp_path / "hall.yaml"
    path.write_text("image: hall.pgm\nresolution: 0.1\norigin: [-5.0, -2.0, 0.0]\nnegate: 0\n")
    plan = read_floor_plan(path)
    assert plan.bounds_m == pytest.approx((-5.0, -2.0, 55.0, 28.0))
    assert plan.png.startswith(b"\x89PNG")
    with RunningCenter(tmp_path / "center", Settings(floor_plan=str(path))) as running:
        headers = {"Authorization": f"Bearer {running.service_token('officer')}"}
        assert httpx.get(f"{running.url}/plan.png", headers=headers).content == plan.png
        lowest = httpx.get(f"{running.url}/live/map", headers=headers).json()["layers"][0]
        assert (lowest["url"], lowest["bounds"]) == ("/plan.png", pytest.approx([-5.0, -2.0, 55.0, 28.0]))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("image: none.pgm\nresolution: 0.1\norigin: [0, 0, 0]", "No such file"),
        ("image: broken.pgm\nresolution: 0.1\norigin: [0, 0, 0]", "cannot be read"),
        ("image: x\nresolution: -1\norigin: [0, 0, 0]", "resolution"),
        ("image: broken.pgm\nresolution: 1", "origin"),
        ("[", "no YAML"),
    ],
)
def test_a_map_that_cannot_be_drawn_is_named_at_the_start(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "broken.pgm").write_bytes(b"P5 not really")
    (tmp_path / "map.yaml").write_text(content)
    with pytest.raises(InputError, match=fault):
        Center(tmp_path / "center", Settings(floor_plan=str(tmp_path / "map.yaml")))
