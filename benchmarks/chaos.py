"""Nothing lost: findings through kill -9 on both sides, dropped answers, resets, stalls, partitions and full disks."""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from inspection_contract.client import CenterClient
from inspection_robot.bridge.credentials import enrol

_ROBOT = "robot_1"
_REPOSITORY = Path(__file__).resolve().parents[1]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=90.0, help="how long things go wrong (default 90)")
    parser.add_argument("--rate", type=float, default=200.0, help="findings a second (default 200)")
    parser.add_argument("--seed", type=int, default=None, help="of the faults; by default another each time")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(2**31)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        chaos = _Chaos(Path(name), arguments.rate, random.Random(seed))
        try:
            chaos.start()
            chaos.suffer(arguments.seconds)
            caught_up_s = chaos.recover()
        finally:
            chaos.stop()
        return {"seed": seed, **chaos.compare(), **chaos.counts, "caught_up_s": caught_up_s}


class _Chaos:
    """A center, a robot and an unreliable wire between them, each a process or thread that can be hurt."""

    def __init__(self, folder: Path, rate: float, source: random.Random) -> None:
        self.folder = folder
        self.rate = rate
        self.random = source
        self.counts = {"kills": 0, "center_kills": 0, "robot_kills": 0, "disk_full": 0, "partitions": 0,
                       "dropped_answers": 0, "resets": 0, "stalls": 0}  # fmt: skip
        self.center_port = _free_port()
        self.wire = _Wire(self.center_port, self.counts)
        self.center: subprocess.Popen[bytes] | None = None
        self.robot: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        demo = self.folder / "demo.json"
        self.start_center("--demo", str(demo))
        self.wait_for_center()
        content = json.loads(demo.read_text())
        credentials = enrol(content["url"], content["robots"][_ROBOT], self.folder / "credentials.json")
        # The robot reaches the center over the wire only.
        text = (self.folder / "credentials.json").read_text().replace(credentials.center, self.wire.url)
        (self.folder / "credentials.json").write_text(text)
        self.wire.start()
        self.start_robot()

    def start_center(self, *options: str) -> None:
        self.center = subprocess.Popen(
            [sys.executable, "-m", "inspection_center", "serve", "--port", str(self.center_port),
             "--state", str(self.folder / "center"), *options],
            env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start_robot(self) -> None:
        self.robot = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), str(self.folder), str(self.rate)], env=_environment()
        )

    def wait_for_center(self) -> None:
        with CenterClient(f"http://127.0.0.1:{self.center_port}") as client:
            _wait(client.ready, 30.0, "the center does not come up")

    def suffer(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        faults: list[Callable[[], None]] = [
            self.kill_center, self.kill_center, self.kill_robot, self.kill_robot, self.fill_center_disk,
            self.fill_robot_disk, self.wire.partition, self.wire.stall, self.wire.drop_answers, self.wire.reset,
        ]  # fmt: skip
        while time.monotonic() < end:
            # Every kind of fault once in each round, in an order of its own.
            for fault in self.random.sample(faults, len(faults)):
                time.sleep(self.random.uniform(0.2, 2.0))
                if time.monotonic() < end:
                    fault()

    def kill_center(self) -> None:
        _kill(self.center)
        self.counts["kills"] += 1
        self.counts["center_kills"] += 1
        time.sleep(self.random.uniform(0.0, 1.0))
        self.start_center()

    def kill_robot(self) -> None:
        _kill(self.robot)
        self.counts["kills"] += 1
        self.counts["robot_kills"] += 1
        time.sleep(self.random.uniform(0.0, 0.5))
        self.start_robot()

    def fill_center_disk(self) -> None:
        self._fill_disk(self.center, self.folder / "center")

    def fill_robot_disk(self) -> None:
        self._fill_disk(self.robot, self.folder / "robot")

    def _fill_disk(self, process: subprocess.Popen[bytes] | None, folder: Path) -> None:
        """No file of the process may grow any more, as on a full disk; then there is room again."""
        if process is None or process.poll() is not None:
            return
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (max(min(sizes, default=0), 4096), unlimited))
        self.counts["disk_full"] += 1
        time.sleep(self.random.uniform(0.5, 2.0))
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))

    def recover(self) -> float:
        """Everything works again: how long until the center has all [s]."""
        (self.folder / "enough").touch()
        for process, start in ((self.center, self.start_center), (self.robot, self.start_robot)):
            if process is None or process.poll() is not None:
                start()
        begin = time.monotonic()
        self.wait_for_center()
        _wait(lambda: (self.folder / "empty").exists(), 120.0, "the robot does not get rid of its findings")
        return round(time.monotonic() - begin, 2)

    def stop(self) -> None:
        _kill(self.robot)
        _kill(self.center)
        self.wire.stop()

    def compare(self) -> dict[str, int]:
        """What the robot accepted against what the center holds, id by id."""
        accepted = (self.folder / "accepted").read_text().split()
        with sqlite3.connect(self.folder / "center" / "center.db") as database:
            stored = [row[0] for row in database.execute("SELECT id FROM event ORDER BY number")]
            detections = {row[0] for row in database.execute("SELECT uuid FROM detection")}
            quarantined = database.execute("SELECT count(*) FROM quarantine").fetchone()[0]
        held = set(stored)
        place = {identity: index for index, identity in enumerate(stored)}
        places = [place[identity] for identity in accepted if identity in place]
        return {
            "sent": len(accepted),
            "lost": sum(1 for identity in accepted if identity not in held or identity not in detections),
            "duplicated": len(stored) - len(held),
            "reordered": sum(1 for before, after in pairwise(places) if after < before),
            "quarantined": int(quarantined),
        }


