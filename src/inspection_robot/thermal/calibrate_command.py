"""`./robot calibrate thermal`: judge a camera and its reference from recordings, before it is trusted."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.cli.inputs import print_json
from inspection_robot.thermal import calibration
from inspection_robot.thermal.reference import Disc, ReferenceSettings, find_disc
from inspection_robot.thermal.sources.recording import open_recording


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("what", choices=["thermal"], help="which sensor")
    parser.add_argument(
        "--sweep", type=Path, metavar="SWEEP.csv",
        help="lines 'set_c,file' (a recording of the blackbody at set_c, beside the table) or 'set_c,read_c'",
    )  # fmt: skip
    parser.add_argument("--stability", type=Path, metavar="RECORDING", help="some minutes of the reference in view")
    parser.add_argument("--reference-celsius", type=float, default=ReferenceSettings.celsius, metavar="T")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="write the plot of the sweep")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Judge; exit status 0 when the camera may be used, 1 when not."""
    if arguments.sweep is None and arguments.stability is None:
        raise InputError("calibrate thermal", "give --sweep, --stability or both")
    if arguments.picture is not None and arguments.sweep is None:
        raise InputError("--picture", "shows the sweep: give --sweep as well")
    report: dict[str, Any] = {}
    sweep = stability = None
    if arguments.sweep is not None:
        points = read_sweep(arguments.sweep)
        try:
            sweep = calibration.judge_sweep(*points)
        except ValueError as error:
            raise InputError(arguments.sweep, str(error)) from error
        report["sweep"] = dataclasses.asdict(sweep)
        if arguments.picture is not None:
            _write_picture(arguments.picture, calibration.draw_sweep(*points, sweep))
    if arguments.stability is not None:
        times, readings = read_reference(arguments.stability, arguments.reference_celsius)
        try:
            stability = calibration.judge_stability(times, readings)
        except ValueError as error:
            raise InputError(arguments.stability, str(error)) from error
        report["stability"] = dataclasses.asdict(stability)
    faults = calibration.faults(sweep, stability)
    report |= {"usable": not faults, "faults": faults}
    if arguments.json:
        print_json(report)
    else:
        _print_report(report)
    return 1 if faults else 0


def read_sweep(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Set values and readings of a sweep table [°C]; recordings are read by the mean of the disc in them.

    Raises:
        InputError: A line is not understood, or a recording shows no disc.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row and not row[0].lstrip().startswith("#")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"cannot be read ({error})") from error
    if rows and rows[0][0].strip() == "set_c":
        rows = rows[1:]
    set_values, readings = [], []
    for number, row in enumerate(rows, 1):
        try:
            set_c = float(row[0])
            word = row[1].strip()
        except (ValueError, IndexError) as error:
            raise InputError(path, f"row {number} is not 'set_c,file' or 'set_c,read_c'") from error
        set_values.append(set_c)
        readings.append(_reading(path, word, set_c))
    return np.array(set_values), np.array(readings)


def read_reference(path: Path, celsius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times [s] and readings of the reference in a recording, NaN where it is not found [°C]."""
    settings = ReferenceSettings(celsius=celsius)
    times, readings = [], []
    for frame in open_recording(path).frames():
        disc: Disc | None = find_disc(frame.celsius, settings)
        times.append(frame.time_s)
        readings.append(disc.celsius if disc else math.nan)
    return np.array(times), np.array(readings)


def _reading(table: Path, word: str, set_c: float) -> float:
    try:
        value = float(word)
    except ValueError:
        recording = table.parent / word
        _, readings = read_reference(recording, set_c)
        if not np.isfinite(readings).any():
            raise InputError(recording, f"shows no disc near {set_c:g} °C") from None
        return float(np.nanmean(readings))
    if not math.isfinite(value):
        raise InputError(table, f"reading {word} is not a number")
    return value


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    done, data = cv2.imencode(".png", picture)
    try:
        if not done:
            raise OSError("cannot be encoded")
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise InputError(path, f"cannot be written ({error})") from error


def _print_report(report: dict[str, Any]) -> None:
    for part in ("sweep", "stability"):
        for key, value in report.get(part, {}).items():
            print(f"{part:10} {key:18} {value:.3f}" if isinstance(value, float) else f"{part:10} {key:18} {value}")
    print("usable" if report["usable"] else f"not usable: {', '.join(report['faults'])}")
