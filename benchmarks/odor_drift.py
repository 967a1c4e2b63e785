"""Gas recognition months after training: train on batch 1, add n labelled sniffs per gas, test the rest of each batch.

The recogniser is the product's own. It is fitted on batch 1, on the n labelled sniffs of the later batch (drawn at
random, several draws) and, unless the key says otherwise, on the later batch's other sniffs *without labels*.
Rejection: each gas in turn is unknown, removed from training and calibration; no unlabelled sniffs are used.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_robot.odor.datasets import read_uci_folder
from inspection_robot.odor.features import signed_log
from inspection_robot.odor.recognition import Sniffs, fit, recognise
from inspection_robot.odor.scores import area_under_roc, calibration_error

SHOTS = (0, 1, 3, 5, 10)
MINIMUM_UNKNOWN = 10  # sniffs of a gas in a batch, for its rejection to be measured


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of batch1.dat … batchN.dat (UCI 224 or 270)")
    parser.add_argument("--draws", type=int, default=5, help="random draws of the labelled sniffs (default 5)")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    batches = {
        number: Sniffs(signed_log(batch.features), batch.labels)
        for number, batch in read_uci_folder(arguments.folder).items()
    }
    training = batches.pop(1)
    figures: dict[str, object] = {"batches": len(batches), "n_test": sum(map(len, batches.values()))}
    for shots in SHOTS:
        rows = [accuracies(training, batch, shots, arguments.draws if shots else 1) for batch in batches.values()]
        adapted, plain, errors = np.array(rows).T
        figures[f"accuracy_plus_{shots}"] = round(float(adapted.mean()), 4)
        figures[f"accuracy_plus_{shots}_worst_batch"] = round(float(adapted.min()), 4)
        figures[f"accuracy_plus_{shots}_no_adaptation"] = round(float(plain.mean()), 4)
        figures[f"calibration_error_plus_{shots}"] = round(float(errors.mean()), 4)
        if shots in (0, 5):
            figures |= {
                f"accuracy_plus_{shots}_batch_{number}": round(float(value), 4)
                for number, value in zip(batches, adapted, strict=True)
            }
        rejection = [
            values
            for batch in batches.values()
            for values in rejections(training, batch, shots, min(arguments.draws, 2) if shots else 1)
        ]
        auroc, unknown_named, known_named, right = np.array(rejection).mean(axis=0)
        figures[f"auroc_unknown_plus_{shots}"] = round(float(auroc), 4)
        figures[f"unknown_named_plus_{shots}"] = round(float(unknown_named), 4)
        figures[f"known_named_plus_{shots}"] = round(float(known_named), 4)
        figures[f"known_named_right_plus_{shots}"] = round(float(right), 4)
    return figures


def draw(labels: NDArray[np.str_], shots: int, seed: int) -> NDArray[np.bool_]:
    """Mask of ``shots`` random sniffs of every gas; at least one of each gas stays for the test."""
    generator = np.random.default_rng(seed)
    mask = np.zeros(len(labels), dtype=np.bool_)
    for gas in np.unique(labels):
        places = np.flatnonzero(labels == gas)
        mask[generator.permutation(places)[: min(shots, len(places) - 1)]] = True
    return mask


def accuracies(training: Sniffs, batch: Sniffs, shots: int, draws: int) -> tuple[float, float, float]:
    """Accuracy with and without unlabelled sniffs, and calibration error with them; mean over draws."""
    values = []
    for seed in range(draws):
        labelled = draw(batch.labels, shots, seed)
        test = batch.take(~labelled)
        row = []
        for unlabelled in (test.features, None):
            model = fit(training, batch.take(labelled), unlabelled)
            result = recognise(model, test.features)
            right = np.array(model.classes)[result.best] == test.labels
            row += [float(right.mean()), calibration_error(result.probabilities.max(axis=1), right)]
        values.append((row[0], row[2], row[1]))
    adapted, plain, error = np.mean(values, axis=0)
    return float(adapted), float(plain), float(error)


def rejections(training: Sniffs, batch: Sniffs, shots: int, draws: int) -> list[tuple[float, float, float, float]]:
    """For each gas as the unknown: AUROC, share of unknowns named, of knowns named, of named knowns that are right."""
    rows = []
    for gas in np.unique(batch.labels):
        if (batch.labels == gas).sum() < MINIMUM_UNKNOWN:
            continue
        known_training = training.take(training.labels != gas)
        for seed in range(draws):
            labelled = draw(batch.labels, shots, seed) & (batch.labels != gas)
            test = batch.take(~labelled)
            model = fit(known_training, batch.take(labelled))
            result = recognise(model, test.features)
            unknown = test.labels == gas
            right = np.array(model.classes)[result.best] == test.labels
            named = result.named & ~unknown
            rows.append(
                (
                    area_under_roc(result.novelty[~unknown], result.novelty[unknown]),
                    float(result.named[unknown].mean()),
                    float(result.named[~unknown].mean()),
                    float(right[named].mean()) if named.any() else 1.0,
                )
            )
    return rows
