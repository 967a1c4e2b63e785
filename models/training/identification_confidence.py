"""Fit the weights of ``inspection_robot.radiation.confidence`` to simulated spectra whose truth is known.

Nuclides are drawn by the square root of how often they are met, detectors, rates, times and shields at random; a tenth
is withheld from the library. Logistic regression with a small ridge. Nothing measured goes in:
``PYTHONPATH=src python models/training/identification_confidence.py`` (ten minutes of one core).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from inspection_robot.radiation.detectors import DETECTORS
from inspection_robot.radiation.identify import IdentifyParameters, identify
from inspection_robot.radiation.nuclides import nuclides
from inspection_robot.radiation.response import indistinguishable
from inspection_robot.radiation.synthetic import Conditions, synthetic_spectrum

Floats = NDArray[np.float64]
SEED = 4021
WITHHELD = 0.1
RIDGE = 1.0
TARGET = Path(__file__).resolve().parents[2] / "src/inspection_robot/radiation/confidence.json"
# Nothing forbids a name here: the regression has to see what would be wrong.
OPEN = IdentifyParameters(least_confidence=0.0, careful_confidence=0.0, medical_doubt=1.0, most_misfit=10.0)


def draw(number: int, seed: int) -> tuple[Floats, Floats]:
    """Return the features (n, features) of the first name and whether it was right (n,)."""
    random = np.random.default_rng(seed)
    known = nuclides()
    weight = np.sqrt([nuclide.prior for nuclide in known])
    features, right = [], []
    while len(features) < number:
        index = int(random.choice(len(known), p=weight / weight.sum()))
        given = Conditions(
            source_cps=float(np.exp(random.uniform(np.log(3.0), np.log(400.0)))),
            live_time_s=float(random.choice([3.0, 10.0, 30.0, 60.0, 300.0, 600.0])),
            detector=DETECTORS[int(random.integers(len(DETECTORS)))],
            channels=int(random.choice([256, 1024])),
            shield_g_cm2=float(random.uniform(0.5, 15.0)),
            response_fault=float(random.uniform(0.03, 0.15)),
        )
        spectrum = synthetic_spectrum((known[index],), given, random)
        withheld = frozenset({known[index].name}) if random.random() < WITHHELD else frozenset()
        limits = IdentifyParameters(**{**OPEN.__dict__, "left_out": withheld})
        answer = identify(spectrum, given.detector, limits)
        if answer.found and answer.evidence is not None:
            named = known.index(answer.found[0].nuclide)
            features.append(answer.evidence.features())
            right.append(float(indistinguishable()[index, named]))
    return np.array(features), np.array(right)


def train(features: Floats, right: Floats) -> Floats:
    """Weights of greatest likelihood with a ridge on standardised features."""
    scale = np.maximum(features.std(axis=0), 1e-9)
    scale[0] = 1.0

    def loss(weights: Floats) -> tuple[float, Floats]:
        score = (features / scale) @ weights
        slope = 1.0 / (1.0 + np.exp(-score)) - right
        gradient = (features / scale).T @ slope + RIDGE * np.append(0.0, weights[1:])
        return float(np.logaddexp(0.0, score).sum() - right @ score + 0.5 * RIDGE * (weights[1:] ** 2).sum()), gradient

    return np.asarray(minimize(loss, np.zeros(features.shape[1]), jac=True).x / scale)


def main() -> None:
    """Draw, fit, report on spectra held back, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=3000)
    number = parser.parse_args().number
    features, right = draw(number, SEED)
    held = slice(0, number // 4)
    part = train(features[number // 4 :], right[number // 4 :])
    predicted = 1.0 / (1.0 + np.exp(-features[held] @ part))
    for low in np.arange(0.0, 1.0, 0.1):
        chosen = (predicted >= low) & (predicted < low + 0.1 + 1e-9)
        if chosen.any():
            share, number_in = right[held][chosen].mean(), chosen.sum()
            print(f"{low:.1f}: predicted {predicted[chosen].mean():.3f}, right {share:.3f}, n {number_in}")
    print(f"Brier score {np.mean((predicted - right[held]) ** 2):.4f}, share right {right.mean():.3f}")
    weights = train(features, right)
    TARGET.write_text(json.dumps({"weights": [round(float(w), 5) for w in weights]}) + "\n")


if __name__ == "__main__":
    main()