class _Wire:
    """A TCP relay that can lose answers, reset connections, stall and part the two sides."""

    def __init__(self, port: int, counts: dict[str, int]) -> None:
        self._target = port
        self._counts = counts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open = threading.Event()
        self._open.set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._dropping = 0
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def partition(self) -> None:
        self._counts["partitions"] += 1
        self._open.clear()
        self._close_all()
        time.sleep(3.0)
        self._open.set()

    def stall(self) -> None:
        self._counts["stalls"] += 1
        self._flowing.clear()
        time.sleep(2.0)
        self._flowing.set()

    def drop_answers(self) -> None:
        """The next answers are cut off: the center has stored, the robot does not know."""
        with self._lock:
            self._dropping = 3

    def reset(self) -> None:
        self._counts["resets"] += 1
        self._close_all()

    def _close_all(self) -> None:
        with self._lock:
            for connection in self._connections:
                _abort(connection)
            self._connections.clear()

    def _accept(self) -> None:
        while True:
            try:
                robot, _ = self._listener.accept()
            except OSError:
                return
            if not self._open.is_set():
                _abort(robot)
                continue
            try:
                center = socket.create_connection(("127.0.0.1", self._target), 2.0)
            except OSError:
                _abort(robot)
                continue
            center.settimeout(None)
            with self._lock:
                self._connections |= {robot, center}
            threading.Thread(target=self._relay, args=(robot, center, False), daemon=True).start()
            threading.Thread(target=self._relay, args=(center, robot, True), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                if answers and b'"acknowledged"' in data and self._take_drop():
                    break
                sink.sendall(data)
        except OSError:
            pass  # Cut by the other side, or by us: that is what this wire is for.
        _abort(source)
        _abort(sink)
        with self._lock:
            self._connections -= {source, sink}

    def _take_drop(self) -> bool:
        with self._lock:
            if self._dropping:
                self._dropping -= 1
                self._counts["dropped_answers"] += 1
                return True
        return False


def _find(folder: Path, rate: float) -> None:
    """The robot: accepts findings into its outbox, notes what was accepted, sends. Runs until killed."""
    from datetime import UTC, datetime
    from uuid import uuid4

    from inspection_contract.events import Detection, RobotStatus, Severity
    from inspection_robot.bridge.disk import DiskPolicy
    from inspection_robot.bridge.outbox import OutboxError, OutgoingEvent
    from inspection_robot.bridge.service import Bridge, BridgeSettings
    from inspection_robot.evidence import EvidenceError

    logging.disable(logging.WARNING)  # Faults of the way are what this is about; they are counted, not told.
    settings = BridgeSettings(
        _ROBOT, folder / "robot" / "outbox.db", folder / "robot" / "evidence", folder / "credentials.json",
        DiskPolicy(2**28), retry_maximum_s=1.0,
    )  # fmt: skip
    bridge = Bridge(settings, lambda *_: None, lambda: RobotStatus(stamp=datetime.now(UTC), ready=True))
    bridge.start()
    source = random.Random()
    # The note lies outside the folder whose disk fills up, and is appended in one write: a kill cannot tear it.
    with (folder / "accepted").open("ab", buffering=0) as accepted:
        while not (folder / "enough").exists():
            evidence = ()
            if source.random() < 0.05:
                try:
                    evidence = (bridge.store.put(source.randbytes(5000), "image/png", "overlay"),)
                except EvidenceError:
                    continue
            bodies = [
                Detection(
                    uuid=uuid4(),
                    stamp=datetime.now(UTC),
                    kind="thermal.fever",
                    severity=Severity.NOTICE,
                    confidence=0.9,
                    value=source.gauss(37.0, 0.5),
                    unit="Cel",
                    standard_uncertainty=0.2,
                    evidence=evidence,
                )
                for _ in range(source.randrange(1, 9))
            ]
            try:
                bridge.outbox.accept([OutgoingEvent(body.uuid, body) for body in bodies])
            except OutboxError:
                time.sleep(0.05)
                continue
            note = "".join(f"{body.uuid}\n" for body in bodies).encode()
            while note:
                try:
                    note = note[accepted.write(note) or 0 :]
                except OSError:
                    time.sleep(0.05)  # The limit that plays the full disk holds for this file too; wait for room.
            bridge._accepted(len(bodies))
            time.sleep(len(bodies) / rate)
    while bridge.outbox.state().events or bridge.outbox.state().evidence:
        time.sleep(0.05)
    (folder / "empty").touch()
    time.sleep(60.0)


def _environment() -> dict[str, str]:
    paths = [str(_REPOSITORY / "src"), str(_REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _abort(connection: socket.socket) -> None:
    try:
        # Linger 0: the other side sees a reset, as from a machine that lost its power.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # Closed already.
    connection.close()


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _wait(condition: Callable[[], bool], timeout_s: float, fault: str) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(fault)
        time.sleep(0.05)


if __name__ == "__main__":
    _find(Path(sys.argv[1]), float(sys.argv[2]))
