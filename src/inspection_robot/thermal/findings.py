"""From readings to findings: what is worth telling the rest of the robot, once a person and stage."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from inspection_contract.events import Severity
from inspection_robot.thermal.decision import RULE_ID, RULE_VERSION, DecisionSettings, Stage, fever_probability
from inspection_robot.thermal.hot_cold import RULE_VERSION as REGION_RULE_VERSION
from inspection_robot.thermal.hot_cold import RegionEvent
from inspection_robot.thermal.screening import FrameResult, PersonOutcome, PersonReading

SETTLE_FRAMES = 12
"""A reading is told when this many frames stand behind it, or when the person has left."""

LEAST_SEEN_FRAMES = 9
"""Nobody is told of who was in view for less than this: a glimpse is no refused screening."""


@dataclass(frozen=True)
class Finding:
    """One finding about one person, before it becomes a message.

    Attributes:
        kind: ``thermal.screening``, ``thermal.fever`` or ``thermal.indeterminate``.
        severity: How much attention it wants.
        confidence: Probability that it is true.
        reading: The person's reading.
        rule_id: The rule that made it.
        rule_version: Version of that rule.
        retention: Retention class of its evidence.
        attributes: Further facts.
    """

    kind: str
    severity: Severity
    confidence: float
    reading: PersonReading
    rule_id: str
    rule_version: str
    retention: str
    attributes: dict[str, str] = field(default_factory=dict)


class FindingsMaker:
    """Watches the results of a stream and makes each finding once."""

    def __init__(self, settings: DecisionSettings) -> None:
        self._settings = settings
        self._told: set[int] = set()
        self._stages: dict[int, Stage] = {}

    def told(self, track: int) -> bool:
        """Whether a person's screening was told already."""
        return track in self._told

    def update(self, result: FrameResult) -> list[Finding]:
        """Take a frame's result; return what is new."""
        findings = []
        for person in result.persons:
            if not person.ok:
                continue
            if person.track not in self._told and person.frames >= SETTLE_FRAMES:
                findings.append(self._screening(person))
            before = self._stages.get(person.track, Stage.CLEAR)
            if person.stage is not before:
                self._stages[person.track] = person.stage
                if person.stage is not Stage.CLEAR:
                    findings.append(self._fever(person))
        return [*findings, *self.ended(result.ended)]

    def ended(self, outcomes: list[PersonOutcome]) -> list[Finding]:
        """Take the outcomes of people who left; return what was not told yet."""
        findings = []
        for outcome in outcomes:
            if outcome.track not in self._told:
                if outcome.reading.ok:
                    findings.append(self._screening(outcome.reading))
                elif outcome.last_frame - outcome.first_frame >= LEAST_SEEN_FRAMES:
                    findings.append(_indeterminate(outcome.reading))
            self._told.discard(outcome.track)
            self._stages.pop(outcome.track, None)
        return findings

    def _screening(self, person: PersonReading) -> Finding:
        self._told.add(person.track)
        return Finding(
            "thermal.screening", Severity.INFO, 1.0 - _normal_error(person), person, "thermal.screening", "1",
            "personal", _facts(person),
        )  # fmt: skip

    def _fever(self, person: PersonReading) -> Finding:
        probability = fever_probability(person.core_celsius, person.uncertainty_c, self._settings)
        alarm = person.stage is Stage.ALARM
        facts = {**_facts(person), "stage": person.stage.value, "threshold_c": f"{self._settings.threshold_c:.1f}"}
        return Finding(
            "thermal.fever", Severity.ALARM if alarm else Severity.WARNING, probability, person, RULE_ID, RULE_VERSION,
            "incident", facts,
        )  # fmt: skip


@dataclass(frozen=True)
class RegionFinding:
    """A hot or cold warning, or its all-clear, before it becomes a message; fields as in :class:`Finding`."""

    kind: str
    severity: Severity
    standard_uncertainty_c: float
    rule_id: str
    rule_version: str
    attributes: dict[str, str]


EMISSIVITY_UNCERTAINTY = 0.03
"""Standard uncertainty of the assumed emissivity of things; bare metal is far outside and named in the manual [1]."""


def region_finding(event: RegionEvent) -> RegionFinding:
    """Make the finding of an event; an all-clear is information, a fire an alarm."""
    region = event.region
    severity = Severity.INFO
    if event.raised:
        severity = Severity.ALARM if event.cause == "fire" else Severity.WARNING
    room = event.ambient_celsius if math.isfinite(event.ambient_celsius) else 22.0
    left, upper, width, height = region.box
    return RegionFinding(
        kind=f"thermal.{region.heat.value}", severity=severity,
        # An error in emissivity acts on the difference to what is reflected; 1 K is the camera's own.
        standard_uncertainty_c=math.hypot(EMISSIVITY_UNCERTAINTY * abs(region.celsius - room), 1.0),
        rule_id=f"thermal.{region.heat.value}.absolute_or_relative", rule_version=REGION_RULE_VERSION,
        attributes={
            "state": "raised" if event.raised else "cleared", "cause": event.cause, "ambient_c": f"{room:.1f}",
            "box_px": f"{left},{upper},{width},{height}", "area_px": f"{region.area_px:.0f}",
        },
    )  # fmt: skip


def _normal_error(person: PersonReading) -> float:
    """Probability that the true value lies more than 1 K from the reading, for a normal error."""
    return math.erfc(1.0 / (person.uncertainty_c * math.sqrt(2.0)))


def _indeterminate(person: PersonReading) -> Finding:
    return Finding(
        "thermal.indeterminate", Severity.INFO, 1.0, person, "thermal.screening", "1", "personal",
        {"reason": person.reason or "settling", "distance_m": f"{person.distance_m:.1f}"},
    )  # fmt: skip


def _facts(person: PersonReading) -> dict[str, str]:
    return {
        "site": person.site,
        "skin_c": f"{person.skin_celsius:.2f}",
        "frames": str(person.frames),
        "distance_m": f"{person.distance_m:.1f}",
        "reference_used": str(person.reference_used).lower(),
    }
