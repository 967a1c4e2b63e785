"""Large evidence arrives in pieces; a cut in the middle costs only what was on the way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from inspection_center.maintenance import remove_old
from inspection_center.settings import S3Settings, Settings
from inspection_contract.client import PIECE_BYTES, CenterClient, CenterError, CenterRefused
from inspection_contract.events import Severity
from inspection_contract.fields import EvidenceReference
from inspection_robot.backoff import Backoff
from inspection_robot.bridge.credentials import Credentials
from inspection_robot.bridge.outbox import Outbox, OutgoingEvent
from inspection_robot.bridge.sender import Sender
from inspection_robot.evidence import EvidenceStore
from tests.center.running import EnrolledRobot, RunningCenter
from tests.center.test_installation import s3
from tests.contract.builders import detection

__all__ = ["s3"]
DATA = random.Random(4).randbytes(3 * PIECE_BYTES + 4711)
REFERENCE = EvidenceReference(sha256=hashlib.sha256(DATA).hexdigest(), media_type="image/png", size_bytes=len(DATA))


class CuttingWire:
    """Passes bytes between a client and the center, and cuts each of the first connections after some bytes."""

    def __init__(self, port: int, cuts: list[int]) -> None:
        self._port = port
        self._cuts = cuts
        self.passed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            center = socket.create_connection(("127.0.0.1", self._port))
            left = self._cuts.pop(0) if self._cuts else None
            threading.Thread(target=self._pass, args=(client, center, left), daemon=True).start()
            threading.Thread(target=self._pass, args=(center, client, None), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        try:
            while data := source.recv(2**16):
                data = data if left is None else data[:left]
                sink.sendall(data)
                if source.getpeername()[1] != self._port:
                    self.passed += len(data)
                if left is not None and (left := left - len(data)) <= 0:
                    break
        except OSError:
            return
        finally:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


@contextmanager
def wire(running: RunningCenter, *cuts: int) -> Iterator[CuttingWire]:
    found = CuttingWire(running.port, list(cuts))
    yield found
    found.close()


def held(running: RunningCenter, sha256: str) -> bytes:
    return b"".join(running.center.blobs.read(sha256) or ())


def leftovers(running: RunningCenter) -> list[str]:
    return [path.name for path in (running.center.state / "uploads").iterdir()]


def send_until_it_is_there(url: str, robot: EnrolledRobot) -> int:
    """How many attempts it took."""
    for attempt in range(1, 20):
        with CenterClient(url, robot.token) as client:
            try:
                client.put_evidence(REFERENCE, DATA)
            except CenterError:
                continue
            return attempt
    raise AssertionError("the evidence never arrived")


@pytest.mark.parametrize("store", ["files", "s3"])
def test_an_upload_goes_on_where_it_was_cut(tmp_path: Path, s3: S3Settings, store: str) -> None:
    with RunningCenter(tmp_path, Settings(s3=s3 if store == "s3" else None)) as running:
        robot = running.enrol()
        with wire(running, PIECE_BYTES + 300_000, PIECE_BYTES) as cut:
            assert send_until_it_is_there(cut.url, robot) >= 3
            # What came before each cut was not sent again: far less than the beginnings of three whole uploads.
            assert cut.passed < len(DATA) + 400_000
        assert held(running, REFERENCE.sha256) == DATA
        assert leftovers(running) == []


def test_the_bridge_resumes_by_itself(running: RunningCenter, tmp_path: Path) -> None:
    robot = running.enrol()
    store = EvidenceStore(tmp_path / "evidence")
    reference = store.put(DATA, "image/png", "picture", "incident")
    outbox = Outbox(tmp_path / "outbox.db", robot.name)
    body = detection(severity=Severity.ALARM, evidence=(reference,))
    outbox.accept([OutgoingEvent(body.uuid, body)])
    key = robot.key
    with wire(running, PIECE_BYTES + 300_000) as cut, CenterClient(cut.url, robot.token) as client:
        credentials = Credentials(cut.url, robot.name, robot.token, key.to_text(), key.public.to_text(), "A" * 43)
        sender = Sender(client, credentials, outbox, store, lambda: None, backoff=Backoff(0.01, 0.02))
        for _ in range(50):
            try:
                if sender.send_once():
                    break
            except CenterError:
                continue
        assert cut.passed < len(DATA) + 400_000
    assert held(running, reference.sha256) == DATA
    assert outbox.state().evidence == 0
    outbox.close()


def test_bytes_of_another_hash_are_thrown_away(running: RunningCenter) -> None:
    robot = running.enrol()
    with CenterClient(running.url, robot.token) as client:
        with pytest.raises(CenterRefused, match="hash"):
            client.put_evidence(REFERENCE, DATA[:-1] + b"?")
        assert leftovers(running) == []
        client.put_evidence(REFERENCE, DATA)
    assert held(running, REFERENCE.sha256) == DATA


def piece(running: RunningCenter, robot: EnrolledRobot, data: bytes, offset: str, **headers: str) -> httpx.Response:
    return httpx.patch(
        f"{running.url}/api/v1/blobs/{REFERENCE.sha256}",
        content=data,
        headers={"Authorization": f"Bearer {robot.token}", "Upload-Offset": offset, "Content-Type": "image/png"}
        | headers,
    )


def test_a_piece_that_does_not_fit_is_refused_and_the_place_told(running: RunningCenter) -> None:
    robot = running.enrol()
    assert piece(running, robot, b"abc", "0").headers["upload-offset"] == "3"
    answer = piece(running, robot, b"def", "0")
    assert (answer.status_code, answer.json()["detail"]) == (409, {"expected": 3})
    for offset in ("-1", "x", str(2**60)):
        assert piece(running, robot, b"def", offset).status_code == 422
    assert piece(running, robot, b"", "3", **{"Upload-Complete": "yes"}).status_code == 422


def test_robots_uploads_are_apart_and_too_much_is_refused(tmp_path: Path) -> None:
    with RunningCenter(tmp_path, Settings(maximum_evidence_bytes=1000)) as running:
        one, two = running.enrol("robot_1"), running.enrol("robot_2")
        assert piece(running, one, b"a" * 600, "0").status_code == 204
        assert piece(running, two, b"b" * 10, "600").status_code == 409
        assert piece(running, one, b"a" * 600, "600").status_code == 413
        assert leftovers(running) == []


def test_an_upload_nobody_goes_on_with_is_removed(running: RunningCenter) -> None:
    robot = running.enrol()
    piece(running, robot, b"abc", "0")
    path = next((running.center.state / "uploads").iterdir())
    os.utime(path, (0, 0))
    asyncio.run(remove_old(running.center))
    assert leftovers(running) == []


def test_a_connection_left_open_keeps_nobody_waiting(running: RunningCenter) -> None:
    robot = running.enrol()
    head = (
        f"PATCH /api/v1/blobs/{REFERENCE.sha256} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {robot.token}\r\n"
        "Content-Type: image/png\r\nUpload-Offset: 0\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", running.port)) as abandoned:
        abandoned.sendall(head.encode() + b"a" * 100)
        path = running.center.state / "uploads"
        deadline = time.monotonic() + 10
        while not any(file.stat().st_size == 100 for file in path.iterdir()):
            assert time.monotonic() < deadline
        assert piece(running, robot, b"b" * 100, "100").headers["upload-offset"] == "200"
        abandoned.sendall(b"a" * 900)
        assert abandoned.recv(100).startswith(b"HTTP/1.1 503")
        assert piece(running, robot, b"", "200").headers["upload-offset"] == "200"
