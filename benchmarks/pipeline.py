"""Time from a published picture to the finding's commit at the center; CPU and memory of each process; the floor."""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from inspection_robot.demo.findings import StoredFinding, parse
from inspection_robot.demo.stack import RobotStart, Stack
from inspection_sim.ros.picture_publisher import PicturePublisher
from inspection_sim.sensors.hot_spots import hot_spots

FRAME_HZ = 9.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--duration", type=float, default=60.0, metavar="S", help="time measured (default 60)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start center and robot, publish the test pattern at 9 Hz, and compare stamps with the center's commit times."""
    with tempfile.TemporaryDirectory() as folder:
        robot = RobotStart.thermal_only(source="topic")
        started = time.monotonic()
        with Stack(Path(folder), 0) as stack:
            stack.start_center()
            stack.start_robot(robot)
            stack.await_center()
            stack.await_robot()
            start_s = time.monotonic() - started
            delays_s, usage = _measure(stack, arguments.duration)
            floor = _floor(Path(folder))
    milliseconds = np.array(delays_s) * 1e3
    return {
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
        "p99_ms": round(float(np.percentile(milliseconds, 99)), 1),
        "start_s": round(start_s, 2),
        "findings": len(delays_s),
        **floor,
        **usage,
    }


def _measure(stack: Stack, duration_s: float) -> tuple[list[float], dict[str, float]]:
    found: list[StoredFinding] = []

    def listen() -> None:
        for event in stack.events():
            item = parse(event)
            if isinstance(item, StoredFinding):
                found.append(item)

    threading.Thread(target=listen, daemon=True).start()
    rng = np.random.default_rng(1)
    with PicturePublisher(stack.namespace, "thermal/image_raw", FRAME_HZ, lambda t: hot_spots(t, rng)):
        time.sleep(5.0)  # the first pictures meet caches that are not warm
        found.clear()
        processes = _processes(stack)
        before = {name: sum(p.cpu_times()[:2]) for name, p in processes.items()}
        time.sleep(duration_s)
        usage: dict[str, float] = {}
        for name, process in processes.items():
            cpu = (sum(process.cpu_times()[:2]) - before[name]) / duration_s * 100.0
            usage[f"cpu_{name}_percent"] = round(cpu, 1)
            usage[f"memory_{name}_mb"] = round(process.memory_info().rss / 2**20, 1)
    return [finding.delay_s for finding in found], usage


def _processes(stack: Stack) -> dict[str, psutil.Process]:
    """The center and every node, by name."""
    nodes = {"thermal", "bridge", "health"}
    found = {"center": psutil.Process(stack.processes["center"].pid)}
    for child in psutil.Process(stack.processes["robot"].pid).children(recursive=True):
        words = {Path(word).name for word in " ".join(child.cmdline()).split()}
        for name in nodes & words:
            found[name] = child
    return found


def _floor(folder: Path) -> dict[str, float]:
    """What no implementation gets below here: two durable commits (outbox, center) of one kilobyte on this disk."""
    times = []
    with (folder / "floor").open("wb", buffering=0) as file:
        for _ in range(50):
            before = time.perf_counter()
            file.write(b"x" * 1024)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - before)
    return {"floor_two_commits_ms": round(2e3 * float(np.median(times)), 2)}
