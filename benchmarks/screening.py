"""Screening yield and false readings on CPTV recordings with a manifest of who was scanned."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from inspection_contract.errors import InputError
from inspection_robot.model_files import find
from inspection_robot.thermal.faces import MODEL_NAME, FaceDetector
from inspection_robot.thermal.reference import ReferenceSettings
from inspection_robot.thermal.screen_command import screen_recording
from inspection_robot.thermal.screening import ScreeningSettings
from inspection_robot.thermal.sources.recording import open_recording


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", type=Path, metavar="DIR", help="folder with recordings and manifest.json (label_scanned)"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Screen every labelled recording.

    ``recordings_with_people`` are those in which somebody was scanned (label above 0) and ``recordings_read`` those of
    them with a reading at least; ``recordings_empty`` those in which nobody was scanned (label 0) and
    ``false_readings`` the readings in them. Recordings without a label are left out.
    """
    cv2.setNumThreads(1)
    detector = FaceDetector(find(MODEL_NAME))
    entries = [entry for entry in manifest(arguments.data) if entry.get("label_scanned") not in (None, "")]
    read = people = empty = false_readings = readings = frames = 0
    spent_ms = 0.0
    temperatures, uncertainties = [], []
    for number, entry in enumerate(entries, 1):
        if sys.stderr.isatty():
            print(f"\r{number} of {len(entries)} {entry['file']:60.60}", end="", file=sys.stderr, flush=True)
        result = screen_recording(open_recording(arguments.data / entry["file"]), settings_for(entry), detector)
        ok = [outcome for outcome in result.outcomes if outcome.reading.ok]
        frames += result.frames
        spent_ms += result.ms_per_frame * result.frames
        if int(entry["label_scanned"]) > 0:
            people += 1
            read += bool(ok)
            readings += len(ok)
            temperatures += [outcome.reading.core_celsius for outcome in ok]
            uncertainties += [outcome.reading.uncertainty_c for outcome in ok]
        else:
            empty += 1
            false_readings += len(ok)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return {
        "recordings_with_people": people,
        "recordings_read": read,
        "recordings_empty": empty,
        "false_readings": false_readings,
        "readings": readings,
        "median_reading_c": round(float(np.median(temperatures)), 2) if temperatures else None,
        "reading_deviation_c": round(float(np.std(temperatures)), 2) if temperatures else None,
        "median_uncertainty_c": round(float(np.median(uncertainties)), 2) if uncertainties else None,
        "frames": frames,
        "ms_per_frame": round(spent_ms / max(frames, 1), 3),
    }


def manifest(folder: Path) -> list[dict[str, Any]]:
    """Read ``manifest.json`` of a folder of recordings.

    Raises:
        InputError: It is missing or is no list of entries with a file name.
    """
    path = folder / "manifest.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "file" in entry for entry in entries):
        raise InputError(path, "is not a list of recordings")
    return entries


def settings_for(entry: dict[str, Any]) -> ScreeningSettings:
    """Settings with the reference temperature that the manifest gives for a recording, where it does."""
    try:
        celsius = float(entry.get("thermalref_calibration_C") or math.nan)
    except ValueError:
        celsius = math.nan
    reference = ReferenceSettings(celsius=celsius) if math.isfinite(celsius) else ReferenceSettings()
    return ScreeningSettings(reference=reference)
