"""Compare what the robot found with the truth of the run.

A finding counts for a planted thing when it is of that kind and lies near the subject at the time of measurement, or,
when it has no position, when the subject was within the sensor's reach. A radiation finding also counts where the
source really raises the count rate at the robot: that it points elsewhere is an error of its position, not a false
alarm. A thing that never came within reach was not encountered and is not held against the robot.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from inspection_contract.errors import InputError
from inspection_sim.fields.radiation import BACKGROUND_USV_H, GEIGER_CPS_PER_USV_H
from inspection_sim.truth import Planted

BACKGROUND_CPS: Final = BACKGROUND_USV_H * GEIGER_CPS_PER_USV_H
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "fever": ("thermal.fever",),
    "cold": ("thermal.cold", "thermal.low"),
    "hot": ("thermal.hot",),
    "radiation": ("radiation.",),
    "odor": ("odor.",),
    "watch_list": ("document", "watchlist", "watch_list"),
}
"""What is planted → prefixes of the detection kinds that mean it."""
REACH_M: Final = {"fever": 2.0, "cold": 5.0, "hot": 5.0, "radiation": 8.0, "odor": 3.0, "watch_list": 2.5}
"""Within this distance the sensor could find it [m]."""
ENCOUNTER_S: Final = 3.0
"""Time within reach that makes an encounter [s]."""
GATE_M: Final = {"fever": 1.5, "cold": 2.0, "hot": 2.0, "radiation": 4.0, "odor": 4.0, "watch_list": 2.0}
"""A finding's position may be so far off [m]."""
RAISED: Final = 1.5
"""A source that multiplies the background by this at the robot may be alarmed at, wherever it is [1]."""
LATE_S: Final = 15.0
"""A finding may come so long after the subject left the reach [s]: dwell, verification, classification."""


@dataclass(frozen=True)
class Moment:
    """A line of the trajectory: time [s], robot (x, y), people id → (x, y), contacts so far, true count rate [1/s]."""

    time_s: float
    robot: tuple[float, float]
    people: dict[str, tuple[float, float]]
    contacts: int
    cps: float = 0.0


@dataclass(frozen=True)
class Finding:
    """One detection or incident seen on the bus: time of measurement [s], position in `map` or None [m]."""

    time_s: float
    type: str
    kind: str
    severity: int
    position: tuple[float, float] | None
    state: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one planted thing: times [s] or None; error of the last position told [m]."""

    planted: Planted
    encountered_s: float | None
    found_s: float | None
    kind: str
    incident_s: float | None
    error_m: float | None


@dataclass(frozen=True)
class Score:
    """The comparison of one run."""

    scenario: str
    duration_s: float
    outcomes: tuple[Outcome, ...]
    false_alarms: tuple[Finding, ...]
    findings: int
    contacts: int
    driven_m: float
    nearest_person_m: float

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON object: counts first, then every outcome and every false alarm."""
        met = [o for o in self.outcomes if o.encountered_s is not None]
        return {
            "scenario": self.scenario, "duration_s": self.duration_s, "planted": len(self.outcomes),
            "encountered": len(met), "found": sum(o.found_s is not None for o in self.outcomes),
            "missed": sum(o.found_s is None for o in met),
            "incidents": sum(o.incident_s is not None for o in self.outcomes),
            "false_alarms": len(self.false_alarms), "findings": self.findings, "contacts": self.contacts,
            "driven_m": round(self.driven_m, 1),
            "nearest_person_m": round(self.nearest_person_m, 2) if math.isfinite(self.nearest_person_m) else None,
            "outcomes": [asdict(o) for o in self.outcomes], "false": [asdict(f) for f in self.false_alarms],
        }  # fmt: skip


def score_run(folder: Path) -> Score:
    """Score the files of a run's folder: ``truth.json``, ``trajectory.jsonl`` and ``found.jsonl``.

    Raises:
        InputError: a file is missing or broken.
    """
    try:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        things = tuple(Planted(**item) for item in truth["planted"])
        objects = {name: (float(x), float(y)) for name, (x, y) in truth["objects"].items()}
        moments = [_moment(line, objects) for line in _lines(folder / "trajectory.jsonl")]
        findings = [_finding(line) for line in _lines(folder / "found.jsonl")]
    except FileNotFoundError as error:
        raise InputError(str(error.filename), "no such file: the run is incomplete") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(folder, f"not the files of a run: {error}") from None
    return score(str(truth["scenario"]), things, moments, findings)


