"""From readings to findings: what is worth telling the rest of the robot, once a person and stage."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from inspection_contract.events import Severity
from inspection_robot.thermal.decision import RULE_ID, RULE_VERSION, DecisionSettings, Stage, fever_probability
from inspection_robot.thermal.hot_cold import RULE_VERSION as REGION_RULE_VERSION
from inspection_robot.thermal.hot_cold import RegionEvent
from inspection_robot.thermal.placing import Place
from inspection_robot.thermal.screening import FrameResult, PersonOutcome, PersonReading

SETTLED_AFTER_S = 3.0
"""A person's best reading is told when it has not become better for this time of readings [s], or when the person has
left: people are read better the nearer they come."""

_BETTER = 1.05
_FRAME_S = 0.5

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


@dataclass
class _Told:
    """What was told of a person, the best reading so far, and the time of readings since then [s]."""

    best: PersonReading
    last_s: float
    since_best_s: float = 0.0
    stage: Stage = Stage.CLEAR
    screening: bool = False


class FindingsMaker:
    """Watches the results of a stream and makes each finding once."""

    def __init__(self, settings: DecisionSettings) -> None:
        self._settings = settings
        self._people: dict[int, _Told] = {}

    def is_best(self, person: PersonReading) -> bool:
        """Whether this is the reading that will be told of a person unless a better one comes: keep its picture."""
        told = self._people.get(person.track)
        return told is not None and told.best is person and not told.screening

    def update(self, result: FrameResult, now_s: float) -> list[Finding]:
        """Take a frame's result; return what is new.

        Args:
            result: Of the frame.
            now_s: Its time [s].
        """
        findings = []
        for person in result.persons:
            if not person.ok:
                continue
            told = self._people.setdefault(person.track, _Told(person, now_s))
            told.since_best_s += min(now_s - told.last_s, _FRAME_S)
            told.last_s = now_s
            if person.quality > _BETTER * told.best.quality:
                told.best, told.since_best_s = person, 0.0
            if person.stage is not told.stage:
                told.stage = person.stage
                if person.stage is not Stage.CLEAR:
                    findings.append(self._fever(person))
        for told in self._people.values():
            if not told.screening and told.since_best_s >= SETTLED_AFTER_S:
                told.screening = True
                findings.append(_screening(told.best))
        return [*findings, *self.ended(result.ended)]

    def ended(self, outcomes: list[PersonOutcome]) -> list[Finding]:
        """Take the outcomes of people who left; return what was not told yet."""
        findings = []
        for outcome in outcomes:
            told = self._people.pop(outcome.track, None)
            if told is not None and not told.screening:
                findings.append(_screening(told.best))
            elif told is None and _was_here(outcome):
                findings.append(_indeterminate(outcome.reading))
        return findings

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


def region_finding(event: RegionEvent, place: Place | None, in_view: bool = True) -> RegionFinding:
    """Make the finding of an event; an all-clear is information, a fire an alarm.

    Args:
        event: What changed.
        place: Where the thing is or was; None when that is not known.
        in_view: The camera still sees that place. A warning ends with ``state`` ``cleared`` only then; otherwise it is
            ``out_of_view``: the robot has turned away, and nobody knows whether the thing is still there.
    """
    region = event.region
    state = "raised" if event.raised else "cleared" if in_view else "out_of_view"
    where = {} if place is None else {"distance_m": f"{place.distance_m:.1f}", "height_m": f"{place.position[2]:.1f}"}
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
            "state": state, "cause": event.cause, "ambient_c": f"{room:.1f}",
            "box_px": f"{left},{upper},{width},{height}", "area_px": f"{region.area_px:.0f}", **where,
        },
    )  # fmt: skip


def _screening(person: PersonReading) -> Finding:
    return Finding(
        "thermal.screening", Severity.INFO, 1.0 - _normal_error(person), person, "thermal.screening", "1", "personal",
        _facts(person),
    )  # fmt: skip


def _was_here(outcome: PersonOutcome) -> bool:
    """Whether a person was near and long enough to expect a reading; passers-by in the distance are not told of."""
    return outcome.reading.reason != "too_far" and outcome.last_frame - outcome.first_frame >= LEAST_SEEN_FRAMES


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
