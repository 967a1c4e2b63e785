"""All incidents of the robot: which finding goes to which, what becomes due, what the robot should do next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from inspection_robot.interception.association import TrackPoint, associate, subject_of
from inspection_robot.interception.fusion import Finding, checked, fused_confidence, fused_grade
from inspection_robot.interception.incident import Event, EventKind, Incident, RefusalError, State, apply
from inspection_robot.interception.kinds import KindRule, KindTable, Verification

MERGE_DISTANCE_M = 1.5
MERGE_TIME_S = 60.0
KEEP_CLOSED_S = 600.0
MAXIMUM_FINDINGS = 200
CONTINUING = {State.DISMISSED: 300.0, State.HANDED_OVER: 300.0}
"""A subject just dismissed or handed over opens no new incident of the same hypothesis for so long [s]."""


class Task(StrEnum):
    """What an incident wants the robot to do."""

    VERIFY = "verify"
    ASK_OFFICER = "ask_officer"


@dataclass(frozen=True)
class Case:
    """An incident with the findings it stands on.

    Attributes:
        incident: the case itself.
        findings: with the rule of each, oldest first.
        position: last known place in `map` [m].
        covariance: of the place [m²].
    """

    incident: Incident
    findings: tuple[tuple[Finding, KindRule], ...]
    position: tuple[float, float] | None
    covariance: tuple[tuple[float, float], tuple[float, float]] | None = None

    @property
    def rule(self) -> KindRule:
        """Rule of the leading finding."""
        return next(rule for finding, rule in self.findings if finding.kind == self.incident.kind)

    @property
    def hypotheses(self) -> frozenset[str]:
        """What is supposed of the subject."""
        return frozenset(rule.hypothesis for _, rule in self.findings)


@dataclass(frozen=True)
class Outcome:
    """What a step of the book changed: cases to tell about, and what they want done."""

    changed: tuple[Case, ...] = ()
    tasks: tuple[tuple[Task, UUID], ...] = ()


@dataclass
class CaseBook:
    """The incidents, by uuid.

    Args:
        table: what each kind of finding means.
        new_uuid: makes identities.
        limit: at most so many cases are kept; closed ones go first.
    """

    table: KindTable
    new_uuid: Callable[[], UUID]
    limit: int = 500
    _cases: dict[UUID, Case] = field(default_factory=dict)
    _seen: dict[UUID, float] = field(default_factory=dict)

    def __getitem__(self, uuid: UUID) -> Case:
        return self._cases[uuid]

    def __contains__(self, uuid: UUID) -> bool:
        return uuid in self._cases

    def cases(self) -> Sequence[Case]:
        """All cases, the most urgent first."""
        return sorted(self._cases.values(), key=lambda case: (case.rule.priority, case.incident.opened_s))

    def add(self, finding: Finding, tracks: Sequence[TrackPoint], now_s: float) -> Outcome:
        """Take in a finding: it strengthens the incident of its subject, or opens one, or is only noted.

        Args:
            finding: as published; a uuid seen before changes nothing.
            tracks: where everybody was at the time of the finding.
            now_s: node's clock [s].

        Raises:
            FindingError: the finding is broken.
        """
        if finding.uuid in self._seen:
            return Outcome()
        finding = checked(finding, now_s)
        self._seen[finding.uuid] = now_s
        rule = self.table.rule_of(finding.kind)
        if rule is None or finding.severity < rule.minimum_severity:
            return Outcome()
        if not finding.subject and finding.position is not None:
            subject = subject_of(associate(finding.position, finding.covariance, tracks))
            finding = replace(finding, subject=subject)
        known = self._case_for(finding, rule, now_s)
        if known is not None and not known.incident.is_open:
            return Outcome()
        if known is None:
            return self._open(finding, rule, now_s)
        return self._strengthen(known, finding, rule, now_s)

    def happen(self, uuid: UUID, event: Event) -> Outcome:
        """Apply an event to an incident.

        Raises:
            KeyError: no such incident.
            RefusalError: it cannot happen now.
        """
        case = self._cases[uuid]
        return self._keep(replace(case, incident=apply(case.incident, event)))

    def tick(self, now_s: float) -> Outcome:
        """Let time pass: what is due ends, closed cases are forgotten after ten minutes."""
        changed: list[Case] = []
        for uuid, case in list(self._cases.items()):
            if case.incident.is_open and now_s >= case.incident.expires_s:
                event = Event(EventKind.TIME_OUT, now_s, "robot:time", "reason.time_out")
                changed += self.happen(uuid, event).changed
            elif not case.incident.is_open and now_s - case.incident.entered_s > KEEP_CLOSED_S:
                del self._cases[uuid]
        self._seen = {uuid: seen for uuid, seen in self._seen.items() if now_s - seen < KEEP_CLOSED_S}
        return Outcome(tuple(changed))

    def rename(self, aliases: Mapping[str, str]) -> None:
        """Give cases about a sensor-level id the track that the id turned out to be; alias → track."""
        for uuid, case in self._cases.items():
            track = aliases.get(case.incident.subject)
            if track is not None and case.incident.is_open:
                self._cases[uuid] = replace(case, incident=replace(case.incident, subject=track))

    def follow(self, tracks: Mapping[str, TrackPoint]) -> None:
        """Let open incidents go with their subjects."""
        for uuid, case in self._cases.items():
            point = tracks.get(case.incident.subject)
            if case.incident.is_open and point is not None:
                x, y = (float(value) for value in point.position)
                (xx, xy), (yx, yy) = point.covariance.tolist()
                self._cases[uuid] = replace(case, position=(x, y), covariance=((xx, xy), (yx, yy)))

    def _case_for(self, finding: Finding, rule: KindRule, now_s: float) -> Case | None:
        best: Case | None = None
        for case in self._cases.values():
            recent = now_s - max(f.time_s for f, _ in case.findings) < MERGE_TIME_S or case.incident.is_open
            if not case.incident.is_open:
                quiet = CONTINUING.get(case.incident.state, 0.0)
                recent = now_s - case.incident.entered_s < quiet and rule.hypothesis in case.hypotheses
            if recent and _same_subject(case, finding, rule) and (best is None or case.incident.is_open):
                best = case
        return best

    def _open(self, finding: Finding, rule: KindRule, now_s: float) -> Outcome:
        pairs = ((finding, rule),)
        incident = Incident(
            uuid=self.new_uuid(), state=State.SUSPECTED, kind=finding.kind, grade=fused_grade(pairs),
            subject=finding.subject, confidence=fused_confidence(pairs), opened_s=now_s, entered_s=now_s,
            limits=rule.limits, rule_version=self.table.version,
        )  # fmt: skip
        case = Case(incident, pairs, finding.position, finding.covariance)
        self._make_room()
        outcome = self._keep(case)
        settled = rule.verification is Verification.NONE or finding.severity >= rule.confirmed_from
        kind = EventKind.CONFIRMED if settled else EventKind.VERIFICATION_BEGAN
        following = self.happen(incident.uuid, Event(kind, now_s, f"robot:{rule.prefix}", f"reason.{kind.value}"))
        task = Task.VERIFY if kind is EventKind.VERIFICATION_BEGAN else Task.ASK_OFFICER
        return Outcome((*outcome.changed, *following.changed), ((task, incident.uuid),))

    def _strengthen(self, case: Case, finding: Finding, rule: KindRule, now_s: float) -> Outcome:
        pairs = (*case.findings[-(MAXIMUM_FINDINGS - 1) :], (finding, rule))
        grade = min(case.incident.grade, fused_grade(pairs))
        leading = case.incident.kind if case.rule.priority <= rule.priority else finding.kind
        incident = replace(
            case.incident, kind=leading, grade=grade, confidence=fused_confidence(pairs),
            subject=case.incident.subject or finding.subject,
        )  # fmt: skip
        if case.incident.kind not in {f.kind for f, _ in pairs}:
            pairs = (case.findings[0], *pairs[1:])
        position = finding.position or case.position
        outcome = self._keep(replace(case, incident=incident, findings=pairs, position=position))
        agreeing = sum(other.hypothesis == rule.hypothesis for _, other in pairs) - 1
        waiting = incident.state in (State.SUSPECTED, State.VERIFYING)
        if waiting and (agreeing >= rule.agreeing or finding.severity >= rule.confirmed_from):
            event = Event(EventKind.CONFIRMED, now_s, f"robot:{rule.prefix}", "reason.second_look_agrees")
            outcome = self.happen(incident.uuid, event)
            return Outcome(outcome.changed, ((Task.ASK_OFFICER, incident.uuid),))
        return outcome

    def _keep(self, case: Case) -> Outcome:
        self._cases[case.incident.uuid] = case
        return Outcome((case,))

    def _make_room(self) -> None:
        if len(self._cases) < self.limit:
            return
        closed = [case for case in self._cases.values() if not case.incident.is_open]
        oldest = min(closed or self._cases.values(), key=lambda case: case.incident.entered_s)
        del self._cases[oldest.incident.uuid]


def _same_subject(case: Case, finding: Finding, rule: KindRule) -> bool:
    if case.incident.subject and finding.subject:
        return case.incident.subject == finding.subject
    if rule.hypothesis not in case.hypotheses:
        return False  # different things near each other are one incident only on one track
    if case.position is None or finding.position is None:
        return case.position is None and finding.position is None and case.incident.subject == finding.subject
    return math.dist(case.position, finding.position) <= MERGE_DISTANCE_M


__all__ = ["Case", "CaseBook", "Outcome", "RefusalError", "Task"]
