from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspection_sim.radio import RadioLink


class Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Path]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        path = tmp_path / "center.json"
        path.write_text(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}))
        yield path
        server.shutdown()


def connect(announced: Path) -> socket.socket:
    deadline = time.monotonic() + 30
    while not announced.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = int(json.loads(announced.read_text())["url"].rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def test_bytes_go_through_both_ways(center: Path, tmp_path: Path) -> None:
    with RadioLink(center, tmp_path / "radio.json"), connect(tmp_path / "radio.json") as robot:
        robot.sendall(b"x" * 300_000 + b"\n")
        assert robot.makefile("rb").readline() == b"x" * 300_000 + b"\n"


def test_while_the_link_is_down_nothing_arrives_and_afterwards_everything_does(center: Path, tmp_path: Path) -> None:
    with RadioLink(center, tmp_path / "radio.json") as link, connect(tmp_path / "radio.json") as robot:
        answers = robot.makefile("rb")
        robot.sendall(b"before\n")
        assert answers.readline() == b"before\n"
        link.switch(up=False)
        robot.sendall(b"during\n")
        with connect(tmp_path / "radio.json") as other:
            other.sendall(b"other\n")
            for silent in (robot, other):
                silent.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    silent.recv(1)
                silent.settimeout(30)
            link.switch(up=True)
            assert robot.recv(7, socket.MSG_WAITALL) == b"during\n"
            assert other.recv(6, socket.MSG_WAITALL) == b"other\n"


def test_before_the_center_is_there_connections_are_closed(tmp_path: Path) -> None:
    with (
        RadioLink(tmp_path / "absent.json", tmp_path / "radio.json"),
        connect(tmp_path / "radio.json") as robot,
    ):
        assert robot.recv(1) == b""


def test_when_one_side_closes_the_other_learns_of_it(center: Path, tmp_path: Path) -> None:
    with RadioLink(center, tmp_path / "radio.json"), connect(tmp_path / "radio.json") as robot:
        robot.sendall(b"last\n")
        robot.shutdown(socket.SHUT_WR)
        assert robot.makefile("rb").read() == b"last\n"
