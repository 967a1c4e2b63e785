"""Where everybody is heading: from the door through the stops to the other door, and back in again for a crowd."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_sim import crowd
from inspection_sim.crowd import BODY_RADIUS_M, Walkers
from inspection_sim.scenario import ROBOT, PassengerSpec, StopSpec
from inspection_sim.world.grid import Grid, coarser, way_field
from inspection_sim.world.sdf import World

ARRIVED_M: Final = 0.6
DIRECT_M: Final = 1.5
"""From here on people walk straight to their own spot [m]."""
SPREAD_M: Final = 0.8
"""People stop at spots this far around a place [m]."""
IN_FRONT_M: Final = 1.0
"""Who visits the robot stops so far in front of it [m]."""
MARGIN_M: Final = 0.25
WAY_CELLS: Final = 2
"""Ways are planned on cells so many times as large as those of the floor plan."""
UNVISITED_S: Final = 20.0
"""After a visit nobody of the crowd visits the robot for this time [s]."""
STEP_BACK_M: Final = 0.4
"""Who was pushed away from where they stand walks back, at full pace from this far [m]."""
LUGGAGE_BEHIND_M: Final = 0.45
AWAY_S: Final = (0.5, 4.0)
"""A member of the crowd who left comes back after a time in this range [s]."""


class Phase(IntEnum):
    """What somebody does."""

    ABSENT = 0
    WALKING = 1
    STANDING = 2


@dataclass
class People:
    """Everybody's state. Arrays have one row a passenger, in the order of `specs`.

    Attributes:
        specs: who they are.
        returns: (n,) True for members of the crowd, who come back.
        walkers: positions, velocities, speeds.
        yaw: (n,) heading [rad].
        phase: (n,) of :class:`Phase`.
        stop: (n,) index of the next stop; the number of stops means the exit.
        until_s: (n,) end of standing or absence [s].
        spot: (n, 2) own offset from a place [m].
        trail: (n, 2) position of the luggage [m].
        hold: (n, 2) where who stands wants to stand [m].
    """

    specs: tuple[PassengerSpec, ...]
    returns: NDArray[np.bool_]
    walkers: Walkers
    yaw: NDArray[np.float64]
    phase: NDArray[np.int64]
    stop: NDArray[np.int64]
    until_s: NDArray[np.float64]
    spot: NDArray[np.float64]
    trail: NDArray[np.float64]
    hold: NDArray[np.float64]

    def present(self) -> NDArray[np.bool_]:
        """Tell who is in the hall, (n,)."""
        return np.asarray(self.phase != Phase.ABSENT)


class Itinerary:
    """Leads people along their ways: keeps one way field a place, and moves everybody from stop to stop."""

    def __init__(
        self,
        world: World,
        grid: Grid,
        specs: tuple[PassengerSpec, ...],
        crowd_from: int,
        generator: np.random.Generator,
    ) -> None:
        """Plan all ways and put the crowd, ``specs[crowd_from:]``, into the hall; the others come in their time.

        Raises:
            InputError: a place lies in a wall, or there is no way between two places that somebody wants to walk.
        """
        self._world = world
        self._grid = grid
        self._generator = generator
        names = sorted({n for s in specs for n in (s.enters, s.leaves, *(stop.place for stop in s.stops))} - {ROBOT})
        self._places = {name: index for index, name in enumerate(names)}
        self._xy = np.array([(world.place(name).x, world.place(name).y) for name in names]).reshape(-1, 2)
        self._ways = coarser(grid, WAY_CELLS)
        fields = [way_field(self._ways, x, y, MARGIN_M) for x, y in self._xy]
        self._cost = np.array([cost for cost, _ in fields])
        self._direction = np.array([direction for _, direction in fields])
        for spec in specs:
            self._check(spec)
        count = len(specs)
        walkers = Walkers(
            np.full((count, 2), np.nan),
            np.zeros((count, 2)),
            crowd.draw_speeds(count, generator),
            np.full(count, BODY_RADIUS_M),
        )
        for index, spec in enumerate(specs):
            if spec.speed_m_s is not None:
                walkers.speed[index] = spec.speed_m_s
        self.people = People(
            specs, np.arange(count) >= crowd_from, walkers, np.zeros(count),
            np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64),
            np.array([spec.at_s for spec in specs]), np.zeros((count, 2)),
            np.full((count, 2), np.nan), np.zeros((count, 2)),
        )  # fmt: skip
        self._visited_at_s = -UNVISITED_S
        self._fill()

    def postpone(self, duration_s: float) -> None:
        """Let planted passengers who have not come yet come later."""
        people = self.people
        people.until_s[~people.returns & (people.phase == Phase.ABSENT)] += duration_s

    def step(self, time_s: float, dt: float, robot: tuple[float, float, float], robot_walker: Walkers | None) -> None:
        """Move everybody on by ``dt``; ``robot`` is its pose x, y, yaw."""
        people = self.people
        self._enter_and_leave(time_s)
        self._share_robot(time_s)
        here = np.flatnonzero(people.present())
        if not len(here):
            return
        target, direction = self._aims(here, robot)
        arrived = (np.linalg.norm(target - people.walkers.position[here], axis=1) < ARRIVED_M) & (
            people.phase[here] == Phase.WALKING
        )
        for index, place in zip(here[arrived], target[arrived], strict=True):
            self._arrive(int(index), time_s, place)
        still = people.present()[here]
        here, direction = here[still], direction[still]
        standing = people.phase[here] == Phase.STANDING
        back = (people.hold[here] - people.walkers.position[here]) / STEP_BACK_M
        back /= np.maximum(np.linalg.norm(back, axis=1, keepdims=True), 1.0)
        direction = np.where(standing[:, None], back, direction)
        w = people.walkers
        before = Walkers(w.position[here], w.velocity[here], w.speed[here], w.radius[here])
        after = crowd.step(before, direction, self._grid, dt, robot_walker)
        w.position[here], w.velocity[here] = after.position, after.velocity
        self._turn(here, robot, dt)
        self._drag(here)

    def _check(self, spec: PassengerSpec) -> None:
        names = [spec.enters, *(stop.place for stop in spec.stops if stop.place != ROBOT), spec.leaves]
        for start, end in itertools.pairwise(names):
            x, y = self._xy[self._places[start]]
            row, column = self._ways.cell(np.array([x]), np.array([y]))
            if not np.isfinite(self._cost[self._places[end], row[0], column[0]]):
                raise InputError(spec.id, f"there is no way from {start} to {end} in world {self._world.name}")

    def _fill(self) -> None:
        """Spread the crowd over the hall at free places away from each other."""
        people = self.people
        if not len(self._cost):
            return
        reachable = np.argwhere((self._cost < np.inf).all(axis=0) & (self._ways.clearance > 2 * BODY_RADIUS_M))
        for index in np.flatnonzero(people.returns):
            for _ in range(50):
                row, column = reachable[self._generator.integers(len(reachable))]
                spot = np.array(self._ways.origin) + (np.array([column, row]) + 0.5) * self._ways.resolution
                gaps = np.linalg.norm(people.walkers.position - spot, axis=1)
                if not np.any(gaps < 1.0):
                    break
            people.stop[index] = self._generator.integers(len(people.specs[index].stops) + 1)
            people.until_s[index] = np.inf
            self._appear(int(index), spot)

    def _appear(self, index: int, at: NDArray[np.float64]) -> None:
        people = self.people
        people.walkers.position[index] = people.trail[index] = at
        people.walkers.velocity[index] = 0.0
        people.phase[index] = Phase.WALKING
        angle, radius = self._generator.uniform(0, 2 * np.pi), self._generator.uniform(0, SPREAD_M)
        people.spot[index] = radius * np.array([np.cos(angle), np.sin(angle)])

    def _enter_and_leave(self, time_s: float) -> None:
        people = self.people
        for index in np.flatnonzero(people.until_s <= time_s):
            if people.phase[index] == Phase.STANDING:
                people.phase[index] = Phase.WALKING
                people.stop[index] += 1
                people.until_s[index] = np.inf
            elif people.phase[index] == Phase.ABSENT:
                door = self._xy[self._places[people.specs[index].enters]]
                if not np.any(np.linalg.norm(people.walkers.position - door, axis=1) < 0.6):
                    people.until_s[index] = np.inf
                    people.stop[index] = 0
                    self._appear(int(index), door + self._generator.normal(0.0, 0.1, 2))

    def _arrive(self, index: int, time_s: float, place: NDArray[np.float64]) -> None:
        people = self.people
        stops = people.specs[index].stops
        if people.stop[index] < len(stops):
            wait_s = stops[people.stop[index]].wait_s
            if wait_s > 0:
                people.phase[index] = Phase.STANDING
                people.until_s[index] = time_s + wait_s
                people.hold[index] = place
            else:
                people.stop[index] += 1
            return
        people.phase[index] = Phase.ABSENT
        people.walkers.position[index] = people.trail[index] = np.nan
        people.until_s[index] = time_s + self._generator.uniform(*AWAY_S) if people.returns[index] else np.inf

    def _share_robot(self, time_s: float) -> None:
        """Let one person at a time visit the robot, planted ones first.

        Members of the crowd pass by while somebody else visits, and for :data:`UNVISITED_S` after a visit, so that the
        robot can drive on.
        """
        people = self.people
        visiting = [i for i in np.flatnonzero(people.present()) if (s := self.next_stop(int(i))) and s.place == ROBOT]
        if any(people.phase[i] == Phase.STANDING for i in visiting):
            self._visited_at_s = time_s
        first = min(visiting, key=lambda i: (people.returns[i], people.phase[i] != Phase.STANDING, i), default=-1)
        for index in visiting:
            too_soon = people.phase[index] == Phase.WALKING and time_s - self._visited_at_s < UNVISITED_S
            if people.returns[index] and (index != first or too_soon):
                people.phase[index] = Phase.WALKING
                people.stop[index] += 1
                people.until_s[index] = np.inf

    def next_stop(self, index: int) -> StopSpec | None:
        """Return the stop somebody walks to or stands at; None on the way out."""
        stops, stop = self.people.specs[index].stops, self.people.stop[index]
        return stops[stop] if stop < len(stops) else None

    def _aims(
        self, here: NDArray[np.int64], robot: tuple[float, float, float]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return everybody's target (k, 2) [m] and the unit direction to walk in (k, 2)."""
        people = self.people
        position = people.walkers.position[here]
        stops = [self.next_stop(int(index)) for index in here]
        names = [people.specs[i].leaves if stop is None else stop.place for i, stop in zip(here, stops, strict=True)]
        front = np.array([robot[0] + IN_FRONT_M * np.cos(robot[2]), robot[1] + IN_FRONT_M * np.sin(robot[2])])
        to_robot = np.array([name == ROBOT for name in names])
        place = np.array([self._places.get(name, 0) for name in names])
        spot = np.where(np.array([stop is not None for stop in stops])[:, None], people.spot[here], 0.0)
        target = self._xy[place] + spot
        room, _ = self._grid.clear(target[:, 0], target[:, 1])
        target = np.where((room < 0.4)[:, None], self._xy[place], target)
        target = np.where(to_robot[:, None], front + 0.0 * spot, target)
        rows, columns = self._ways.cell(position[:, 0], position[:, 1])
        along = self._direction[place, rows, columns]
        straight = target - position
        gap = np.linalg.norm(straight, axis=1, keepdims=True)
        straight = straight / np.maximum(gap, 1e-9)
        direct = (gap[:, 0] < DIRECT_M) | to_robot | (np.linalg.norm(along, axis=1) < 0.5)
        return target, np.where(direct[:, None], straight, along)

    def _turn(self, here: NDArray[np.int64], robot: tuple[float, float, float], dt: float) -> None:
        """Let people look where they walk, or at the robot where they were told to."""
        people = self.people
        velocity = people.walkers.velocity[here]
        wanted = np.where(
            np.linalg.norm(velocity, axis=1) > 0.15, np.arctan2(velocity[:, 1], velocity[:, 0]), people.yaw[here]
        )
        for row, index in enumerate(here):
            stop = self.next_stop(int(index))
            if stop is not None and stop.face_robot and people.phase[index] == Phase.STANDING:
                wanted[row] = np.arctan2(
                    robot[1] - people.walkers.position[index, 1], robot[0] - people.walkers.position[index, 0]
                ) + np.deg2rad(stop.turned_deg)
        difference = (wanted - people.yaw[here] + np.pi) % (2 * np.pi) - np.pi
        turned = people.yaw[here] + np.clip(difference, -3.0 * dt, 3.0 * dt)
        people.yaw[here] = (turned + np.pi) % (2 * np.pi) - np.pi

    def _drag(self, here: NDArray[np.int64]) -> None:
        """Pull luggage along behind its carrier."""
        people = self.people
        rope = people.trail[here] - people.walkers.position[here]
        length = np.linalg.norm(rope, axis=1)
        heading = np.stack([np.cos(people.yaw[here]), np.sin(people.yaw[here])], axis=1)
        behind = np.where((length > 1e-6)[:, None], rope / np.maximum(length, 1e-6)[:, None], -heading)
        people.trail[here] = people.walkers.position[here] + behind * LUGGAGE_BEHIND_M
