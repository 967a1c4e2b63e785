"""Train the recogniser of the six-channel MOX array on simulated boards, and write it as ONNX.

    PYTHONPATH=src python models/training/odor_mox.py [--output models]

Writes ``odor_mox.onnx`` (calibrated for the simulator's board) and ``odor_mox_reference.npz`` (the training sniffs,
which recalibration on the robot needs), and prints the figures of the model card as JSON. Every sniff runs through the
product's own signal chain. Boards of training, calibration and test are different ones, drawn from different seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from inspection_robot.odor.board_health import HealthSettings
from inspection_robot.odor.board_track import BoardTrack, TrackSettings, describe
from inspection_robot.odor.drivers import BoardReading
from inspection_robot.odor.features import exposure_feature_names
from inspection_robot.odor.onnx_model import Calibration, to_onnx
from inspection_robot.odor.recalibration import Reference, as_met, recalibrate
from inspection_robot.odor.recognition import Sniffs, fit, recognise
from inspection_robot.odor.scores import area_under_roc
from inspection_sim.devices.mox_array import CHANNELS, SENSITIVITIES, Unit, make_unit
from inspection_sim.devices.mox_csv import unit_of
from inspection_sim.devices.mox_sniffs import PERIOD_S, plume_factor, sniff_ohm

FAMILIES = {
    "beef": "meat", "pork": "meat", "fish": "seafood", "shrimp": "seafood", "cheese": "dairy", "mango": "fruit",
    "citrus": "fruit", "apple": "fruit", "flowers": "plant", "soil": "soil", "ethanol": "solvent",
    "coffee": "permitted",
}  # fmt: skip
SUBSTANCES = tuple(SENSITIVITIES)
TRAINING_UNITS, SNIFFS_PER_UNIT = 40, 4
DOCK_SNIFFS, DOCK_PPM = 5, 25.0
SIMULATOR_SERIAL = "SIM-0001"
CLEAN_S = 24.0
SETTINGS = TrackSettings(health=HealthSettings(warm_up_s=0.0, warm_up_rate=1.0))


def features_of(resistances: np.ndarray, humidity: float) -> np.ndarray | None:
    """Features of one simulated sniff at its last sample; None when the chain saw no onset."""
    track = BoardTrack(SETTINGS)
    update = None
    for number, row in enumerate(resistances):
        reading = BoardReading("training", CHANNELS, row, ("Ohm",) * len(CHANNELS), 24.0, humidity)
        update = track.update(reading, number * PERIOD_S)
    if update is None or update.exposure is None or len(update.exposure.response) < 4:
        return None
    return describe(update.exposure)


def plume_sniffs(units: list[Unit], count: int, generator: np.random.Generator, substances=SUBSTANCES) -> Sniffs:
    """Sniffs of every substance on every unit as a robot meets them: whiffs of 2–200 ppm, 5–12 s, any humidity."""
    rows, labels = [], []
    for unit in units:
        for substance in substances:
            for _ in range(count):
                samples = int(generator.integers(round(5 / PERIOD_S), round(12 / PERIOD_S)))
                ppm = np.exp(generator.uniform(np.log(2.0), np.log(200.0))) * plume_factor(samples, generator)
                humidity = generator.uniform(0.25, 0.7)
                features = features_of(sniff_ohm(unit, substance, ppm, CLEAN_S, generator, humidity), humidity)
                if features is not None:
                    rows.append(features)
                    labels.append(substance)
    return Sniffs(np.array(rows), np.array(labels))


def dock_sniffs(unit: Unit, count: int, generator: np.random.Generator) -> Sniffs:
    """Sniffs of the reference dock: a steady concentration for 12 s."""
    rows, labels = [], []
    for _ in range(count):
        for substance in SUBSTANCES:
            ppm = np.full(round(12 / PERIOD_S), DOCK_PPM * np.exp(0.2 * generator.standard_normal()))
            features = features_of(sniff_ohm(unit, substance, ppm, CLEAN_S, generator), 0.45)
            if features is not None:
                rows.append(features)
                labels.append(substance)
    return Sniffs(np.array(rows), np.array(labels))


def main() -> None:
    """Train, test on units that were in nothing, write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("models"))
    arguments = parser.parse_args()
    generator = np.random.default_rng(2026)
    units = [make_unit(1000 + number) for number in range(TRAINING_UNITS)]
    reference = plume_sniffs(units, SNIFFS_PER_UNIT, generator)
    docks = [dock_sniffs(unit, 1, generator) for unit in units]
    anchors = Sniffs(np.vstack([dock.features for dock in docks]), np.concatenate([dock.labels for dock in docks]))
    figures: dict[str, float] = {"training_sniffs": len(reference), "training_units": TRAINING_UNITS}
    scores = []
    for number in range(4):
        unit = make_unit(2000 + number, drift=0.1)
        scores.append(measure(reference, anchors, unit, generator))
    for name in scores[0]:
        figures[name] = round(float(np.mean([score[name] for score in scores])), 4)
    names = exposure_feature_names(CHANNELS)
    blank = Calibration(f"MOX {SIMULATOR_SERIAL}", names, (), (), (), float("nan"), 0.0, float("nan"))
    shots = dock_sniffs(unit_of(SIMULATOR_SERIAL), DOCK_SNIFFS, generator)
    kept = Reference(reference, anchors, names, FAMILIES)
    model, calibration, _ = recalibrate(kept, shots, None, blank)
    (arguments.output / "odor_mox.onnx").write_bytes(to_onnx(model, calibration))
    np.savez_compressed(
        arguments.output / "odor_mox_reference.npz",
        features=reference.features.astype(np.float32),
        labels=reference.labels,
        dock_features=anchors.features.astype(np.float32),
        dock_labels=anchors.labels,
        names=np.array(names),
        families=np.array([FAMILIES[name] for name in np.unique(reference.labels)]),
    )
    print(json.dumps(figures))


