"""Real processes, killed at random moments: what the bridge accepted is at the center exactly once, in order."""

import contextlib
import json
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from inspection_contract.client import CenterClient
from inspection_contract.events import Detection
from inspection_robot.demo.stack import RobotStart, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.ros]

KILLS = 9
LONGEST_PAUSE_S = 8.0


@pytest.mark.timeout(420)
def test_what_the_bridge_accepted_is_at_the_center_once_and_in_order_whoever_was_killed(tmp_path):
    pictures = pytest.importorskip("inspection_sim.ros.picture_publisher", reason="ROS 2 is not here")
    from inspection_sim.sensors.hot_spots import hot_spots

    rng, chance = np.random.default_rng(1), random.Random(1)
    robot = RobotStart.thermal_only(source="topic")
    with Stack(tmp_path, 0) as stack:
        stack.start_center()
        stack.start_robot(robot)
        stack.await_center()
        stack.await_robot()
        with pictures.PicturePublisher(stack.namespace, "thermal/image_raw", 9.0, lambda t: hot_spots(t, rng)):
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.5, LONGEST_PAUSE_S))
                kill(stack, chance.choice(["bridge", "center", "thermal"]))
            before = len(outbox(stack.folder)[0])
            wait_until(lambda: len(outbox(stack.folder)[0]) > before + 10, "the restarted nodes find something again")
        wait_until(lambda: outbox(stack.folder)[1] == 0, "the center has acknowledged everything")
        accepted = outbox(stack.folder)[0]
        stored = at_the_center(stack)
    assert len(accepted) > 10
    assert Counter(stored) == Counter(accepted)
    assert stored == accepted


def kill(stack: Stack, name: str) -> None:
    """Kill one process without warning; a center is started again here, a node by the robot's supervisor."""
    if name == "center":
        psutil.Process(stack.processes["center"].pid).send_signal(signal.SIGKILL)
        stack.restart_center()
        return
    for child in psutil.Process(stack.processes["robot"].pid).children(recursive=True):
        if name in {Path(word).name for word in " ".join(child.cmdline()).split()}:
            child.send_signal(signal.SIGKILL)


def outbox(state: Path) -> tuple[list[str], int]:
    """Ids of all accepted findings in their order, and how many events the center has not acknowledged."""
    with contextlib.closing(sqlite3.connect(state / "bridge" / "outbox.db")) as database:
        events = [json.loads(row[0]) for row in database.execute("SELECT bytes FROM event ORDER BY sequence")]
        acknowledged = int(dict(database.execute("SELECT name, value FROM meta")).get("acknowledged", 0))
    return [event["id"] for event in events if event["type"] == Detection.TYPE], len(events) - acknowledged


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120.0
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.5)


def at_the_center(stack: Stack) -> list[str]:
    """Ids of all stored findings, in the order of the robot's sequence."""
    found, after = [], 0
    with CenterClient(stack.center["url"], stack.center["reader_token"]) as client:
        while events := client.events(after, 1000):
            after = events[-1].number
            found += [(event.sequence, event.data["uuid"]) for event in events if event.type == Detection.TYPE]
    return [uuid for _, uuid in sorted(found)]
