"""Scores of a question against every entry: similarity of features and a kernel classifier over paraphrases.

The classifier is kernel ridge regression on one-hot targets (Rifkin & Klautau 2004, "In Defense of One-Vs-All
Classification"); its leave-one-out predictions come in closed form from the inverse of the regularised kernel
(Rasmussen & Williams 2006, eq. 5.12), so what ranking and refusal learn from has never seen the question itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from inspection_robot.voice.features import BLOCKS, Extractor, Features

Floats = NDArray[np.float64]

RIDGE = 0.35
"""Regularisation, in units of a text's similarity with itself."""

DOMAIN_RIDGE = 0.1

EVIDENCE = ("classifier", "nearest", "second_nearest", "concepts")
"""Names of what :meth:`Index.evidence` gives for each entry."""


@dataclass(frozen=True)
class Evidence:
    """How a question compares.

    Attributes:
        entries: float array (entries, len(EVIDENCE)).
        domain: kernel classifier's opinion whether an entry answers it, about −1 (no) … 1 (yes).
        known: share of the question's weight, of words and sounds, that some text of the entries has, 0..1.
        off_topic: greatest similarity with a text that is off topic, 0..1.
        length: number of features of the main kind.
    """

    entries: Floats
    domain: float
    known: float
    off_topic: float
    length: int