def measure(reference: Sniffs, anchors: Sniffs, unit: Unit, generator: np.random.Generator) -> dict[str, float]:
    """Figures on one unit that is in nothing else, with and without its dock sniffs."""
    test = plume_sniffs([unit], 12, generator)
    shots = as_met(dock_sniffs(unit, DOCK_SNIFFS, generator), anchors, reference)
    family = np.vectorize(FAMILIES.get)
    values: dict[str, float] = {}
    for name, calibration in (("plus_0", None), ("plus_5", shots)):
        model = fit(reference, calibration, families=FAMILIES)
        result = recognise(model, test.features)
        best = np.array(model.classes)[result.best]
        values[f"substance_accuracy_{name}"] = float((best == test.labels).mean())
        values[f"family_accuracy_{name}"] = float((family(best) == family(test.labels)).mean())
        near = result.novelty <= 1.0
        values[f"within_novelty_{name}"] = float(near.mean())
        values[f"family_right_within_novelty_{name}"] = (
            float((family(best) == family(test.labels))[near].mean()) if near.any() else 1.0
        )
        values[f"named_{name}"] = float(result.named.mean())
        values[f"named_right_{name}"] = float((best == test.labels)[result.named].mean()) if result.named.any() else 1.0
    aurocs, named = [], []
    for unknown in sorted(set(FAMILIES.values())):
        model = fit(
            reference.take(family(reference.labels) != unknown),
            shots.take(family(shots.labels) != unknown),
            families=FAMILIES,
        )
        result = recognise(model, test.features)
        is_unknown = family(test.labels) == unknown
        aurocs.append(area_under_roc(result.novelty[~is_unknown], result.novelty[is_unknown]))
        named.append(float(result.named[is_unknown].mean()))
    values["auroc_unknown_family_plus_5"] = float(np.mean(aurocs))
    values["unknown_family_named_plus_5"] = float(np.mean(named))
    return values


if __name__ == "__main__":
    main()
