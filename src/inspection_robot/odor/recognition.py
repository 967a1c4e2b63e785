"""Naming a smell under sensor drift, and refusing to name what was never learnt.

Gas sensors drift by gains and offsets of their own, so a classifier is good for the session it was trained in. The
model here is a linear discriminant whose within-class scatter holds, besides the spread of the training session, the
*difference* between that session and the few labelled sniffs of today: directions in which the sensors drifted carry
no weight any more. Without labelled sniffs the difference of the session means takes that role as a weak prior.
Unlabelled sniffs of today refine class means and scatter by expectation maximisation. Labels of today are used only
where they are given as ``calibration``.

Sources: linear discriminant and its pooled scatter, Fisher 1936 and Rao 1948; shrinkage, Friedman 1989 (J. Am. Stat.
Assoc. 84:165); mean difference of domains as a regulariser, Zhang et al. 2017 (Chemometr. Intell. Lab. Syst. 166:13);
temperature scaling, Guo et al. 2017 (ICML).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.odor import novelty
from inspection_robot.odor.novelty import NoveltyModel

Floats = NDArray[np.float64]
Labels = NDArray[np.str_]

_TEMPERATURES = np.geomspace(0.25, 32.0, 29)


@dataclass(frozen=True)
class Sniffs:
    """Labelled feature vectors of one session: ``features`` (sniffs, features), ``labels`` (sniffs,)."""

    features: Floats
    labels: Labels

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or len(self.features) != len(self.labels):
            raise ValueError(f"features {self.features.shape} do not fit {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> Sniffs:
        """Part of the sniffs, by mask or index."""
        return Sniffs(self.features[mask], self.labels[mask])


def no_sniffs(features: int) -> Sniffs:
    """An empty set of sniffs of ``features`` features."""
    return Sniffs(np.empty((0, features)), np.empty(0, dtype=np.str_))


@dataclass(frozen=True)
class RecognitionSettings:
    """How the classifier is fitted; the defaults were chosen across all pairs of sessions, not for one of them."""

    shrinkages: tuple[float, ...] = (0.003, 0.01, 0.03)  # of the scatter towards a sphere; one head each [1]
    calibration_weight: float = 4.0  # weight of all calibration sniffs together; the reference session has 1 [1]
    unlabelled_weight: float = 1.0  # weight of all unlabelled sniffs together [1]
    shift_weight: float = 1e-3  # variance along the shift of the session means while nothing is labelled [1]
    iterations: int = 10  # of expectation maximisation over unlabelled sniffs
    temperature: float = 3.0  # of the probabilities while no calibration tells a better one [1]
    minimum_probability: float = 0.6  # below it a class is not named [1]


@dataclass(frozen=True)
class RecognitionModel:
    """A fitted recogniser: C classes, F features, H heads.

    ``weights`` (H, F, C) and ``biases`` (H, C) act on standardised features ``(x - center) / scale``.
    """

    classes: tuple[str, ...]
    center: Floats
    scale: Floats
    weights: Floats
    biases: Floats
    temperature: float
    minimum_probability: float
    novelty: NoveltyModel
    calibrated: tuple[str, ...] = field(default=())  # classes with labelled sniffs in the current session

    def __post_init__(self) -> None:
        expected = (len(self.biases), len(self.center), len(self.classes))
        if self.weights.shape != expected:
            raise ValueError(f"weights {self.weights.shape}, expected {expected}")


@dataclass(frozen=True)
class Recognition:
    """Result for N sniffs.

    ``probabilities`` (N, C) given that the smell is one of the classes, ``novelty`` (N,) relative to the rejection
    threshold (above 1: unlike everything learnt), ``best`` (N,) index of the most probable class, ``named`` (N,)
    whether it may be named.
    """

    probabilities: Floats
    novelty: Floats
    best: NDArray[np.intp]
    named: NDArray[np.bool_]


def fit(
    reference: Sniffs,
    calibration: Sniffs | None = None,
    unlabelled: Floats | None = None,
    settings: RecognitionSettings | None = None,
    families: Mapping[str, str] | None = None,
) -> RecognitionModel:
    """Fit the recogniser.

    Args:
        reference: the training session: every class, many sniffs.
        calibration: labelled sniffs of the current session (reference odors of the dock); may be absent.
        unlabelled: (N, F) sniffs of the current session whose classes nobody knows.
        settings: defaults when None.
        families: family of every class, whose members may resemble each other; None when classes have none.

    Raises:
        InputError: fewer than two classes, a calibration class that was never learnt, or numbers that are not finite.
    """
    chosen = settings or RecognitionSettings()
    count = reference.features.shape[1]
    given = calibration if calibration is not None else no_sniffs(count)
    free = unlabelled if unlabelled is not None else np.empty((0, count))
    classes = np.unique(reference.labels)
    _check(reference, given, free, classes)
    if families is not None and (without := sorted(set(classes.tolist()) - set(families))):
        raise InputError("odor families", f"no family for {', '.join(without)}")
    center = reference.features.mean(axis=0)
    scale = reference.features.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    source = Sniffs((reference.features - center) / scale, reference.labels)
    shots = Sniffs((given.features - center) / scale, given.labels)
    pool = (free - center) / scale
    weights, biases = _fit_heads(source, shots, pool, classes, chosen)
    return RecognitionModel(
        classes=tuple(str(name) for name in classes),
        center=center,
        scale=scale,
        weights=weights,
        biases=biases,
        temperature=_fit_temperature(source, shots, classes, chosen),
        minimum_probability=chosen.minimum_probability,
        novelty=novelty.fit(source.features, source.labels, shots.features, shots.labels, families),
        calibrated=tuple(str(name) for name in np.unique(given.labels)),
    )


def recognise(model: RecognitionModel, features: Floats) -> Recognition:
    """Recognise sniffs (N, F); no name is given where novelty or a low probability forbids it.

    Raises:
        InputError: a wrong number of features, or numbers that are not finite.
    """
    if features.ndim != 2 or features.shape[1] != len(model.center):
        raise InputError("odor features", f"shape {features.shape}, expected (sniffs, {len(model.center)})")
    if not np.isfinite(features).all():
        raise InputError("odor features", "numbers that are not finite")
    standardised = (features - model.center) / model.scale
    probabilities = _probabilities(standardised, model.weights, model.biases, model.temperature)
    relative = novelty.score(model.novelty, standardised) / model.novelty.threshold
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1) >= model.minimum_probability
    return Recognition(probabilities, relative, best, sure & (relative <= 1.0))


def with_threshold(model: RecognitionModel, threshold: float) -> RecognitionModel:
    """The same model with another rejection threshold (in units of the novelty score)."""
    return replace(model, novelty=replace(model.novelty, threshold=threshold))


def _check(reference: Sniffs, calibration: Sniffs, unlabelled: Floats, classes: Labels) -> None:
    if len(classes) < 2:
        raise InputError("odor training", f"{len(classes)} classes; two are needed to tell them apart")
    unknown = sorted(set(calibration.labels.tolist()) - set(classes.tolist()))
    if unknown:
        raise InputError("odor calibration", f"{', '.join(unknown)}: never learnt")
    for name, values in (
        ("odor training", reference.features),
        ("odor calibration", calibration.features),
        ("odor unlabelled sniffs", unlabelled),
    ):
        if values.shape[1] != reference.features.shape[1]:
            raise InputError(name, f"{values.shape[1]} features, expected {reference.features.shape[1]}")
        if not np.isfinite(values).all():
            raise InputError(name, "numbers that are not finite")


def _fit_heads(
    source: Sniffs, shots: Sniffs, pool: Floats, classes: Labels, settings: RecognitionSettings
) -> tuple[Floats, Floats]:
    """Heads (H, F, C), (H, C), one for each shrinkage."""
    features = np.vstack([source.features, shots.features])
    membership = (np.concatenate([source.labels, shots.labels])[:, None] == classes).astype(np.float64)
    weight = np.concatenate(
        [
            np.full(len(source), 1.0 / len(source)),
            np.full(len(shots), settings.calibration_weight / max(len(shots), 1)),
        ]
    )
    prior = np.zeros((features.shape[1], features.shape[1]))
    if len(pool) and not len(shots):
        shift = source.features.mean(axis=0) - pool.mean(axis=0)
        prior = settings.shift_weight * np.outer(shift, shift)
    heads = []
    for shrinkage in settings.shrinkages:
        head = _discriminant(features, membership, weight, prior, shrinkage)
        for _ in range(settings.iterations if len(pool) else 0):
            belief = _softmax(pool @ head[0] + head[1])
            head = _discriminant(
                np.vstack([features, pool]),
                np.vstack([membership, belief]),
                np.concatenate([weight, np.full(len(pool), settings.unlabelled_weight / len(pool))]),
                prior,
                shrinkage,
            )
        heads.append(head)
    return np.stack([head[0] for head in heads]), np.stack([head[1] for head in heads])


def _discriminant(
    features: Floats, membership: Floats, weight: Floats, prior: Floats, shrinkage: float
) -> tuple[Floats, Floats]:
    """Linear discriminant of weighted, softly labelled samples: weights (F, C), biases (C,)."""
    share = weight[:, None] * membership
    mass = np.maximum(share.sum(axis=0), 1e-12)
    means = share.T @ features / mass[:, None]
    scatter = (features * weight[:, None]).T @ features - (means * mass[:, None]).T @ means
    scatter /= weight.sum()
    sphere = shrinkage * np.trace(scatter) / len(scatter)
    solved: Floats = np.linalg.solve(scatter + prior + max(sphere, 1e-12) * np.eye(len(scatter)), means.T)
    return solved, -0.5 * np.einsum("cf,fc->c", means, solved)


def _fit_temperature(source: Sniffs, shots: Sniffs, classes: Labels, settings: RecognitionSettings) -> float:
    """Temperature that makes held-out calibration sniffs most likely; the default without at least two a class."""
    position = _position_in_class(shots.labels)
    folds = int(position.max()) + 1 if len(shots) else 0
    if folds < 2:
        return settings.temperature
    no_pool = np.empty((0, source.features.shape[1]))
    losses = np.zeros(len(_TEMPERATURES))
    for fold in range(min(folds, 5)):
        held = position % min(folds, 5) == fold
        weights, biases = _fit_heads(source, shots.take(~held), no_pool, classes, settings)
        truth = np.searchsorted(classes, shots.labels[held])
        for index, temperature in enumerate(_TEMPERATURES):
            probabilities = _probabilities(shots.features[held], weights, biases, float(temperature))
            losses[index] -= np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)).sum()
    return float(_TEMPERATURES[losses.argmin()])


def _position_in_class(labels: Labels) -> NDArray[np.intp]:
    """Running number of each sniff within its class (N,)."""
    same = labels[:, None] == labels[None, :]
    return np.asarray(np.tril(same, -1).sum(axis=1), dtype=np.intp)


def _probabilities(standardised: Floats, weights: Floats, biases: Floats, temperature: float) -> Floats:
    logits = np.einsum("nf,hfc->hnc", standardised, weights, optimize=True) + biases[:, None, :]
    mean: Floats = _softmax(logits / temperature).mean(axis=0)
    return mean


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return result
