"""The simulated hall in time: robot, people, fields and sensors, without any ROS.

One :class:`Simulation` is stepped at :data:`TICK_S`; sensors are read when their owner wants them. The same seed and
the same commands give the same truth, bit for bit: every part draws from a generator of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_contract.resources import share
from inspection_sim.crowd import Walkers
from inspection_sim.fields import odor
from inspection_sim.fields.odor import Plume
from inspection_sim.fields.radiation import Solids, Source, geiger_rate_cps
from inspection_sim.itinerary import Itinerary
from inspection_sim.passengers import MODEL_HEIGHT_M, compose, make_crowd
from inspection_sim.scenario import (
    FaultSpec,
    PassengerSpec,
    Scenario,
    check_against,
    check_models,
    read_scenario,
)
from inspection_sim.sensors import base, lidar
from inspection_sim.sensors.base import BaseState
from inspection_sim.sensors.mounts import LIDAR, NOSE, RADIATION_DETECTOR, THERMAL_CAMERA, mounted
from inspection_sim.sensors.thermal_camera import ThermalCamera, ThermalCameraModel
from inspection_sim.world.grid import Grid, floor_plan, solids_of
from inspection_sim.world.scene import PARKED, Scene, build_scene
from inspection_sim.world.sdf import World, parse_world

TICK_S: Final = 0.02
PEOPLE_EVERY: Final = 2
"""Ticks between steps of the crowd (0.04 s)."""
ODOR_EVERY: Final = 5
"""Ticks between steps of the plume (0.1 s)."""
RATE_EVERY: Final = 5
"""Ticks between evaluations of the radiation field (0.1 s)."""
DOCK_RADIUS_M: Final = 0.5
ROBOT_WALKER_SPEED: Final = 1.0
ROBOT_BERTH_M: Final = 0.45
"""People give the robot so wide a berth: a little more than its radius [m]."""
SOURCE_HEIGHT_M: Final = 1.1
BAG_ASIDE: Final = 0.8
BAG_FORWARD: Final = 0.4
"""A bag rolls beside and behind its carrier: shares of the pulling distance to the left and forward."""
LUGGAGE_HEIGHT_M: Final = 0.35

SIMULATION_FILES: Final = share() / "sim"
WORLDS: Final = SIMULATION_FILES / "worlds"
MODELS: Final = SIMULATION_FILES / "models"
SCENARIOS: Final = SIMULATION_FILES / "scenarios"


@dataclass(frozen=True)
class Bodies:
    """Where the moving models are now, in the world's order: (n, 3) positions [m] and (n,) yaw angles [rad]."""

    position: NDArray[np.float64]
    yaw: NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """Everything fixed about a run: scenario, composed world, who walks in it, floor plan, solids."""

    scenario: Scenario
    seed: int
    world: World
    people: tuple[PassengerSpec, ...]
    grid: Grid
    solids: Solids


def load(scenario: Path | str, seed: int | None = None) -> Setting:
    """Read a scenario (a path, or the name of one in ``sim/scenarios``) and compose its world.

    Raises:
        InputError: scenario, world or model is missing or broken, or the scenario names what its world does not have.
    """
    path = scenario if isinstance(scenario, Path) else SCENARIOS / f"{scenario}.yaml"
    read = read_scenario(path)
    seed = read.seed if seed is None else seed
    check_models(read, {folder.name for folder in MODELS.iterdir()})
    file = WORLDS / f"{read.world}.sdf"
    crowd = make_crowd(read.crowd, np.random.default_rng([seed, 0]))
    root = compose(file, MODELS, read, crowd)
    world = parse_world(root, file, MODELS)
    check_against(read, world)
    return Setting(read, seed, world, (*read.passengers, *crowd), floor_plan(world), solids_of(world))


