"""Fit the weights of the name matcher and write `models/name_matcher.json`.

    PYTHONPATH=src python models/training/name_matcher.py PAIRS.csv

PAIRS.csv has the columns name1, name2, is_match. Logistic regression with an L2 penalty on standardised features; the
figures printed and stored are ten-fold cross-validated, five times.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from inspection_robot.interception.name_scores import area_under_curve, best_f1
from inspection_robot.interception.names import FEATURES, features, prepare

PENALTY = 3.0
FOLDS, REPEATS = 10, 5


def fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Intercept and weights, in units of the features, of penalised logistic regression."""
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = (x - mean) / deviation

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = parameters[0] + z @ parameters[1:]
        error = 1.0 / (1.0 + np.exp(-logit)) - y
        value = np.sum(np.logaddexp(0.0, logit) - y * logit) + 0.5 * PENALTY * np.sum(parameters[1:] ** 2)
        return float(value), np.concatenate([[error.sum()], z.T @ error + PENALTY * parameters[1:]])

    parameters = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return float(parameters[0] - np.sum(parameters[1:] * mean / deviation)), parameters[1:] / deviation


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--output", type=Path, default=Path("models/name_matcher.json"))
    arguments = parser.parse_args()
    with arguments.pairs.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    x = np.array([features(prepare(row["name1"]), prepare(row["name2"])) for row in rows])
    y = np.array([row["is_match"].strip().lower() == "true" for row in rows], np.float64)
    rng = np.random.default_rng(0)
    figures = []
    for _ in range(REPEATS):
        order, scores = rng.permutation(len(y)), np.zeros(len(y))
        for fold in range(FOLDS):
            held = order[fold::FOLDS]
            kept = np.setdiff1d(order, held)
            intercept, weights = fit(x[kept], y[kept])
            scores[held] = intercept + x[held] @ weights
        figures.append((best_f1(scores, y > 0.5), area_under_curve(scores, y > 0.5)))
    intercept, weights = fit(x, y)
    content = {
        "intercept": round(intercept, 5),
        "weights": {name: round(float(weight), 5) for name, weight in zip(FEATURES, weights, strict=True)},
        "trained_on_sha256": hashlib.sha256(arguments.pairs.read_bytes()).hexdigest(),
        "pairs": len(y),
        "cross_validated_best_f1": round(float(np.mean([f1 for f1, _ in figures])), 4),
        "cross_validated_auroc": round(float(np.mean([auc for _, auc in figures])), 4),
    }
    arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content))


if __name__ == "__main__":
    main()
