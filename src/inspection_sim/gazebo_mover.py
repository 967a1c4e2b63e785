"""Passengers walk in Gazebo: the crowd of the built-in simulator, moved over gz-transport.

Poses go to the service ``/world/<world>/set_pose_vector``, all passengers in one request. The bindings
``gz.transport13`` and ``gz.msgs10`` come with Gazebo Harmonic (Ubuntu: python3-gz-transport13).
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_contract.resources import state
from inspection_sim.gazebo_world import write_world
from inspection_sim.simulation import TICK_S, Simulation, load

RATE_HZ: Final = 20.0
TIMEOUT_MS: Final = 200


def poses(simulation: Simulation) -> list[tuple[str, NDArray[np.float64], float]]:
    """Return (model name, position (3,) [m], yaw [rad]) of every moving model."""
    names = [model.name for model in simulation.setting.world.models if not model.static]
    bodies = simulation.bodies
    return [(name, bodies.position[i], float(bodies.yaw[i])) for i, name in enumerate(names)]


def request_of(moved: list[tuple[str, NDArray[np.float64], float]], pose_vector: Any) -> Any:
    """Return a gz.msgs.Pose_V with everybody's pose; `pose_vector` is the class."""
    message = pose_vector()
    for name, position, yaw in moved:
        pose = message.pose.add()
        pose.name = name
        pose.position.x, pose.position.y, pose.position.z = (float(v) for v in position)
        pose.orientation.w, pose.orientation.z = float(np.cos(yaw / 2)), float(np.sin(yaw / 2))
    return message


def main() -> None:
    """Write the scenario's world and print its path, or move its passengers in a running Gazebo."""
    parser = argparse.ArgumentParser(prog="gazebo_mover", description=__doc__)
    parser.add_argument("--scenario", default="morning_arrivals", help="name in sim/scenarios (default %(default)s)")
    parser.add_argument("--write-world", action="store_true", help="write the world for Gazebo, print its path and end")
    arguments, _ = parser.parse_known_args()
    try:
        if arguments.write_world:
            path = state() / "gazebo" / f"{arguments.scenario}.sdf"
            path.parent.mkdir(exist_ok=True)
            write_world(arguments.scenario, path)
            print(path)
            return
        _move(Simulation(load(arguments.scenario)))
    except InputError as error:
        print(f"gazebo_mover: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _move(simulation: Simulation) -> None:
    try:
        transport = importlib.import_module("gz.transport13")
        pose_vector = importlib.import_module("gz.msgs10.pose_v_pb2").Pose_V
        boolean = importlib.import_module("gz.msgs10.boolean_pb2").Boolean
    except ImportError as error:
        raise InputError("gz.transport13", f"Gazebo Harmonic's Python bindings are not installed ({error})") from None
    node = transport.Node()
    service = f"/world/{simulation.setting.world.name}/set_pose_vector"
    next_s = time.monotonic()
    while True:
        for _ in range(round(1.0 / RATE_HZ / TICK_S)):
            simulation.step()
        node.request(service, request_of(poses(simulation), pose_vector), pose_vector, boolean, TIMEOUT_MS)
        next_s += 1.0 / RATE_HZ
        time.sleep(max(0.0, next_s - time.monotonic()))


if __name__ == "__main__":
    main()
