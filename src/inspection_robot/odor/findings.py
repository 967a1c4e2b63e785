"""From judgements to findings: which smells matter, how much, and when to tell."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import yaml

from inspection_contract.errors import InputError
from inspection_robot.odor.judgement import Judgement, Verdict

KINDS = {
    Verdict.UNRECOGNISED: "odor.unrecognised",
    Verdict.FAMILY: "odor.family",
    Verdict.SUBSTANCE: "odor.substance",
}
RULE = "odor.carried_goods"
PAUSE_S = 30.0  # longest pause between whiffs of one episode [s]


class Severity(IntEnum):
    """As ``Detection.severity``."""

    INFO = 0
    NOTICE = 1
    WARNING = 2
    ALARM = 3


@dataclass(frozen=True)
class Rules:
    """Severity of each family and of what is not recognised; ``version`` is a digest of the file."""

    families: Mapping[str, Severity]
    unrecognised: Severity
    version: str


@dataclass(frozen=True)
class Finding:
    """What is told about one exposure."""

    kind: str
    severity: Severity
    confidence: float
    intensity: float
    attributes: Mapping[str, str]


def load_rules(path: Path) -> Rules:
    """Read ``config/odor_rules.yaml``.

    Raises:
        InputError: missing, no YAML, an unknown key or severity.
    """
    try:
        data = path.read_bytes()
        content = yaml.safe_load(data)
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    except yaml.YAMLError as error:
        raise InputError(path, f"no YAML: {error}") from error
    if not isinstance(content, dict) or set(content) != {"families", "unrecognised"}:
        raise InputError(path, "must have the keys families and unrecognised")
    if not isinstance(content["families"], dict):
        raise InputError(path, "families must be a map of family to severity")
    families = {str(name): _severity(path, word) for name, word in content["families"].items()}
    return Rules(families, _severity(path, content["unrecognised"]), hashlib.sha256(data).hexdigest()[:12])


def make_finding(judgement: Judgement, intensity: float, unrecognised_confidence: float, rules: Rules) -> Finding:
    """Describe a judgement that something smells.

    Args:
        judgement: not ``NOTHING``.
        intensity: strongest response over noise [1].
        unrecognised_confidence: of "something is here" where no name is given, 0..1.
        rules: severities.
    """
    named = judgement.verdict in (Verdict.FAMILY, Verdict.SUBSTANCE)
    severity = rules.families.get(judgement.family, rules.unrecognised) if named else rules.unrecognised
    attributes = {"intensity": f"{intensity:.1f}"}
    if named:
        attributes |= {"family": judgement.family, "probability": f"{judgement.probability:.3f}"}
    if judgement.substance:
        attributes["substance"] = judgement.substance
    if judgement.reason:
        attributes["reason"] = judgement.reason
    confidence = judgement.probability if named else unrecognised_confidence
    return Finding(KINDS[judgement.verdict], severity, confidence, intensity, attributes)


@dataclass(frozen=True)
class Episode:
    """What was told of one smell: when it was there last [s], and the best verdict and name told so far.

    A plume comes in whiffs: exposures with short pauses between them are one episode.
    """

    last_s: float
    told: Verdict = Verdict.NOTHING
    name: str = ""

    def says_more(self, judgement: Judgement) -> bool:
        """Whether the judgement is worth telling after what was told: a better verdict, or another name."""
        if judgement.verdict is Verdict.NOTHING:
            return False
        other = judgement.verdict >= self.told and (judgement.substance or judgement.family) != self.name
        return judgement.verdict > self.told or other

    def after(self, judgement: Judgement) -> Episode:
        """The episode once the judgement has been told."""
        return Episode(self.last_s, judgement.verdict, judgement.substance or judgement.family)

    def goes_on(self, time_s: float) -> bool:
        """Whether a smell at this time [s] still belongs to it."""
        return 0.0 <= time_s - self.last_s <= PAUSE_S

    def at(self, time_s: float) -> Episode:
        """The episode with the smell there at this time [s]."""
        return Episode(time_s, self.told, self.name)


def onset_confidence(intensity: float) -> float:
    """Probability that an onset is a smell and not noise, from its strength: saturating, never certain [1]."""
    return float(min(0.5 + 0.45 * (1.0 - 2.0 ** (-intensity / 20.0)), 0.95))


def _severity(path: Path, word: object) -> Severity:
    names = {severity.name.lower(): severity for severity in Severity}
    if word not in names:
        raise InputError(path, f"{word!r} is no severity; there are {', '.join(names)}")
    return names[str(word)]