class Simulation:
    """The state of one run."""

    def __init__(self, setting: Setting) -> None:
        """Put everybody and the robot at their start.

        Raises:
            InputError: a place lies in a wall, or there is no way between two places.
        """
        self.setting = setting
        self.ticks = 0
        generators = [np.random.default_rng([setting.seed, part]) for part in range(1, 7)]
        self._people_random, self._base_random, self._lidar_random, self._odor_random, self._count_random, _ = (
            generators
        )
        scenario = setting.scenario
        start = setting.world.place(scenario.robot)
        self.base = BaseState(start.x, start.y, start.yaw)
        self.unit = base.draw_unit(self._base_random)
        self.dock = next((p for p in setting.world.places if p.kind == "dock"), None)
        self.itinerary = Itinerary(
            setting.world, setting.grid, setting.people, len(scenario.passengers), self._people_random
        )
        self.scene: Scene = build_scene(setting.world)
        self._moving = {
            model.name: index for index, model in enumerate(m for m in setting.world.models if not m.static)
        }
        self._command, self._command_at_s = (0.0, 0.0), -1e9
        self.plume = Plume.empty()
        self.count_rate_cps = 0.0
        self._odor_specs = [(p.id, "", p.odor) for p in scenario.passengers if p.odor]
        self._odor_specs += [
            (p.id, "luggage", p.luggage.odor) for p in scenario.passengers if p.luggage and p.luggage.odor
        ]
        self._odor_specs += [(item.id, "object", item.odor) for item in scenario.objects if item.odor]
        self.substances = tuple(sorted({spec.substance for _, _, spec in self._odor_specs}))
        self.bodies = self._place()
        self.held_s = 0.0

    @property
    def scenario_time_s(self) -> float:
        """Time since the scenario began [s]: that of the simulation without what it was held back."""
        return self.time_s - self.held_s

    def hold(self, duration_s: float) -> None:
        """Let planted passengers and faults come ``duration_s`` later; the hall goes on."""
        self.held_s += duration_s
        self.itinerary.postpone(duration_s)

    @property
    def time_s(self) -> float:
        """Simulated time [s]."""
        return self.ticks * TICK_S

    @property
    def pose(self) -> tuple[float, float, float]:
        """True pose of the robot: x, y [m], yaw [rad]."""
        return self.base.x, self.base.y, self.base.yaw

    def command(self, v: float, w: float) -> None:
        """Take a velocity command [m/s, rad/s]."""
        self._command, self._command_at_s = (v, w), self.time_s

    def active_faults(self) -> tuple[FaultSpec, ...]:
        """Return the faults that hold now."""
        return tuple(f for f in self.setting.scenario.faults if f.at_s <= self.scenario_time_s < f.at_s + f.for_s)

    def step(self) -> None:
        """Go on by :data:`TICK_S`."""
        command = self._command if self.time_s - self._command_at_s <= base.COMMAND_LIFE_S else (0.0, 0.0)
        state = base.drive(self.base, command, TICK_S, self._blocked(command), self.unit, self._base_random)
        self.base = base.consume(state, TICK_S, charging=self.charging())
        self.ticks += 1
        if self.ticks % PEOPLE_EVERY == 0:
            self.itinerary.step(self.time_s, TICK_S * PEOPLE_EVERY, self.pose, self._robot_walker())
            self.bodies = self._place()
        if self.ticks % RATE_EVERY == 0:
            self.count_rate_cps = self._count_rate()
        if self.ticks % ODOR_EVERY == 0 and self._odor_specs:
            self._step_plume()

    def at_dock(self) -> bool:
        """Tell whether the robot is at its dock."""
        dock = self.dock
        return dock is not None and bool(np.hypot(self.base.x - dock.x, self.base.y - dock.y) < DOCK_RADIUS_M)

    def charging(self) -> bool:
        """Tell whether the robot stands at its dock."""
        return self.at_dock() and abs(self.base.v) < 0.01

    def scan(self, model: lidar.LidarModel) -> NDArray[np.float32]:
        """Return the ranges of one lidar turn from where the robot is [m]."""
        position, _ = mounted(LIDAR, self.pose)
        self.scene.place(self.bodies.position, self.bodies.yaw)
        return lidar.scan(self.scene, model, position, self.base.yaw, self._lidar_random)

    def smells_ppm(self) -> dict[str, float]:
        """Return the concentration of every substance of the scenario at the robot's nose [ppm]."""
        result = dict.fromkeys(self.substances, 0.0)
        if self._odor_specs:
            position, _ = mounted(NOSE, self.pose)
            values = odor.concentration_ppm(self.plume, position, len(self._odor_specs))
            for (_, _, spec), value in zip(self._odor_specs, values, strict=True):
                result[spec.substance] += float(value)
        return result

    def people_present(self) -> list[tuple[str, float, float, float]]:
        """Return (id, x, y, yaw) of everybody in the hall."""
        people = self.itinerary.people
        return [
            (
                people.specs[i].id,
                float(people.walkers.position[i, 0]),
                float(people.walkers.position[i, 1]),
                float(people.yaw[i]),
            )
            for i in np.flatnonzero(people.present())
        ]

    def thermal_view(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return position (3,) [m] and rotation (3, 3) of the thermal camera's optical frame in the world."""
        return mounted(THERMAL_CAMERA, self.pose)

    def new_thermal_camera(self, model: ThermalCameraModel) -> ThermalCamera:
        """Return a camera of this run, with the errors that its seed gives it."""
        return ThermalCamera(self.setting.world, model, np.random.default_rng([self.setting.seed, 6]))

    def _blocked(self, command: tuple[float, float]) -> bool:
        """Tell whether going on in the direction of motion would touch a wall or a person."""
        x, y, yaw = self.pose
        sign = np.sign(self.base.v if self.base.v else command[0])
        if not sign:
            return False
        ahead = np.array([x + sign * 0.05 * np.cos(yaw), y + sign * 0.05 * np.sin(yaw)])
        room, gradient = self.setting.grid.clear(ahead[:1], ahead[1:])
        heading = sign * np.array([np.cos(yaw), np.sin(yaw)])
        if room[0] < base.RADIUS_M and float(gradient[0] @ heading) < 0:
            return True
        people = self.itinerary.people
        gap = people.walkers.position[people.present()] - np.array([x, y])
        close = np.linalg.norm(gap, axis=1) < base.RADIUS_M + 0.22
        return bool(np.any(close & (gap @ heading > 0)))

    def _robot_walker(self) -> Walkers:
        x, y, yaw = self.pose
        velocity = self.base.v * np.array([[np.cos(yaw), np.sin(yaw)]])
        return Walkers(np.array([[x, y]]), velocity, np.array([ROBOT_WALKER_SPEED]), np.array([ROBOT_BERTH_M]))

    def _place(self) -> Bodies:
        """Return the poses of all moving models; who is absent is parked below the floor."""
        people = self.itinerary.people
        position = np.tile(PARKED, (len(self._moving), 1))
        yaw = np.zeros(len(self._moving))
        for item in self.setting.scenario.objects:
            position[self._moving[item.id]] = (item.x, item.y, 0.0)
            yaw[self._moving[item.id]] = item.yaw
        for index in np.flatnonzero(people.present()):
            spec = people.specs[index]
            row = self._moving[spec.id]
            position[row] = (*people.walkers.position[index], 0.0)
            yaw[row] = people.yaw[index]
            if spec.luggage is not None:
                row = self._moving[f"{spec.id}_luggage"]
                towards = people.walkers.position[index] - people.trail[index]
                beside = BAG_ASIDE * np.array([-towards[1], towards[0]]) + BAG_FORWARD * towards
                position[row] = (*(people.trail[index] + beside), 0.0)
                yaw[row] = np.arctan2(towards[1], towards[0])
        return Bodies(position, yaw)

    def where(self, name: str, part: str) -> NDArray[np.float64] | None:
        """Return where a source on a passenger, in luggage or in an object is, (3,) [m]; None while it is absent."""
        row = self._moving[f"{name}_luggage" if part == "luggage" else name]
        position = self.bodies.position[row]
        if position[2] < -1.0:
            return None
        spec = next((s for s in self.setting.people if s.id == name), None)
        height = LUGGAGE_HEIGHT_M if part or spec is None else SOURCE_HEIGHT_M * spec.height_m / MODEL_HEIGHT_M
        return np.array([position[0], position[1], height])

    def sources(self) -> list[Source]:
        """Return the radioactive sources that are in the hall now."""
        scenario = self.setting.scenario
        planted = [(p.id, "", p.source) for p in scenario.passengers]
        planted += [(p.id, "luggage", p.luggage.source) for p in scenario.passengers if p.luggage]
        planted += [(item.id, "object", item.source) for item in scenario.objects]
        found = []
        for name, part, spec in planted:
            position = self.where(name, part) if spec is not None else None
            if spec is not None and position is not None:
                found.append(Source(spec.nuclide, spec.activity_mbq, position, spec.depth_m))
        return found

    def _count_rate(self) -> float:
        position, _ = mounted(RADIATION_DETECTOR, self.pose)
        return geiger_rate_cps(self.sources(), position, self.setting.solids)

    def _step_plume(self) -> None:
        places = [self.where(name, part) for name, part, _ in self._odor_specs]
        sources = np.array([np.full(3, np.nan) if place is None else place for place in places])
        ppm = np.array([spec.ppm for _, _, spec in self._odor_specs])
        self.plume = odor.step(
            self.plume, sources, ppm, np.array(self.setting.world.air.wind), self._in_solid, self._odor_random
        )

    def _in_solid(self, position: NDArray[np.float64]) -> NDArray[np.bool_]:
        row, column = self.setting.grid.cell(position[:, 0], position[:, 1])
        return self.setting.grid.occupied[row, column]
