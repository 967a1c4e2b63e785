"""What may be said about a smell: nothing, something, a family, a substance — as far as the calibration carries.

The gate comes before the classifier: a calibration that is too old, of another board or of another channel set gives no
names at all, however probable they look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from inspection_robot.odor.onnx_model import Calibration
from inspection_robot.odor.recognition import Recognition

Floats = NDArray[np.float64]


class Verdict(IntEnum):
    """As ``OdorClassification.verdict``."""

    NOTHING = 0
    UNRECOGNISED = 1
    FAMILY = 2
    SUBSTANCE = 3


@dataclass(frozen=True)
class Judgement:
    """What is said. ``reason`` is a key of ``config/text/*/odor.yaml``, empty when a substance is named."""

    verdict: Verdict
    family: str
    substance: str
    probability: float
    reason: str


@dataclass(frozen=True)
class Gate:
    """Whether names are allowed now, and why not (key of ``config/text/*/odor.yaml``)."""

    fresh: bool
    age_s: float
    reason: str


def check_gate(
    calibration: Calibration, board: str, features: Sequence[str], now_s: float, maximum_age_s: float
) -> Gate:
    """Check the calibration against the board in use and the time of the node's clock [s]."""
    age = now_s - calibration.calibrated_at_s
    if tuple(features) != calibration.features:
        return Gate(False, age, "other_channels")
    if not calibration.calibrated or not np.isfinite(calibration.calibrated_at_s):
        return Gate(False, float("inf"), "never_calibrated")
    if board != calibration.board:
        return Gate(False, age, "other_board")
    if not 0.0 <= age <= maximum_age_s:
        return Gate(False, age, "stale_calibration")
    return Gate(True, age, "")


def judge(recognition: Recognition, index: int, calibration: Calibration, gate: Gate) -> Judgement:
    """Judge sniff ``index`` of a recognition result.

    A substance is named when it is sure and was calibrated; else its family when that is sure and one of its members
    was calibrated. A smell unlike everything learnt is never named: an unseen substance's family is mostly a guess.
    """
    if not gate.fresh:
        return Judgement(Verdict.UNRECOGNISED, "", "", 0.0, gate.reason)
    probabilities = recognition.probabilities[index]
    if recognition.novelty[index] > 1.0:
        return Judgement(Verdict.UNRECOGNISED, "", "", 0.0, "unlike_everything_learnt")
    families = np.array(calibration.families)
    best = int(recognition.best[index])
    substance = calibration.classes[best]
    if recognition.named[index] and substance in calibration.calibrated:
        return Judgement(Verdict.SUBSTANCE, families[best], substance, float(probabilities[best]), "")
    known = {
        family for name, family in zip(calibration.classes, families, strict=True) if name in calibration.calibrated
    }
    names, place = np.unique(families, return_inverse=True)
    totals = np.bincount(place, weights=probabilities)
    likely = int(totals.argmax())
    if totals[likely] >= calibration.minimum_probability and names[likely] in known:
        return Judgement(Verdict.FAMILY, str(names[likely]), "", float(totals[likely]), "substance_unsure")
    return Judgement(Verdict.UNRECOGNISED, "", "", 0.0, "unsure")
