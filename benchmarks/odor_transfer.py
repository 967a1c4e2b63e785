"""From one BME688 sensor unit to another: train on one sensor's heater cycles, test on the other's.

Both units are standardised by their own unlabelled cycles; the recogniser is the product's, adapted to the second
unit's unlabelled cycles. Keys give both directions and what happens without standardisation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from inspection_contract.errors import InputError
from inspection_robot.odor.datasets import read_bme688_cycles
from inspection_robot.odor.features import heater_cycle_features, standardise_unit
from inspection_robot.odor.recognition import Sniffs, fit, recognise


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV of two BME688 sensors (sensorId,category,index,…)")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    sensors = read_bme688_cycles(arguments.file)
    if len(sensors) < 2:
        raise InputError(arguments.file, f"cycles of {len(sensors)} sensor; two are needed")
    first, second = list(sensors)[:2]
    raw = {
        name: Sniffs(heater_cycle_features(cycles.features), cycles.labels)
        for name, cycles in sensors.items()
        if name in (first, second)
    }
    unit = {name: Sniffs(standardise_unit(cycles.features), cycles.labels) for name, cycles in raw.items()}
    return {
        "classes": len(np.unique(unit[first].labels)),
        "cycles": sum(map(len, unit.values())),
        f"accuracy_sensor_{first}_to_{second}": accuracy(unit[first], unit[second], adapt=True),
        f"accuracy_sensor_{second}_to_{first}": accuracy(unit[second], unit[first], adapt=True),
        f"accuracy_sensor_{first}_to_{second}_no_adaptation": accuracy(unit[first], unit[second], adapt=False),
        f"accuracy_sensor_{first}_to_{second}_raw": accuracy(raw[first], raw[second], adapt=False),
        f"accuracy_sensor_{first}_to_{second}_plus_5": few_shot(unit[first], unit[second], 5),
        f"accuracy_sensor_{second}_to_{first}_plus_5": few_shot(unit[second], unit[first], 5),
    }


def accuracy(training: Sniffs, test: Sniffs, adapt: bool) -> float:
    """Share of the test sensor's cycles that are recognised."""
    model = fit(training, unlabelled=test.features if adapt else None)
    best = np.array(model.classes)[recognise(model, test.features).best]
    return round(float((best == test.labels).mean()), 4)


def few_shot(training: Sniffs, test: Sniffs, shots: int) -> float:
    """As :func:`accuracy`, with the first cycles of each class on the new unit labelled, tested on the others."""
    same = test.labels[:, None] == test.labels[None, :]
    labelled = np.tril(same, -1).sum(axis=1) < shots
    rest = test.take(~labelled)
    model = fit(training, test.take(labelled), rest.features)
    best = np.array(model.classes)[recognise(model, rest.features).best]
    return round(float((best == rest.labels).mean()), 4)
