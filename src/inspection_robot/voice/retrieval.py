"""Which entry answers a question, how probable that is, and when to refuse.

Refusal is a stage of its own: a ranking always has a first place, so a second model, fitted on questions that the
index had never seen (left out one by one), turns the evidence for that place into a probability.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.voice.features import Extractor, read_concepts
from inspection_robot.voice.index import EVIDENCE, Evidence, Index
from inspection_robot.voice.knowledge import LANGUAGES, Entry, KnowledgeBase, Language, load
from inspection_robot.voice.text import clean, language_of

Floats = NDArray[np.float64]

RANKING = dict(zip(EVIDENCE, (1.0, 0.5, 0.3, 0.3), strict=True))
"""Weight of each kind of evidence in an entry's score."""

ANSWER_FROM = 0.6
"""Least probability with which an answer is given."""

ELLIPTIC_LENGTH = 7
"""Questions with at most so many main features may lean on the one before: "and from Hong Kong?"."""

LEANING = re.compile(
    r"^(and|or|what about|how about|what if|then|also)\b|^(那|那么|还有|如果|要是|换成|从)|呢[?？]?$", re.IGNORECASE
)
"""Openings and endings of questions that lean on the one before."""

SPOKEN_FOR = 0.35
"""Least share of the best entry's score that words leaning on a question must give an entry that goes on from it."""

CLAUSE_FROM = 0.8
"""Least probability with which one clause of a longer question is answered."""

FOLLOW_UP_BONUS = 0.25
"""What being named as a follow-up is worth, in score, when a question leans on the one before."""

CLOSE = 0.85
"""A second entry whose score is this share of the first one's is worth a clarifying question."""

_CLAUSE = re.compile(r"[,，.。;；:：!！?？]+")
_JUDGED = ("domain", "domain_squared", "score", "classifier", "nearest", "margin", "off_topic")


@dataclass(frozen=True)
class Judge:
    """Logistic model from evidence to "the first place answers it"."""

    offset: float
    weights: Mapping[str, float]

    def probability(self, evidence: Evidence) -> float:
        """Return the probability that the first entry answers the question."""
        values = dict(zip(_JUDGED, _judged(evidence), strict=True))
        z = self.offset + sum(self.weights[name] * value for name, value in values.items())
        return float(1.0 / (1.0 + np.exp(-z)))


@dataclass(frozen=True)
class Found:
    """What a question leads to.

    Attributes:
        language: of the question.
        entry: best entry; None when nothing is indexed.
        probability: that it answers the question, 0..1.
        refused: nothing answers it with enough probability: a person should.
        alternatives: further entries almost as good, for a clarifying question.
        in_context: the question before was needed to understand this one.
    """

    language: Language
    entry: Entry | None
    probability: float
    refused: bool
    alternatives: tuple[Entry, ...] = ()
    in_context: bool = False


class Retriever:
    """Finds answers in one state of the knowledge base.

    Args:
        base: the knowledge base.
        today: entries that are not in force on this day are left out.
        folder: where ``concepts.yaml`` and ``ranking.yaml`` lie; ``config/knowledge`` by default.
        languages: those to index.
    """

    def __init__(
        self, base: KnowledgeBase, today: date, folder: Path | None = None, languages: Sequence[Language] = LANGUAGES
    ) -> None:
        folder = share() / "config" / "knowledge" if folder is None else folder
        self.base = base.valid_on(today)
        self._indexes = {language: build_index(self.base, language, folder) for language in languages}
        judges = read_judges(folder / "ranking.yaml")
        self._judges = {language: judges[language] for language in languages}

    def find(self, question: str, language: Language | None = None, before: str | None = None) -> Found:
        """Find the entry that answers ``question``.

        Args:
            question: as typed or heard.
            language: of the question; by its script when None.
            before: the traveller's previous question in the same language, for questions that lean on it.
        """
        text = clean(question)
        if language is None:
            script = language_of(text)
            language = script if script != "und" else "en"
        found, evidence = self._find(text, language)
        leaning = LEANING.search(text) is not None
        if before is not None and (leaning or found.refused) and evidence.length <= ELLIPTIC_LENGTH:
            continued = self._continue(clean(before), text, evidence, language)
            if continued is not None:
                return continued
        return self._by_clause(text, language) if found.refused else found

    def _by_clause(self, text: str, language: Language) -> Found:
        """Look at each clause of a refused question: greetings and stories stand before many of them."""
        whole, _ = self._find(text, language)
        clauses = [clause for clause in _CLAUSE.split(text) if clause.strip()]
        if len(clauses) < 2:
            return whole
        best = max((self._find(clause, language)[0] for clause in clauses), key=lambda found: found.probability)
        return best if best.probability >= CLAUSE_FROM else whole

    def _continue(self, before: str, text: str, alone: Evidence, language: Language) -> Found | None:
        """Find what a question asks that leans on the one before; None when it leads elsewhere.

        Looked at are the entries that belong with the one before: those that follow up on it or share its subject. The
        best of them for the new words and both questions together is taken, if the new words alone speak for it too:
        "what about fruit?" after a question about cigarettes is a new question.
        """
        previous, _ = self._find(before, language)
        joined, evidence = self._find(f"{before} {text}", language)
        if previous.entry is None or previous.refused or joined.refused:
            return None
        index = self._indexes[language]
        new, both = score(alone.entries), score(evidence.entries)
        belongs = [
            position
            for position, name in enumerate(index.entry_ids)
            if name != previous.entry.id
            and (name in previous.entry.follow_ups or self.base.entries[name].subject == previous.entry.subject)
        ]
        named = np.array([name in previous.entry.follow_ups for name in index.entry_ids])
        fit = new + both + FOLLOW_UP_BONUS * named
        best = max(belongs, key=lambda position: fit[position], default=None)
        if best is None or new[best] < SPOKEN_FOR * new.max():
            return None
        return Found(language, self.base.entries[index.entry_ids[best]], joined.probability, False, in_context=True)

    def _find(self, text: str, language: Language) -> tuple[Found, Evidence]:
        index = self._indexes[language]
        evidence = index.evidence(text)
        scores = score(evidence.entries)
        if not len(scores) or evidence.length == 0:
            return Found(language, None, 0.0, True), evidence
        order = np.argsort(-scores)
        best = self.base.entries[index.entry_ids[order[0]]]
        probability = self._judges[language].probability(evidence)
        close = [i for i in order[1:4] if scores[i] >= CLOSE * scores[order[0]] > 0]
        alternatives = tuple(self.base.entries[index.entry_ids[i]] for i in close)
        return Found(language, best, probability, probability < ANSWER_FROM, alternatives), evidence


