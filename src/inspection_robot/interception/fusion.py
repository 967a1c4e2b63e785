"""Evidence about one subject put together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from inspection_robot.interception.grades import Grade
from inspection_robot.interception.kinds import KindRule

MAXIMUM_AGE_S = 120.0
MAXIMUM_LEAD_S = 1.0
_CLIP = 1e-6


@dataclass(frozen=True)
class Finding:
    """One detection as interception uses it.

    Attributes:
        uuid: of the detection.
        kind: dotted name.
        severity: 0..4.
        confidence: probability that it is true.
        time_s: of measurement, node's clock [s].
        subject: track, or empty.
        position: (x, y) in `map` [m], or nothing.
        covariance: ((xx, xy), (xy, yy)) [m²], or nothing.
        grade: a better grade than the table's, as documents give; or nothing.
    """

    uuid: UUID
    kind: str
    severity: int
    confidence: float
    time_s: float
    subject: str = ""
    position: tuple[float, float] | None = None
    covariance: tuple[tuple[float, float], tuple[float, float]] | None = None
    grade: Grade | None = None


class FindingError(Exception):
    """A detection that cannot be used; the text says which of its fields is broken, not what stands there."""


def checked(finding: Finding, now_s: float) -> Finding:
    """The finding, without a position that cannot be one.

    Raises:
        FindingError: its time is not finite, too old or in the future, or its confidence is no probability.
    """
    if not math.isfinite(finding.time_s):
        raise FindingError("the time is not finite")
    if finding.time_s > now_s + MAXIMUM_LEAD_S:
        raise FindingError("the time lies in the future")
    if finding.time_s < now_s - MAXIMUM_AGE_S:
        raise FindingError("the time lies too far back")
    if not 0.0 <= finding.confidence <= 1.0:
        raise FindingError("the confidence is no probability")
    if finding.position is None:
        return finding
    position: tuple[float, float] | None = finding.position
    covariance = finding.covariance
    if not all(map(math.isfinite, finding.position)):
        position, covariance = None, None
    elif covariance is not None:
        (xx, xy), (yx, yy) = covariance
        sensible = all(1e-8 < variance < 1e8 for variance in (xx, yy)) and abs(xy - yx) <= 1e-6 * math.sqrt(xx * yy)
        if not sensible or xx * yy - xy * yx <= 0.0:
            covariance = None
    return Finding(
        finding.uuid, finding.kind, finding.severity, finding.confidence, finding.time_s, finding.subject, position,
        covariance, finding.grade,
    )  # fmt: skip


def fused_confidence(findings: Iterable[tuple[Finding, KindRule]]) -> float:
    """Probability that at least one supposed thing is true of the subject.

    Within a hypothesis, findings of different kinds are independent given the truth: their likelihood ratios (posterior
    odds over prior odds) multiply. Findings of one kind come from one sensor and share its faults: only the strongest
    counts. Different hypotheses are independent of each other.
    """
    strongest: dict[str, dict[str, float]] = {}
    priors: dict[str, float] = {}
    for finding, rule in findings:
        prior = _logit(rule.prior)
        gain = _logit(finding.confidence) - prior
        kinds = strongest.setdefault(rule.hypothesis, {})
        kinds[rule.prefix] = max(kinds.get(rule.prefix, -math.inf), gain)
        priors[rule.hypothesis] = prior
    none_true = 1.0
    for hypothesis, gains in strongest.items():
        none_true *= 1.0 - _logistic(priors[hypothesis] + sum(gains.values()))
    return 1.0 - none_true


def fused_grade(findings: Iterable[tuple[Finding, KindRule]]) -> Grade:
    """The best grade that the findings reach: a hypothesis with enough agreeing findings has its confirmed grade."""
    pairs = list(findings)
    best = Grade.E
    for finding, rule in pairs:
        agreeing = sum(other.hypothesis == rule.hypothesis for _, other in pairs) - 1
        confirmed = finding.severity >= rule.confirmed_from or (rule.agreeing and agreeing >= rule.agreeing)
        grade = rule.confirmed_grade if confirmed else rule.grade
        best = min(best, grade, finding.grade or Grade.E)
    return best


def _logit(probability: float) -> float:
    clipped = min(max(probability, _CLIP), 1.0 - _CLIP)
    return math.log(clipped / (1.0 - clipped))


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(value, -50.0), 50.0)))
