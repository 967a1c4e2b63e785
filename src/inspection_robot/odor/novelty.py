"""How unlike everything learnt a smell is, and where to stop naming.

Sniffs are projected on the discriminant subspace of a strongly shrunk scatter in which today's calibration sniffs
dominate, so that drift directions are flattened. The score is the distance to the nearest calibration sniff plus the
distance to the third nearest of the training sniffs moved onto today's class means: the first follows today, the
second knows the spread over concentrations that a few sniffs cannot show.

The threshold needs no unknown substance: each known group of classes (a family, or each class by itself) is left out in
turn and plays the unknown; the threshold is the most careful of the low quantiles of those scores, and never above
what nearly all known sniffs score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

Floats = NDArray[np.float64]
Labels = NDArray[np.str_]

_SHRINKAGE = 0.3
_CALIBRATION_WEIGHT = 100.0
_NAMED_UNKNOWNS = 0.02  # share of the left-out class that may stay below the threshold
_KNOWN_KEPT = 0.99  # share of the known sniffs that the threshold keeps at the most
_FEWEST_CLASSES = 4  # left when a group plays the unknown
_MAXIMUM_EXEMPLARS = 2000  # training sniffs kept for distances; more add nothing but time


@dataclass(frozen=True)
class NoveltyModel:
    """Projection (F, D), exemplars of today (K, D) and aligned training sniffs (M, D); threshold of :func:`score`."""

    projection: Floats
    exemplars: Floats
    aligned: Floats
    threshold: float


def fit(
    features: Floats,
    labels: Labels,
    shot_features: Floats,
    shot_labels: Labels,
    groups: Mapping[str, str] | None = None,
) -> NoveltyModel:
    """Fit on a training session (N, F) and on labelled sniffs of today (K, F; may be empty), both standardised.

    ``groups`` gives the group of each class that is left out together, because its members may resemble each other;
    each class by itself when None.
    """
    model = _fit_geometry(features, labels, shot_features, shot_labels)
    group_of = groups or {str(name): str(name) for name in np.unique(labels)}
    sides = _group_labels(labels, group_of), _group_labels(shot_labels, group_of)
    quantiles = []
    for name in np.unique(sides[0]):
        rest, rest_shots = sides[0] != name, sides[1] != name
        if len(np.unique(labels[rest])) < _FEWEST_CLASSES:
            continue  # so few dimensions are left that anything may fall onto a class by chance
        held = _align_classes(features[~rest], labels[~rest], shot_features[~rest_shots], shot_labels[~rest_shots])
        partial = _fit_geometry(features[rest], labels[rest], shot_features[rest_shots], shot_labels[rest_shots])
        quantiles.append(float(np.quantile(score(partial, held), _NAMED_UNKNOWNS)))
    fewest = int(np.unique(labels, return_counts=True)[1].min())
    quantiles.append(_known_quantile(model) * _small_sample_factor(fewest))
    return replace(model, threshold=max(min(quantiles), 1e-9))


def score(model: NoveltyModel, features: Floats) -> Floats:
    """Novelty (N,) of standardised features (N, F): a distance [1], larger for what is less like anything learnt."""
    projected = features @ model.projection
    nearest = _distances(projected, model.exemplars).min(axis=1)
    everything = _distances(projected, np.vstack([model.aligned, model.exemplars]))
    rank = min(2, everything.shape[1] - 1)
    third: Floats = np.partition(everything, rank, axis=1)[:, rank]
    result: Floats = nearest + third
    return result


def _known_quantile(model: NoveltyModel) -> float:
    """Score that nearly all known sniffs stay below, each judged by the others."""
    nearest = _distances(model.aligned, model.exemplars).min(axis=1)
    everything = np.sort(_distances(model.aligned, np.vstack([model.aligned, model.exemplars])), axis=1)
    third = everything[:, min(3, everything.shape[1] - 1)]  # the first is the sniff itself
    return float(np.quantile(nearest + third, _KNOWN_KEPT))


def _small_sample_factor(sniffs: int) -> float:
    """How much wider a spread known from so few sniffs a class may be: quantile of Student's t over the normal's."""
    return float(stdtrit(max(sniffs, 3) - 1, _KNOWN_KEPT) / ndtri(_KNOWN_KEPT))


def _fit_geometry(features: Floats, labels: Labels, shot_features: Floats, shot_labels: Labels) -> NoveltyModel:
    classes = np.unique(labels)
    everything = np.vstack([features, shot_features])
    membership = (np.concatenate([labels, shot_labels])[:, None] == classes).astype(np.float64)
    weight = np.concatenate(
        [
            np.full(len(features), 1.0 / len(features)),
            np.full(len(shot_features), _CALIBRATION_WEIGHT / max(len(shot_features), 1)),
        ]
    )
    share = weight[:, None] * membership
    mass = share.sum(axis=0)
    means = share.T @ everything / mass[:, None]
    scatter = (everything * weight[:, None]).T @ everything - (means * mass[:, None]).T @ means
    scatter /= weight.sum()
    scatter += max(_SHRINKAGE * np.trace(scatter) / len(scatter), 1e-12) * np.eye(len(scatter))
    whitening = np.linalg.cholesky(np.linalg.inv(scatter))
    white_means = means @ whitening
    axes = np.linalg.svd(white_means - white_means.mean(axis=0), full_matrices=False)[2]
    projection = whitening @ axes[: max(len(classes) - 1, 1)].T
    projected, projected_shots = features @ projection, shot_features @ projection
    aligned = _align_classes(projected, labels, projected_shots, shot_labels)[: len(projected)]
    step = max(1, -(-len(aligned) // _MAXIMUM_EXEMPLARS))
    exemplars = projected_shots if len(projected_shots) else aligned[::step]
    return NoveltyModel(projection, exemplars, aligned[::step], threshold=1.0)


def _align_classes(features: Floats, labels: Labels, shots: Floats, shot_labels: Labels) -> Floats:
    """Training sniffs moved onto the means of today's sniffs of their class, then today's sniffs."""
    moved = [
        _align(features[labels == name], shots[shot_labels == name]) for name in np.unique(labels)
    ]  # fmt: skip
    return np.vstack([*moved, shots])


def _align(sniffs: Floats, shots: Floats) -> Floats:
    """Training sniffs of one class moved onto the mean of its calibration sniffs, where there are any."""
    return sniffs - sniffs.mean(axis=0) + shots.mean(axis=0) if len(shots) else sniffs


def _group_labels(labels: Labels, group_of: Mapping[str, str]) -> Labels:
    return np.array([group_of[str(name)] for name in labels], dtype=np.str_)


def _distances(points: Floats, others: Floats) -> Floats:
    """Euclidean distances (N, M)."""
    squared = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2.0 * points @ others.T
    result: Floats = np.sqrt(np.maximum(squared, 0.0))
    return result