def score(evidence: Floats) -> Floats:
    """Return one score for each row of evidence (entries, kinds)."""
    return np.asarray(evidence @ np.array([RANKING[name] for name in EVIDENCE]))


def build_index(base: KnowledgeBase, language: Language, folder: Path) -> Index:
    """Index the questions and paraphrases of all entries in one language."""
    entries = list(base.entries.values())
    extractor = Extractor(language, read_concepts(folder / "concepts.yaml", language), entries)
    texts = [(e.wording(language).question, *e.wording(language).paraphrases) for e in entries]
    return Index(extractor, texts, [e.id for e in entries], base.off_topic[language])


def calibrate(index: Index) -> tuple[Judge, dict[str, float]]:
    """Fit the refusal model on the left-out texts of an index.

    Both sides weigh the same, so that a probability of one half is where either error is as likely.

    Returns:
        The model, and how it and the ranking do on the left-out texts: ``hit1``, ``refused_off_topic``,
        ``refused_on_topic``.
    """
    from scipy.optimize import minimize  # a second of start-up that only calibration needs

    on, off = index.left_out_evidence()
    evidence = np.array([_judged(e) for e in (*on, *off)])
    truth = np.arange(len(evidence)) < len(on)
    mean, spread = evidence.mean(axis=0), evidence.std(axis=0) + 1e-9
    scaled = (evidence - mean) / spread
    balance = np.where(truth, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))

    def loss(parameters: Floats) -> float:
        z = parameters[0] + scaled @ parameters[1:]
        return float((balance * np.logaddexp(0, np.where(truth, -z, z))).mean() + 1e-3 * (parameters[1:] ** 2).sum())

    fitted = minimize(loss, np.zeros(len(_JUDGED) + 1)).x
    weights = fitted[1:] / spread
    judge = Judge(float(fitted[0] - weights @ mean), dict(zip(_JUDGED, map(float, weights), strict=True)))
    refused = np.array([judge.probability(e) < ANSWER_FROM for e in (*on, *off)])
    right = [int(score(e.entries).argmax()) == owner for e, owner in zip(on, index.owner, strict=True)]
    figures = {
        "hit1": float(np.mean(right)), "refused_off_topic": float(refused[~truth].mean()),
        "refused_on_topic": float(refused[truth].mean()),
    }  # fmt: skip
    return judge, figures


def read_judges(path: Path) -> dict[Language, Judge]:
    """Read the fitted refusal models from ``ranking.yaml``.

    Raises:
        InputError: the file is missing or of another shape.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {
            language: Judge(
                float(content[language]["offset"]), {n: float(content[language]["weights"][n]) for n in _JUDGED}
            )
            for language in LANGUAGES
        }
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"cannot be read: {type(error).__name__} {error}; run knowledge calibrate") from None


def write_judges(path: Path, judges: Mapping[Language, Judge]) -> None:
    """Write fitted refusal models to ``ranking.yaml``."""
    content = {
        language: {"offset": round(j.offset, 4), "weights": {n: round(w, 4) for n, w in j.weights.items()}}
        for language, j in judges.items()
    }
    text = "# Refusal model, fitted by `./robot knowledge calibrate`: do not edit by hand.\n"
    path.write_text(text + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def load_retriever(languages: Sequence[Language] = LANGUAGES) -> Retriever:
    """Return a retriever over this installation's knowledge base as of today."""
    return Retriever(load(), date.today(), languages=languages)


def _judged(evidence: Evidence) -> list[float]:
    scores = score(evidence.entries)
    order = np.argsort(-scores)
    best = evidence.entries[order[0]]
    second = scores[order[1]] if len(order) > 1 else 0.0
    return [
        evidence.domain, evidence.domain * abs(evidence.domain), float(scores[order[0]]), float(best[0]),
        float(best[1]), float(scores[order[0]] - second), evidence.off_topic,
    ]  # fmt: skip
