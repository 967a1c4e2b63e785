"""How the robot comes up to a person an officer approved: slow, from the side, never close, never after anybody.

Pure: what everybody does now in, one velocity and a verdict out. Distances are those of the design page (passing
≥ 1.2 m, stopping ≥ 0.8 m, ≤ 0.5 m/s within 3 m, in the spirit of ISO 13482); `drive` keeps its own limits below this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Verdict(Enum):
    """How the approach goes."""

    MOVING = "moving"
    WAITING = "waiting"
    REACHED = "reached"
    OBJECTED = "objected"
    LOST = "lost"


@dataclass(frozen=True)
class ApproachParameters:
    """Distances [m], speeds [m/s] and times [s] of an approach."""

    speaking_distance_m: float = 1.4
    reached_tolerance_m: float = 0.25
    stop_distance_m: float = 0.8
    passing_distance_m: float = 1.2
    slow_radius_m: float = 3.0
    speed_m_s: float = 0.7
    slow_speed_m_s: float = 0.5
    turn_rad_s: float = 0.8
    side_rad: float = 0.87
    leaving_speed_m_s: float = 0.6
    leaving_s: float = 1.5
    unseen_s: float = 3.0
    margin_m: float = 0.15


@dataclass(frozen=True)
class Mover:
    """A person as tracked: position, velocity in `map` and how long ago seen [s]."""

    position: Vector
    velocity: Vector
    unseen_s: float = 0.0


@dataclass(frozen=True)
class Step:
    """What to do now: forward speed [m/s], turn rate [rad/s], verdict, distance to the subject [m]."""

    linear: float
    angular: float
    verdict: Verdict
    distance_m: float


@dataclass
class Approach:
    """One approach. Keeps since when the person walks away, nothing else.

    Args:
        parameters: distances, speeds and times.
    """

    parameters: ApproachParameters
    _leaving_since_s: float | None = None

    def step(
        self, robot: tuple[float, float, float], subject: Mover | None, others: Sequence[Mover], now_s: float
    ) -> Step:
        """Decide on the next tenth of a second.

        Args:
            robot: x, y [m] and heading [rad] in `map`.
            subject: the person to approach; nothing when the track has ended.
            others: everybody else.
            now_s: node's clock [s].
        """
        p = self.parameters
        place, heading = np.array(robot[:2]), robot[2]
        if subject is None or subject.unseen_s > p.unseen_s:
            return Step(0.0, 0.0, Verdict.LOST, float("nan"))
        gap = subject.position - place
        distance = float(np.linalg.norm(gap))
        if self._walks_away(gap, distance, subject, now_s):
            return Step(0.0, 0.0, Verdict.OBJECTED, distance)
        nearest = min((float(np.linalg.norm(other.position - place)) for other in [subject, *others]), default=np.inf)
        towards = float(np.arctan2(gap[1], gap[0]))
        facing = _wrapped(towards - heading)
        if distance <= p.speaking_distance_m + p.reached_tolerance_m:
            if abs(facing) > 0.2:
                return Step(0.0, _turn(facing, p), Verdict.MOVING, distance)
            return Step(0.0, 0.0, Verdict.REACHED, distance)
        goal = self._goal(place, subject)
        way = goal - place
        if float(np.linalg.norm(way)) < 0.15:
            # Beside the goal but not near enough to the person: go straight, the speaking distance ends it.
            way = gap
        turn = _wrapped(float(np.arctan2(way[1], way[0])) - heading)
        if nearest < p.stop_distance_m + p.margin_m or self._in_the_way(place, way, others):
            return Step(0.0, _turn(turn, p), Verdict.WAITING, distance)
        room = distance - p.speaking_distance_m
        limit = p.slow_speed_m_s if nearest < p.slow_radius_m + p.margin_m else p.speed_m_s
        speed = min(limit, 0.8 * max(room, 0.0) + 0.05, 0.8 * max(nearest - p.stop_distance_m - p.margin_m, 0.0))
        if abs(turn) > 0.6:
            speed = 0.0  # turn on the spot first, so that nobody is cut off
        return Step(speed * max(0.0, float(np.cos(turn))), _turn(turn, p), Verdict.MOVING, distance)

    def _walks_away(self, gap: Vector, distance: float, subject: Mover, now_s: float) -> bool:
        receding = float(subject.velocity @ gap) / max(distance, 1e-6)
        if receding < self.parameters.leaving_speed_m_s:
            self._leaving_since_s = None
            return False
        if self._leaving_since_s is None:
            self._leaving_since_s = now_s
        return now_s - self._leaving_since_s >= self.parameters.leaving_s

    def _goal(self, place: Vector, subject: Mover) -> Vector:
        """Where to stand: to the side of where the person faces, on the robot's side; straight when standing still."""
        p = self.parameters
        back = place - subject.position
        bearing = float(np.arctan2(back[1], back[0]))
        if float(np.linalg.norm(subject.velocity)) > 0.3:
            facing = float(np.arctan2(subject.velocity[1], subject.velocity[0]))
            sides = (facing + p.side_rad, facing - p.side_rad)
            bearing = min(sides, key=lambda side: abs(_wrapped(side - bearing)))
        return subject.position + p.speaking_distance_m * np.array([np.cos(bearing), np.sin(bearing)])

    def _in_the_way(self, place: Vector, way: Vector, others: Sequence[Mover]) -> bool:
        """Whether the next two metres would pass anybody nearer than the passing distance, now or in a second."""
        p = self.parameters
        length = min(2.0, float(np.linalg.norm(way)))
        along = way / max(float(np.linalg.norm(way)), 1e-6)
        for other in others:
            for ahead_s in (0.0, 1.0):
                gap = other.position + other.velocity * ahead_s - place
                on_way = float(np.clip(gap @ along, 0.0, length))
                if gap @ along > 0 and float(np.linalg.norm(gap - on_way * along)) < p.passing_distance_m:
                    return True
        return False


def _turn(angle: float, parameters: ApproachParameters) -> float:
    return float(np.clip(1.5 * angle, -parameters.turn_rad_s, parameters.turn_rad_s))


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