class Index:
    """The texts of one language, indexed.

    Args:
        extractor: of the language.
        texts: one sequence of texts for each entry.
        entry_ids: names of the entries, in the order of ``texts``.
        off_topic: texts that belong to no entry.
    """

    def __init__(
        self, extractor: Extractor, texts: Sequence[Sequence[str]], entry_ids: Sequence[str], off_topic: Sequence[str]
    ) -> None:
        self._extractor = extractor
        self._weights = BLOCKS[extractor.language]
        self.entry_ids = tuple(entry_ids)
        documents = [extractor.features(text) for group in texts for text in group]
        outside = [extractor.features(text) for text in off_topic]
        self.owner = np.repeat(np.arange(len(texts)), [len(group) for group in texts])
        self._vocabulary, self._idf = self._learn(documents + outside, len(documents))
        self._inside = len(documents)
        self._matrix = self._vectors(documents + outside)
        self._targets = np.zeros((len(documents) + len(outside), len(texts)))
        self._targets[np.arange(len(documents)), self.owner] = 1.0
        kernel = self._kernel()
        self._dual = _solved(self._regularised(kernel), self._targets)
        side, regularised = self._domain(_conjunctions(kernel))
        self._domain_dual = _solved(regularised, side)
        self._concept_names = [f"entry:{name}" for name in entry_ids]
        self._concept_idf = np.array([self._idf_of("concept", name) for name in self._concept_names])
        self._features = documents + outside

    def evidence(self, question: str) -> Evidence:
        """Compare a question."""
        features = self._extractor.features(question)
        vector = self._vectors([features])
        similarity = np.asarray((vector @ self._matrix.T).todense())[0]
        domain = float(_conjunctions(similarity) @ self._domain_dual)
        return self._evidence(features, similarity, similarity @ self._dual, domain)

    def left_out_evidence(self) -> tuple[list[Evidence], list[Evidence]]:
        """Compare every indexed text as if it were not indexed: those of entries, and those off topic.

        The owner of the i-th text of entries is ``owner[i]``. Takes some seconds: two matrices are inverted.
        """
        kernel = self._kernel()
        classifier = _left_out(self._regularised(kernel), self._targets)
        side, regularised = self._domain(_conjunctions(kernel))
        domain = _left_out(regularised, side[:, None])[:, 0]
        np.fill_diagonal(kernel, 0.0)
        found = [
            self._evidence(features, kernel[row], classifier[row], float(domain[row]), int(row < self._inside))
            for row, features in enumerate(self._features)
        ]
        return found[: self._inside], found[self._inside :]

    def _kernel(self) -> Floats:
        return np.asarray((self._matrix @ self._matrix.T).todense())

    def _regularised(self, kernel: Floats) -> Floats:
        return _with_diagonal(kernel, RIDGE * float(kernel.trace()) / len(kernel))

    def _domain(self, kernel: Floats) -> tuple[Floats, Floats]:
        """Targets and regularised kernel of "some entry answers it" (1) against "off topic" (−1), sides balanced."""
        side = np.where(np.arange(len(kernel)) < self._inside, 1.0, -1.0)
        weight = np.where(side > 0, 1.0, self._inside / max(1, len(kernel) - self._inside))
        return side, _with_diagonal(kernel, DOMAIN_RIDGE * float(kernel.trace()) / len(kernel) / weight)

    def _evidence(
        self, features: Features, similarity: Floats, classifier: Floats, domain: float, own: int = 0
    ) -> Evidence:
        inside = similarity[: self._inside]
        count = len(self.entry_ids)
        best = np.zeros(count)
        np.maximum.at(best, self.owner, inside)
        without_best = np.where(inside >= best[self.owner], 0.0, inside)
        second = np.zeros(count)
        np.maximum.at(second, self.owner, without_best)
        concepts = features["concept"]
        held = np.array([name in concepts for name in self._concept_names], dtype=float) * self._concept_idf
        total = float(held.sum())
        share = held / total if total > 0 else held
        outside = similarity[self._inside :]
        main = features["word"] if self._extractor.language == "en" else features["sounds"] | features["word"]
        return Evidence(
            np.stack([classifier, best, second, share], axis=1), domain, self._known(features, own),
            float(outside.max(initial=0.0)), len(main),
        )  # fmt: skip

    def _learn(self, documents: Sequence[Features], inside: int) -> tuple[dict[str, dict[str, int]], dict[str, Floats]]:
        vocabulary: dict[str, dict[str, int]] = {kind: {} for kind in self._weights}
        counts: dict[str, list[int]] = {kind: [] for kind in self._weights}
        self._inside_counts: dict[str, Counter[str]] = {kind: Counter() for kind in self._weights}
        for number, features in enumerate(documents):
            for kind, names in features.items():
                for name in names:
                    column = vocabulary[kind].setdefault(name, len(vocabulary[kind]))
                    if column == len(counts[kind]):
                        counts[kind].append(0)
                    counts[kind][column] += 1
                if number < inside:
                    self._inside_counts[kind].update(names)
        idf = {kind: np.log((1 + len(documents)) / (0.5 + np.array(count, float))) for kind, count in counts.items()}
        return vocabulary, idf

    def _idf_of(self, kind: str, name: str) -> float:
        column = self._vocabulary[kind].get(name)
        return 0.0 if column is None else float(self._idf[kind][column])

    def _known(self, features: Features, own: int) -> float:
        rare = float(np.log(len(self._matrix.indptr) / 0.5))
        known = total = 0.0
        for kind in ("word",) if self._extractor.language == "en" else ("word", "chars", "sounds"):
            for name in features[kind]:
                inside = self._inside_counts[kind][name] > own
                weight = self._idf_of(kind, name) if inside else rare
                total += weight
                known += weight if inside else 0.0
        return known / total if total else 0.0

    def _vectors(self, documents: Sequence[Features]) -> sparse.csr_matrix:
        """Rows of weighted features; each kind is scaled to its weight, the row to length one."""
        blocks = []
        for kind, weight in self._weights.items():
            rows, columns = [], []
            for row, features in enumerate(documents):
                known = [self._vocabulary[kind][n] for n in sorted(features[kind]) if n in self._vocabulary[kind]]
                columns.extend(known)
                rows.extend([row] * len(known))
            values = self._idf[kind][columns] if columns else np.zeros(0)
            block = sparse.csr_matrix((values, (rows, columns)), shape=(len(documents), len(self._vocabulary[kind])))
            blocks.append(_unit_rows(block) * weight)
        return _unit_rows(sparse.hstack(blocks, format="csr"))


def _solved(regularised: Floats, targets: Floats) -> Floats:
    """Coefficients of kernel ridge regression; single precision is plenty for a well-conditioned kernel."""
    factor = linalg.cho_factor(regularised.astype(np.float32), lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(linalg.cho_solve(factor, targets.astype(np.float32), check_finite=False), dtype=np.float64)


def _with_diagonal(kernel: Floats, addition: Floats | float) -> Floats:
    """Return a copy with the addition on its diagonal; no second matrix is made for it."""
    result = kernel.copy()
    result.flat[:: len(kernel) + 1] += addition
    return result


def _left_out(regularised: Floats, targets: Floats) -> Floats:
    """Leave-one-out predictions of kernel ridge regression: y − α / diag(K⁻¹)."""
    inverse = linalg.inv(regularised)
    return np.asarray(targets - (inverse @ targets) / np.diag(inverse)[:, None])


def _conjunctions(kernel: Floats) -> Floats:
    """Second-degree kernel: it sees pairs of features, as "bring" together with the name of an animal."""
    return np.asarray((kernel + 0.2) ** 2)


def _unit_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return sparse.csr_matrix(sparse.diags(scale) @ matrix)
