"""Real-time factor of the simulator alone on one core, and of the whole stack with it."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from inspection_contract.errors import InputError
from inspection_sim.instruments import Instruments
from inspection_sim.sensors.lidar import LidarModel
from inspection_sim.sensors.thermal_camera import ThermalCameraModel
from inspection_sim.simulation import TICK_S, Simulation, load

WARM_UP_S = 20.0
"""The stack's first seconds hold start-up costs and are not measured."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenario", default="morning_arrivals", help="default %(default)s: 40 passengers")
    parser.add_argument("--seconds", type=float, default=60.0, help="simulated time measured (default %(default)s)")
    parser.add_argument("--alone", action="store_true", help="leave the whole stack out")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the simulator alone by its processor time, then with every node and the center by the clock."""
    figures = _alone(arguments.scenario, arguments.seconds)
    return figures if arguments.alone else {**figures, **_stack(arguments.scenario, arguments.seconds)}


def _alone(scenario: str, seconds: float) -> dict[str, Any]:
    """Run crowd, base, fields, lidar, thermal camera and emulators in one process on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    simulation = Simulation(load(scenario))
    thermal, lidar = ThermalCameraModel(), LidarModel()
    camera = simulation.new_thermal_camera(thermal)
    frames, present = 0, 0
    with tempfile.TemporaryDirectory() as folder, Instruments(Path(folder), simulation) as instruments:
        began_wall, began = time.monotonic(), time.process_time()
        while simulation.time_s < seconds:
            simulation.command(0.4, 0.1)
            simulation.step()
            if simulation.ticks % round(1 / lidar.rate_hz / TICK_S) == 0:
                simulation.scan(lidar)
                instruments.advance(1 / lidar.rate_hz)
                present += len(simulation.people_present())
            if simulation.time_s >= frames / thermal.rate_hz:
                frames += 1
                position, rotation = simulation.thermal_view()
                bodies = simulation.bodies
                camera.frame(simulation.time_s, position, rotation, bodies.position, bodies.yaw)
        used_s, wall_s = time.process_time() - began, time.monotonic() - began_wall
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return {
        "real_time_factor": round(seconds / used_s, 2),
        "real_time_factor_wall": round(seconds / wall_s, 2),
        "passengers": len(simulation.setting.people),
        "passengers_present_mean": round(present / (seconds * lidar.rate_hz), 1),
        "thermal_frames": frames,
        "memory_mb": round(psutil.Process().memory_info().rss / 2**20),
    }


def _stack(scenario: str, seconds: float) -> dict[str, Any]:
    """Run the demo on a scenario and take the factor that the simulator reports, after its first seconds.

    Raises:
        InputError: the stack did not come up.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "inspection_robot.cli",
            "demo",
            "--headless",
            "--scenario",
            scenario,
            "--port",
            "0",
        ]
        environment = {**os.environ, "INSPECTION_STATE": folder}
        process = subprocess.Popen(
            [*command, "--duration", str(seconds + WARM_UP_S)], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=6 * (seconds + WARM_UP_S) + 120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)
            said, _ = process.communicate(timeout=30)
        logs = list(Path(folder).glob("**/log/simulator.txt"))
        report = logs[0].read_text(encoding="utf-8") if logs else ""
        lines = re.findall(r"t=(\d+) s real_time_factor=([\d.]+) dropped_frames=(\d+)", report)
        measured = [(float(factor), int(dropped)) for t, factor, dropped in lines if float(t) > WARM_UP_S]
        if process.returncode != 0 or not measured:
            raise InputError("demo", (said.strip().splitlines() or ["said nothing"])[-1])
        dropped_before = next((int(d) for t, _, d in reversed(lines) if float(t) <= WARM_UP_S), 0)
    return {
        "stack_real_time_factor": round(sum(factor for factor, _ in measured) / len(measured), 3),
        "stack_real_time_factor_least": min(factor for factor, _ in measured),
        "stack_dropped_frames": measured[-1][1] - dropped_before,
    }
