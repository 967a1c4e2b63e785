"""How unlike everything learnt a smell is, and where to stop naming.

Sniffs are projected on the discriminant subspace of a strongly shrunk scatter in which today's calibration sniffs
dominate, so that drift directions are flattened. The score is the distance to the nearest calibration sniff plus the
distance to the third nearest of the training sniffs moved onto today's class means: the first follows today, the
second knows the spread over concentrations that a few sniffs cannot show.

The threshold needs no unknown substance: each known class is left out in turn and plays the unknown; the threshold
is the most careful of the low quantiles of those scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.str_]

_SHRINKAGE = 0.3
_CALIBRATION_WEIGHT = 100.0
_NAMED_UNKNOWNS = 0.02  # share of the left-out class that may stay below the threshold
_MAXIMUM_EXEMPLARS = 2000  # training sniffs kept for distances; more add nothing but time


@dataclass(frozen=True)
class NoveltyModel:
    """Projection (F, D), exemplars of today (K, D) and aligned training sniffs (M, D); threshold of :func:`score`."""

    projection: Floats
    exemplars: Floats
    aligned: Floats
    threshold: float


def fit(features: Floats, labels: Labels, shot_features: Floats, shot_labels: Labels) -> NoveltyModel:
    """Fit on a training session (N, F) and on labelled sniffs of today (K, F; may be empty), both standardised."""
    classes = np.unique(labels)
    model = _fit_geometry(features, labels, shot_features, shot_labels)
    if len(classes) < 3:
        # Leaving one of two classes out leaves nothing to discriminate: take the spread of what is known instead.
        known = score(model, np.vstack([features, shot_features]))
        return replace(model, threshold=max(2.0 * float(np.quantile(known, 0.99)), 1e-9))
    quantiles = []
    for name in classes:
        rest, rest_shots = labels != name, shot_labels != name
        held = features[~rest]
        held_shots = shot_features[~rest_shots]
        if len(held_shots):
            held = np.vstack([held - held.mean(axis=0) + held_shots.mean(axis=0), held_shots])
        partial = _fit_geometry(features[rest], labels[rest], shot_features[rest_shots], shot_labels[rest_shots])
        quantiles.append(float(np.quantile(score(partial, held), _NAMED_UNKNOWNS)))
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
    aligned = np.vstack([_align(projected[labels == name], projected_shots[shot_labels == name]) for name in classes])
    step = max(1, -(-len(aligned) // _MAXIMUM_EXEMPLARS))
    exemplars = projected_shots if len(projected_shots) else aligned[::step]
    return NoveltyModel(projection, exemplars, aligned[::step], threshold=1.0)


def _align(sniffs: Floats, shots: Floats) -> Floats:
    """Training sniffs of one class moved onto the mean of its calibration sniffs, where there are any."""
    return sniffs - sniffs.mean(axis=0) + shots.mean(axis=0) if len(shots) else sniffs


def _distances(points: Floats, others: Floats) -> Floats:
    """Euclidean distances (N, M)."""
    squared = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2.0 * points @ others.T
    result: Floats = np.sqrt(np.maximum(squared, 0.0))
    return result
