"""What is told of an alarm: facts, place and evidence, before they become messages."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.evidence import EvidenceError
from inspection_robot.radiation.count_watch import CountState
from inspection_robot.radiation.localise import LocatedSource
from inspection_robot.radiation.monitor import Assessment, Sample
from inspection_robot.radiation.n42 import N42Context, write_n42
from inspection_robot.radiation.pictures import draw_counts, draw_spectrum

Floats = NDArray[np.float64]
UNLOCATED_M = 3.0  # standard deviation of a finding's place when only the robot's own is known [m]
TRACKED_M = 0.4  # of a carrier's place [m]


@dataclass(frozen=True)
class Piece:
    """A piece of evidence: IANA media type, role, bytes."""

    media_type: str
    role: str
    data: bytes


@dataclass(frozen=True)
class Whereabouts:
    """Where a finding is: track of its carrier, or a position (x, y) [m] with covariance (2, 2) [m²] in the map."""

    subject: str = ""
    position_m: tuple[float, float] | None = None
    covariance_m2: Floats = field(default_factory=lambda: np.eye(2) * UNLOCATED_M**2)


def rise_facts(state: CountState, detector: str) -> dict[str, str]:
    """Attributes of ``radiation.rise`` and ``radiation.overload``."""
    return {
        "background_cps": f"{state.background_cps:.3f}",
        "significance": f"{state.significance:.1f}",
        "window_s": f"{state.window_s:g}",
        "detector": detector,
    }


def assessment_facts(assessment: Assessment, detector: str, ended: bool) -> dict[str, str]:
    """Attributes of ``radiation.source``."""
    identification, source, carrier = assessment.identification, assessment.source, assessment.carrier
    named = identification.found if identification is not None else ()
    facts = {
        "verdict": assessment.verdict.verdict,
        "reason": assessment.verdict.reason,
        "ended": str(ended).lower(),
        "background_cps": f"{assessment.background_cps:.3f}",
        "significance": f"{assessment.significance:.1f}",
        "nuclides": ",".join(n.nuclide.name for n in named),
        "categories": ",".join(n.nuclide.category for n in named),
        "moves_with_carrier": {True: "yes", False: "no", None: "unknown"}[carrier.moves_with_track],
        "duration_s": f"{assessment.situation.duration_s:.0f}",
        "detector": detector,
    }
    if identification is not None and identification.reason:
        facts["unidentified"] = identification.reason
    if source is not None and _is_located(source) and not _carried(assessment):
        facts["activity_mbq_cs137"] = f"{source.activity_mbq:.3g}"
        facts["activity_deviation_mbq"] = f"{source.activity_deviation_mbq:.2g}"
    if assessment.viewpoint_m is not None and not _carried(assessment):
        facts["next_viewpoint"] = f"{assessment.viewpoint_m[0]:.1f},{assessment.viewpoint_m[1]:.1f}"
    return facts


def whereabouts(assessment: Assessment) -> Whereabouts:
    """Where its carrier is, else where the source lies, else where the robot was when it counted most."""
    carrier, source = assessment.carrier, assessment.source
    placed = [sample for sample in assessment.samples if sample.place is not None]
    walked = [sample.people[carrier.track] for sample in placed if carrier.track in sample.people]
    if _carried(assessment) and walked:
        return Whereabouts(carrier.track, (walked[-1].x_m, walked[-1].y_m), np.eye(2) * TRACKED_M**2)
    if source is not None and _is_located(source):
        return Whereabouts("", source.position_m, source.covariance_m2)
    peak = max(placed, key=lambda sample: sample.state.rate_cps).place if placed else None
    return Whereabouts("", (peak.x_m, peak.y_m)) if peak is not None else Whereabouts()


def _carried(assessment: Assessment) -> bool:
    return bool(assessment.carrier.track) and assessment.carrier.moves_with_track is not False


def _is_located(source: LocatedSource) -> bool:
    """Whether the place of a source says more than where the robot was when it counted most."""
    return float(np.sqrt(np.trace(source.covariance_m2))) <= UNLOCATED_M


def trace(samples: tuple[Sample, ...]) -> Piece:
    """Picture of the count rate.

    Raises:
        EvidenceError: the picture cannot be encoded.
    """
    times = np.array([sample.interval.end_s for sample in samples])
    rates = np.array([sample.state.rate_cps for sample in samples])
    picture = draw_counts(times, rates, samples[-1].state.background_cps, "count rate")
    return Piece("image/png", "trace", _png(picture))


def pieces(assessment: Assessment, robot: str, software_version: str) -> list[Piece]:
    """Evidence of an assessment: the count rate and, where there is a spectrum, its picture and its N42 file.

    Raises:
        EvidenceError: a picture cannot be encoded.
    """
    found = [trace(assessment.samples)]
    spectrum, identification = assessment.spectrum, assessment.identification
    if spectrum is not None:
        named = identification.found if identification is not None else ()
        title = ", ".join(n.nuclide.name for n in named) or "unidentified"
        found.append(Piece("image/png", "spectrum", _png(draw_spectrum(spectrum, title))))
        context = N42Context(robot, software_version, alarm=assessment.verdict.rule_id)
        found.append(Piece("application/xml", "spectrum", write_n42(spectrum, identification, context)))
    return found


def _png(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise EvidenceError("the evidence picture cannot be encoded")
    return bytes(data)
