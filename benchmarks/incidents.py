"""Incidents in a crowd that this file invents: do planted subjects reach the right incident, are distances kept?

A hall of 30 m × 20 m, walkers between random places, a robot on a round. Findings come with the errors of sensors
(missed, misplaced, invented); tracks come from the people tracker on noisy sightings; an officer approves after eight
seconds what may be approved. Truth is known. The whole stack against the simulator is measured by the scenarios of
`./robot demo`; this measures tracking, association, the case book and the approach by themselves.
"""

from __future__ import annotations

import argparse
import itertools
import math
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np

from inspection_robot.interception.approach import Approach, ApproachParameters, Mover, Verdict
from inspection_robot.interception.association import TrackPoint
from inspection_robot.interception.case_book import Case, CaseBook
from inspection_robot.interception.fusion import Finding
from inspection_robot.interception.grades import PERMISSIONS, Permission
from inspection_robot.interception.incident import Event, EventKind, State
from inspection_robot.interception.kinds import load_kinds
from inspection_robot.people.tracking import Kind, Sighting, Tracker

HALL = np.array([30.0, 20.0])
STEP_S = 0.1
SIGHT_M, SIGHT_NOISE_M, SIGHTED = 8.0, 0.08, 0.9
PLANTS = {
    "fever": (("thermal.fever", 2.5, 3),),
    "radiation": (("radiation.rise", 4.0, 3),),
    "meat": (("odor.meat", 2.0, 3),),
    "watch_list": (("document.watchlist", 2.0, 3),),
    "name": (("document.watchlist_name", 2.0, 2),),
    "fever_and_meat": (("thermal.fever", 2.5, 3), ("odor.meat", 2.0, 3)),
}
"""What is planted: findings with the sensor's reach [m] and severity."""
FALSE_WEAK_PER_H, FALSE_STRONG_PER_H = 20.0, 0.2
APPROVES_AFTER_S = 8.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=6, help="runs of ten minutes each")
    parser.add_argument("--walkers", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    totals = Totals()
    for number in range(arguments.runs):
        World(arguments.seed * 1000 + number, arguments.walkers, totals).run(600.0)
    hours = totals.seconds / 3600.0
    return {
        "planted": totals.planted,
        "encountered": totals.encountered,
        "right_incident": totals.right,
        "right_incident_share": round(totals.right / max(totals.encountered, 1), 4),
        "false_incidents_per_h": round(totals.false / hours, 3),
        "approaches": totals.approaches,
        "approaches_reached": totals.reached,
        "approaches_distance_kept_share": round(totals.kept / max(totals.approaches, 1), 4),
        "nearest_while_moving_m": round(totals.nearest, 3),
        "hours": round(hours, 3),
    }


@dataclass
class Totals:
    """Counts over all runs."""

    planted: int = 0
    encountered: int = 0
    right: int = 0
    false: int = 0
    approaches: int = 0
    reached: int = 0
    kept: int = 0
    nearest: float = math.inf
    seconds: float = 0.0


@dataclass
class Approached:
    """An approach under way."""

    uuid: UUID
    approach: Approach
    nearest: float = math.inf


@dataclass
class World:
    """One run."""

    seed: int
    walkers: int
    totals: Totals
    stood: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        count = self.walkers
        self.places = self.rng.uniform(1, HALL - 1, (count, 2))
        self.goals = self.rng.uniform(1, HALL - 1, (count, 2))
        self.speeds = self.rng.uniform(0.6, 1.4, count)
        self.velocities = np.zeros((count, 2))
        self.pause = np.zeros(count)
        self.robot = np.array([15.0, 3.0, 0.0])
        self.way = itertools.cycle([(15, 3), (26, 4), (26, 16), (15, 17), (4, 16), (4, 4)])
        self.next = np.array(next(self.way), float)
        self.planted = dict(zip(range(len(PLANTS)), PLANTS, strict=True))
        self.tracker = Tracker(prefix=f"{self.seed}-")
        numbers = itertools.count(1)
        self.new_uuid = lambda: UUID(int=self.seed * 10**6 + next(numbers))
        self.book = CaseBook(load_kinds(), self.new_uuid)
        self.reach_s = dict.fromkeys(self.planted, 0.0)
        self.told: dict[UUID, int | None] = {}
        self.busy: Approached | None = None

    def run(self, seconds: float) -> None:
        """Let so many seconds pass and count what came of it."""
        for tick in range(int(seconds / STEP_S)):
            now = tick * STEP_S
            self._walk(now)
            self._sense(now)
            self._handle(now)
        self._settle(seconds)

    def _walk(self, now: float) -> None:
        gaps = self.goals - self.places
        distance = np.linalg.norm(gaps, axis=1)
        arrived = distance < 0.5
        self.goals[arrived] = self.rng.uniform(1, HALL - 1, (int(arrived.sum()), 2))
        self.pause[arrived] = now + self.rng.uniform(0, 15, int(arrived.sum()))
        speed = np.where(self.pause > now, 0.0, self.speeds)
        velocity = gaps / np.maximum(distance, 1e-6)[:, None] * speed[:, None]
        # People keep a metre from the robot and stop when it speaks to them.
        away = self.places - self.robot[:2]
        near = np.linalg.norm(away, axis=1)
        velocity += np.where(near < 1.3, (1.3 - near) * 2.0, 0.0)[:, None] * away / np.maximum(near, 1e-6)[:, None]
        for person, until in self.stood.items():
            if now < until:
                velocity[person] = 0.0
        self.velocities = velocity
        self.places = np.clip(self.places + velocity * STEP_S, 0.3, HALL - 0.3)

    def _sense(self, now: float) -> None:
        near = np.linalg.norm(self.places - self.robot[:2], axis=1)
        seen = np.flatnonzero((near < SIGHT_M) & (self.rng.random(self.walkers) < SIGHTED))
        spread = np.eye(2) * SIGHT_NOISE_M**2
        noise = self.rng.normal(0, SIGHT_NOISE_M, (len(seen), 2))
        self.tracker.update([Sighting(p, spread, Kind.PERSON, "lidar") for p in self.places[seen] + noise], now)
        points = self._points()
        self.book.follow({point.track: point for point in points})
        for person, plant in self.planted.items():
            for kind, reach, severity in PLANTS[plant]:
                if near[person] > reach:
                    continue
                self.reach_s[person] += STEP_S
                if self.rng.random() < 0.6 * STEP_S:  # a sensor needs a second or two
                    self._find(kind, severity, self.places[person], 0.35, points, now)
        for rate, severity in ((FALSE_WEAK_PER_H, 2), (FALSE_STRONG_PER_H, 3)):
            if self.rng.random() < rate * STEP_S / 3600.0:
                kind = str(self.rng.choice(["thermal.fever", "odor.plant", "radiation.rise"]))
                self._find(kind, severity, self.robot[:2] + self.rng.normal(0, 2, 2), 0.35, points, now)

    def _find(
        self, kind: str, severity: int, place: np.ndarray, deviation: float, points: list[TrackPoint], now: float
    ) -> None:
        x, y = place + self.rng.normal(0, deviation, 2)
        variance = deviation**2
        finding = Finding(
            self.new_uuid(), kind, severity, 0.9, now, "", (float(x), float(y)), ((variance, 0.0), (0.0, variance))
        )
        self.book.add(finding, points, now)

    def _points(self) -> list[TrackPoint]:
        return [
            TrackPoint(track.track, track.position, track.covariance[:2, :2], track.existence)
            for track in self.tracker.confirmed()
        ]

    def _handle(self, now: float) -> None:
        self.book.tick(now)
        for case in self.book.cases():
            incident = case.incident
            if incident.state is not State.AWAITING_OFFICER:
                continue
            if incident.subject and incident.uuid not in self.told:
                self.told[incident.uuid] = self._who(case)
            if now - incident.entered_s > APPROVES_AFTER_S and self.busy is None:
                if PERMISSIONS[incident.grade] is Permission.NOTIFY or not incident.subject:
                    self.book.happen(incident.uuid, Event(EventKind.OFFICER_TOOK_OVER, now, "officer", ""))
                    continue
                self.book.happen(incident.uuid, Event(EventKind.OFFICER_APPROVED, now, "officer", ""))
                self.book.happen(incident.uuid, Event(EventKind.APPROACH_BEGAN, now, "robot:bench", ""))
                self.busy = Approached(incident.uuid, Approach(ApproachParameters()))
                self.totals.approaches += 1
        if self.busy is None:
            self._patrol()
        else:
            self._approach(self.busy, now)

    def _approach(self, busy: Approached, now: float) -> None:
        if busy.uuid not in self.book or self.book[busy.uuid].incident.state is not State.APPROACHING:
            self._finish(busy)
            return
        case = self.book[busy.uuid]
        tracks = {t.track: Mover(t.position, t.velocity, now - t.seen_s) for t in self.tracker.confirmed()}
        subject = tracks.pop(case.incident.subject, None)
        step = busy.approach.step((*self.robot[:2], self.robot[2]), subject, list(tracks.values()), now)  # type: ignore[arg-type]
        person = self._who(case)
        if person is not None and step.distance_m < 3.0:
            self.stood[person] = now + 3.0  # addressed, the person waits
        self._move(step.linear, step.angular)
        if step.linear > 0:
            busy.nearest = min(busy.nearest, float(np.linalg.norm(self.places - self.robot[:2], axis=1).min()))
        events = {
            Verdict.REACHED: EventKind.REACHED,
            Verdict.OBJECTED: EventKind.OBJECTED,
            Verdict.LOST: EventKind.SUBJECT_LOST,
        }  # fmt: skip
        if step.verdict in events:
            self.book.happen(busy.uuid, Event(events[step.verdict], now, "robot:bench", ""))
            if step.verdict is Verdict.REACHED:
                self.totals.reached += 1
            if self.book[busy.uuid].incident.is_open:
                self.book.happen(busy.uuid, Event(EventKind.OFFICER_TOOK_OVER, now, "officer", ""))
            self._finish(busy)

    def _finish(self, busy: Approached) -> None:
        self.totals.kept += busy.nearest >= 0.8
        self.totals.nearest = min(self.totals.nearest, busy.nearest)
        self.busy = None

    def _patrol(self) -> None:
        way = self.next - self.robot[:2]
        if float(np.linalg.norm(way)) < 0.5:
            self.next = np.array(next(self.way), float)
        turn = (math.atan2(way[1], way[0]) - self.robot[2] + math.pi) % (2 * math.pi) - math.pi
        nearest = float(np.linalg.norm(self.places - self.robot[:2], axis=1).min())
        self._move(0.0 if abs(turn) > 0.5 or nearest < 1.2 else 0.6, float(np.clip(2 * turn, -1, 1)))

    def _move(self, linear: float, angular: float) -> None:
        self.robot[2] += angular * STEP_S
        self.robot[:2] += linear * STEP_S * np.array([math.cos(self.robot[2]), math.sin(self.robot[2])])

    def _who(self, case: Case) -> int | None:
        """The walker that the case's place is on."""
        if case.position is None:
            return None
        distance = np.linalg.norm(self.places - np.array(case.position), axis=1)
        return int(distance.argmin()) if distance.min() < 1.5 else None

    def _settle(self, seconds: float) -> None:
        totals = self.totals
        if self.busy is not None:
            self._finish(self.busy)
        # An incident tied to nobody is honest, neither right nor false; officers see it with its place.
        reached = {person for person in self.told.values() if person is not None}
        # A name alone tells officers only after its second look; it counts as told like the others.
        met = {person for person, reach in self.reach_s.items() if reach >= 4.0}
        totals.planted += len(self.planted)
        totals.encountered += len(met)
        totals.right += len(met & reached)
        totals.false += sum(person is None or person not in self.planted for person in self.told.values())
        totals.seconds += seconds
