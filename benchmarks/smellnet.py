"""Fifty foods from six gas channels: SmellNet's official split and later sessions, beside the environment alone.

Windows of 100 samples every 50, as published. Only the six gas channels are given to the recogniser; the control gets
temperature, pressure, humidity and altitude instead, to show how much the *session* alone gives away. Folders of DIR
other than offline_training and offline_testing are later sessions. A recording never stands on both sides.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.odor.datasets import Recording, read_smellnet_session
from inspection_robot.odor.features import window_features
from inspection_robot.odor.recognition import Sniffs, fit, recognise

WINDOW, STRIDE = 100, 50
TRAINING, TESTING = "offline_training", "offline_testing"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="SmellNet's data folder (or its parent)")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    folder = arguments.folder / "data" if (arguments.folder / "data" / TRAINING).is_dir() else arguments.folder
    for name in (TRAINING, TESTING):
        if not (folder / name).is_dir():
            raise InputError(folder, f"has no folder {name}")
    training = read_smellnet_session(folder / TRAINING)
    substances = {recording.substance for recording in training}
    sessions = {
        path.name: read_smellnet_session(path)
        for path in sorted(folder.iterdir())
        if path.is_dir() and path.name != TRAINING
    }
    seen = {_digest(recording) for recording in training}
    kept = {
        name: [recording for recording in recordings if _digest(recording) not in seen]
        for name, recordings in sessions.items()
    }
    later = [recording for name, recordings in kept.items() if name != TESTING for recording in recordings]
    known_later = [recording for recording in later if recording.substance in substances]
    figures: dict[str, object] = {
        "classes": len(substances),
        "recordings_training": len(training),
        "recordings_testing": len(kept[TESTING]),
        "recordings_later": len(known_later),
        "recordings_refused_as_copies": sum(map(len, sessions.values())) - sum(map(len, kept.values())),
        "recordings_of_unlearnt_substances": len(later) - len(known_later),
    }
    for prefix, environment in (("", False), ("environment_only_", True)):
        figures |= scores(prefix, training, kept[TESTING], environment)
        if known_later:
            figures |= scores(f"{prefix}later_", training, known_later, environment)
    return figures


def scores(
    prefix: str, training: Sequence[Recording], testing: Sequence[Recording], environment: bool
) -> dict[str, object]:
    """Top-1 and top-5 over windows, and top-1 over recordings (mean probability of their windows)."""
    model = fit(windows(training, environment)[0])
    test, recording = windows(testing, environment)
    probabilities = recognise(model, test.features).probabilities
    classes = np.array(model.classes)
    order = classes[np.argsort(-probabilities, axis=1)[:, :5]]
    total = np.zeros((int(recording.max()) + 1, len(classes)))
    np.add.at(total, recording, probabilities)
    truth = np.array([item.substance for item in testing])
    present = np.unique(recording)
    return {
        f"{prefix}top1": round(float((order[:, 0] == test.labels).mean()), 4),
        f"{prefix}top5": round(float((order == test.labels[:, None]).any(axis=1).mean()), 4),
        f"{prefix}top1_recordings": round(float((classes[total[present].argmax(axis=1)] == truth[present]).mean()), 4),
        f"{prefix}n_windows": len(test),
    }


def windows(recordings: Sequence[Recording], environment: bool) -> tuple[Sniffs, NDArray[np.intp]]:
    """Features and labels of all windows, and the number of the recording each comes from."""
    rows, numbers = [], []
    for number, recording in enumerate(recordings):
        values = recording.environment if environment else np.log1p(np.maximum(recording.gases, 0.0))
        if len(values) < WINDOW:
            continue
        view = np.lib.stride_tricks.sliding_window_view(values, WINDOW, axis=0)[::STRIDE].transpose(0, 2, 1)
        rows.append(window_features(view))
        numbers += [number] * len(view)
    if not rows:
        raise InputError("smellnet", f"no recording has {WINDOW} samples")
    place = np.array(numbers, dtype=np.intp)
    labels = np.array([recording.substance for recording in recordings])[place]
    return Sniffs(np.vstack(rows), labels), place


def _digest(recording: Recording) -> str:
    return hashlib.sha256(recording.gases.tobytes() + recording.environment.tobytes()).hexdigest()
