"""Recalibration with reference odors: the schedule of sniffs, the new model, how far the sensors have drifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.odor.features import concentrations_of
from inspection_robot.odor.onnx_model import Calibration
from inspection_robot.odor.recognition import RecognitionModel, Sniffs, fit, no_sniffs, recognise

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sniff:
    """One step of the schedule: present ``reference`` for ``expose_s``, after ``flush_s`` of clean air [s]."""

    reference: str
    number: int
    flush_s: float
    expose_s: float


def schedule(references: Sequence[str], sniffs: int, flush_s: float, expose_s: float) -> tuple[Sniff, ...]:
    """Order the sniffs: all references once, then again, so that slow drift within the run touches all alike.

    Raises:
        InputError: no references, or fewer than one sniff.
    """
    if not references or sniffs < 1:
        raise InputError("recalibration", f"{len(references)} references, {sniffs} sniffs each")
    return tuple(Sniff(name, number, flush_s, expose_s) for number in range(sniffs) for name in references)


@dataclass(frozen=True)
class Drift:
    """Shift of each reference against the last calibration in standard deviations of its sniffs; NaN when new.

    ``total`` is the root mean square over references and features, 0 when there is nothing to compare with.
    """

    references: tuple[str, ...]
    shifts: Floats
    total: float
    accuracy: float


@dataclass(frozen=True)
class Reference:
    """What comes with a model: training sniffs as a robot meets smells and at a dock, by the same boards."""

    sniffs: Sniffs
    docks: Sniffs
    features: tuple[str, ...]
    families: Mapping[str, str]


def as_met(sniffs: Sniffs, docks: Sniffs, met: Sniffs) -> Sniffs:
    """Dock sniffs as if the smell had been met in a plume.

    A dock's steady concentration gives other features than whiffs do. The mean difference between the two, which the
    training boards show for each substance, is taken off; what stays is what is peculiar to this board today.

    Raises:
        InputError: a substance that the training boards never sniffed at a dock.
    """
    unknown = sorted(set(sniffs.labels.tolist()) - (set(docks.labels.tolist()) & set(met.labels.tolist())))
    if unknown:
        raise InputError("odor calibration", f"{', '.join(unknown)}: never learnt at a dock")
    features = sniffs.features.copy()
    for name in np.unique(sniffs.labels):
        shift = met.features[met.labels == name].mean(axis=0) - docks.features[docks.labels == name].mean(axis=0)
        features[sniffs.labels == name] += shift
    return Sniffs(features, sniffs.labels)


def recalibrate(
    reference: Reference, sniffs: Sniffs, previous: Sniffs | None, calibration: Calibration
) -> tuple[RecognitionModel, Calibration, Drift]:
    """Fit the recogniser to today's labelled sniffs.

    Args:
        reference: what came with the model.
        sniffs: today's, of the reference odors at the dock.
        previous: sniffs of the last calibration of the same board, to measure drift; None for the first.
        calibration: what the new model file shall say; classes, families and accuracy are filled in here.

    Raises:
        InputError: other features than the model's, sniffs of a substance that was never learnt, or values that are
            not finite.
    """
    if calibration.features != reference.features:
        raise InputError("odor calibration", "the board has other channels than the model")
    shots = as_met(sniffs, reference.docks, reference.sniffs)
    families = reference.families
    model = fit(reference.sniffs, shots, families=families)
    accuracy = cross_validate(reference.sniffs, shots)
    described = Calibration(
        board=calibration.board,
        features=calibration.features,
        classes=model.classes,
        families=tuple(families[name] for name in model.classes),
        calibrated=model.calibrated,
        calibrated_at_s=calibration.calibrated_at_s,
        minimum_probability=model.minimum_probability,
        accuracy=accuracy,
    )
    return model, described, measure_drift(sniffs, previous, accuracy)


def cross_validate(reference: Sniffs, sniffs: Sniffs) -> float:
    """Share of today's sniffs recognised by a model that did not see them (one round of sniffs left out at a time)."""
    same = sniffs.labels[:, None] == sniffs.labels[None, :]
    rounds = np.tril(same, -1).sum(axis=1)
    right = 0
    for number in range(int(rounds.max()) + 1):
        held = rounds == number
        rest = sniffs.take(~held) if (~held).any() else no_sniffs(sniffs.features.shape[1])
        model = fit(reference, rest)
        best = np.array(model.classes)[recognise(model, sniffs.features[held]).best]
        right += int((best == sniffs.labels[held]).sum())
    return right / len(sniffs)


def strongest(sniffs: Sniffs) -> Floats:
    """Strongest mean concentration (C,) that each channel felt of any reference."""
    felt = concentrations_of(sniffs.features)
    result: Floats = np.stack([felt[sniffs.labels == name].mean(axis=0) for name in np.unique(sniffs.labels)]).max(
        axis=0
    )
    return result


def measure_drift(sniffs: Sniffs, previous: Sniffs | None, accuracy: float) -> Drift:
    """Compare the sniffs of each reference with those of the last calibration."""
    names = np.unique(sniffs.labels)
    old = previous if previous is not None else no_sniffs(sniffs.features.shape[1])
    shifts = np.full(len(names), np.nan)
    for place, name in enumerate(names):
        now, then = sniffs.features[sniffs.labels == name], old.features[old.labels == name]
        if len(then) < 2 or len(now) < 2:
            continue
        spread = np.sqrt((now.var(axis=0, ddof=1) + then.var(axis=0, ddof=1)) / 2.0)
        shifts[place] = np.sqrt(np.mean(((now.mean(axis=0) - then.mean(axis=0)) / np.maximum(spread, 1e-9)) ** 2))
    known = shifts[np.isfinite(shifts)]
    total = float(np.sqrt(np.mean(known**2))) if len(known) else 0.0
    return Drift(tuple(str(name) for name in names), shifts, total, accuracy)