def score(scenario: str, things: Iterable[Planted], moments: list[Moment], findings: list[Finding]) -> Score:
    """Compare findings with what was planted, given where everybody was."""
    things = tuple(things)
    detections = [f for f in findings if f.type == "detection"]
    incidents = [f for f in findings if f.type == "incident"]
    outcomes: list[Outcome] = []
    used: set[int] = set()
    for thing in things:
        hits = [(i, e) for i, f in enumerate(detections) if (e := _error(thing, f, moments)) is not None]
        used.update(i for i, _ in hits)
        cases = [f for f in incidents if _error(thing, f, moments) is not None]
        first = min(hits, key=lambda hit: detections[hit[0]].time_s, default=None)
        located = [hit for hit in hits if math.isfinite(hit[1])]
        last = max(located, key=lambda hit: detections[hit[0]].time_s, default=None)
        outcomes.append(Outcome(
            thing, _encounter(thing, moments), detections[first[0]].time_s if first else None,
            detections[first[0]].kind if first else "", min((f.time_s for f in cases), default=None),
            None if last is None else round(last[1], 2),
        ))  # fmt: skip
    false_alarms = tuple(f for i, f in enumerate(detections) if i not in used and f.severity >= 3 and _what(f.kind))
    path = np.array([m.robot for m in moments]).reshape(-1, 2)
    gaps = [np.hypot(x - m.robot[0], y - m.robot[1]) for m in moments for name, (x, y) in m.people.items()]
    return Score(
        scenario, moments[-1].time_s if moments else 0.0, tuple(outcomes), false_alarms, len(detections),
        moments[-1].contacts if moments else 0, float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()),
        float(min(gaps, default=np.inf)),
    )  # fmt: skip


def table(result: Score) -> str:
    """Return the comparison as a text table for a terminal."""
    rows = [("planted", "on", "detail", "in reach", "found", "as", "incident", "off by")]
    for o in result.outcomes:
        where = f"{o.planted.subject}{' (luggage)' if o.planted.part == 'luggage' else ''}"
        rows.append((
            o.planted.what, where, o.planted.detail, _seconds(o.encountered_s), _seconds(o.found_s), o.kind or "–",
            _seconds(o.incident_s), "–" if o.error_m is None else f"{o.error_m:.1f} m",
        ))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    d = result.as_dict()
    lines.append(
        f"{d['scenario']}: found {d['found']} of {d['planted']} planted ({d['encountered']} came within reach), "
        f"{d['false_alarms']} false alarms, {d['contacts']} contacts, "
        f"{d['driven_m']} m driven in {d['duration_s']:.0f} s"
    )
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _moment(line: dict[str, Any], objects: dict[str, tuple[float, float]]) -> Moment:
    people = {name: (float(at[0]), float(at[1])) for name, at in line["people"].items()}
    robot = (float(line["robot"][0]), float(line["robot"][1]))
    return Moment(float(line["t"]), robot, {**people, **objects}, int(line["contacts"]), float(line["cps"]))


def _finding(line: dict[str, Any]) -> Finding:
    known = line.get("x") is not None and line.get("y") is not None
    return Finding(
        float(line["t"]), str(line["type"]), str(line["kind"]), int(line.get("severity", 0)),
        (float(line["x"]), float(line["y"])) if known else None, str(line.get("state", "")),
    )  # fmt: skip


def _what(kind: str) -> str:
    return next((what for what, prefixes in KINDS.items() if kind.startswith(prefixes)), "")


def _distance(thing: Planted, moment: Moment) -> float:
    at = moment.people.get(thing.subject)
    return float("inf") if at is None else float(np.hypot(at[0] - moment.robot[0], at[1] - moment.robot[1]))


def _encounter(thing: Planted, moments: list[Moment]) -> float | None:
    """Return when the robot had had the thing within reach for :data:`ENCOUNTER_S` in a row."""
    since: float | None = None
    for moment in moments:
        if _distance(thing, moment) > REACH_M[thing.what]:
            since = None
            continue
        since = moment.time_s if since is None else since
        if moment.time_s - since >= ENCOUNTER_S:
            return moment.time_s
    return None


def _error(thing: Planted, finding: Finding, moments: list[Moment]) -> float | None:
    """Return how far a finding lies from the thing [m], NaN when it has no position; None when it is not about it."""
    if _what(finding.kind) != thing.what:
        return None
    around = [m for m in moments if -LATE_S <= m.time_s - finding.time_s <= 1.0 and thing.subject in m.people]
    if not around:
        return None
    if finding.position is None:
        return float("nan") if min(_distance(thing, m) for m in around) <= 2 * REACH_M[thing.what] else None
    x, y = finding.position
    error = min(float(np.hypot(m.people[thing.subject][0] - x, m.people[thing.subject][1] - y)) for m in around)
    raised = thing.what == "radiation" and max(m.cps for m in around) > RAISED * BACKGROUND_CPS
    return error if raised or error <= GATE_M[thing.what] else None
