"""Real processes, killed at random moments: what the bridge accepted is at the center exactly once, in order."""

import contextlib
import json
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest

from inspection_contract.client import CenterClient
from inspection_contract.events import Detection
from inspection_robot.demo.stack import RobotStart, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.ros]

KILLS = 9
LONGEST_PAUSE_S = 4.0


@pytest.mark.timeout(420)
def test_what_the_bridge_accepted_is_at_the_center_once_and_in_order_whoever_was_killed(tmp_path):
    pictures = pytest.importorskip("inspection_sim.ros.picture_publisher", reason="ROS 2 is not here")
    from inspection_sim.sensors.hot_spots import hot_spots

    rng, chance = np.random.default_rng(1), random.Random(1)
    robot = RobotStart.thermal_only(source="topic")
    with Stack(tmp_path, 0) as stack:
        stack.start_center()
        stack.start_robot(robot)
        with pictures.PicturePublisher(stack.namespace, "thermal/image_raw", 9.0, lambda t: hot_spots(t, rng)):
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.5, LONGEST_PAUSE_S))
                kill(stack, chance.choice(["bridge", "center", "thermal"]))
            time.sleep(12.0)  # the pattern's cycle, so that the last restarted node finds something too
        accepted = drained_outbox(stack.folder)
        stored = at_the_center(stack)
    assert len(accepted) > 20
    assert Counter(stored) == Counter(accepted)
    assert stored == accepted


def kill(stack: Stack, name: str) -> None:
    """Kill one process without warning; a center is started again here, a node by the robot's supervisor."""
    if name == "center":
        psutil.Process(stack.processes["center"].pid).send_signal(signal.SIGKILL)
        stack.restart_center()
        return
    for child in psutil.Process(stack.processes["robot"].pid).children(recursive=True):
        if name in {Path(word).name for word in child.cmdline()}:
            child.send_signal(signal.SIGKILL)


def drained_outbox(state: Path) -> list[str]:
    """Ids of all accepted findings in their order, once nothing waits for the center."""
    deadline = time.monotonic() + 90.0
    while time.monotonic() < deadline:
        with contextlib.closing(sqlite3.connect(state / "bridge" / "outbox.db")) as database:
            events = [json.loads(row[0]) for row in database.execute("SELECT bytes FROM event ORDER BY sequence")]
            acknowledged = int(dict(database.execute("SELECT name, value FROM meta")).get("acknowledged", 0))
        if events and acknowledged == len(events):
            return [event["id"] for event in events if event["type"] == Detection.TYPE]
        time.sleep(0.5)
    pytest.fail(f"{len(events) - acknowledged} of {len(events)} events were never acknowledged")


def at_the_center(stack: Stack) -> list[str]:
    """Ids of all stored findings, in the order of the robot's sequence."""
    found, after = [], 0
    with CenterClient(stack.center["url"], stack.center["reader_token"]) as client:
        while events := client.events(after, 1000):
            after = events[-1].number
            found += [(event.sequence, event.data["uuid"]) for event in events if event.type == Detection.TYPE]
    return [uuid for _, uuid in sorted(found)]
