"""Readers of the public smell recordings that the studies measure on. Every fault names file and line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.odor.recognition import Sniffs

Floats = NDArray[np.float64]

UCI_GASES = ("Ethanol", "Ethylene", "Ammonia", "Acetaldehyde", "Acetone", "Toluene")  # numbers 1..6 of UCI 224 and 270
UCI_FEATURES = 128
SMELLNET_GASES = ("NO2", "C2H5OH", "VOC", "CO", "Alcohol", "LPG")
SMELLNET_ENVIRONMENT = ("Temperature", "Pressure", "Humidity", "Altitude")
HEATER_STEPS = 10  # of a BME688 heater profile


def read_uci_batch(path: Path) -> Sniffs:
    """Read one batch of the UCI gas sensor array drift data set (16 sensors × 8 features).

    Accepts ``Gas,concentration,v1,…,v128`` and the archive's ``number[;concentration] 1:v1 … 128:v128``.

    Raises:
        InputError: a line of another shape, an unknown gas or a number that is not finite.
    """
    labels, rows = [], []
    for number, line in enumerate(_lines(path), start=1):
        words = re.split(r"[\s,;]+", line.strip())
        if words == [""]:
            continue
        gas = UCI_GASES[int(words[0]) - 1] if words[0] in "123456" else words[0]
        if gas not in UCI_GASES:
            raise InputError(path, f"line {number}: {words[0]!r} is no gas of this data set")
        values = [word.split(":")[-1] for word in words[1:] if word]
        if len(values) == UCI_FEATURES + 1:
            del values[0]  # the concentration
        rows.append(_numbers(path, number, values, UCI_FEATURES))
        labels.append(gas)
    if not rows:
        raise InputError(path, "empty")
    return Sniffs(np.array(rows), np.array(labels))


def read_uci_folder(folder: Path) -> dict[int, Sniffs]:
    """Read ``batch1.dat`` … of a folder, by number.

    Raises:
        InputError: no folder, no first batch, no later batch, or a bad file.
    """
    if not folder.is_dir():
        raise InputError(folder, "no such folder")
    found = {
        int(match.group(1)): path
        for path in folder.iterdir()
        if (match := re.fullmatch(r"batch(\d+)\.dat", path.name)) is not None
    }
    if 1 not in found or len(found) < 2:
        raise InputError(folder, "needs batch1.dat and at least one later batch")
    return {number: read_uci_batch(found[number]) for number in sorted(found)}


@dataclass(frozen=True)
class Recording:
    """One SmellNet recording: ``gases`` (T, 6) counts, ``environment`` (T, 4) in °C, hPa, %RH, m; one row a second."""

    substance: str
    path: Path
    gases: Floats
    environment: Floats


def read_smellnet_recording(path: Path) -> Recording:
    """Read one recording; the channels are found by the names in the header, in any order.

    Raises:
        InputError: a missing channel, a short line or a number that is not finite.
    """
    lines = _lines(path)
    header = [name.strip() for name in lines[0].split(",")]
    wanted = (*SMELLNET_GASES, *SMELLNET_ENVIRONMENT)
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(path, f"channels missing: {', '.join(missing)}")
    columns = [header.index(name) for name in wanted]
    rows = [
        _numbers(path, number, line.split(","), len(header))
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    ]
    if not rows:
        raise InputError(path, "no samples")
    values = np.array(rows)[:, columns]
    return Recording(path.parent.name, path, values[:, : len(SMELLNET_GASES)], values[:, len(SMELLNET_GASES) :])


def read_smellnet_session(folder: Path) -> list[Recording]:
    """Read ``<substance>/<recording>.csv`` below a folder."""
    return [read_smellnet_recording(path) for path in sorted(folder.glob("*/*.csv"))]


def read_bme688_cycles(path: Path) -> dict[int, Sniffs]:
    """Read complete heater cycles of a BME688 recording, by sensor: gas resistances (cycles, 10) [Ω].

    Lines are ``sensorId,category,index,temperature,humidity,pressure,resistance,…``; incomplete cycles are dropped.

    Raises:
        InputError: a line of another shape, a resistance that is not positive, or no complete cycle.
    """
    cycles: dict[int, tuple[list[list[float]], list[str]]] = {}
    open_cycles: dict[tuple[int, str], list[float]] = {}
    for number, line in enumerate(_lines(path)[1:], start=2):
        words = [word.strip() for word in line.strip().rstrip(";").rstrip(",").split(",")]
        if words == [""]:
            continue
        if len(words) < 7:
            raise InputError(path, f"line {number}: {len(words)} fields, expected at least 7")
        sensor, step, resistance = _numbers(path, number, [words[0], words[2], words[6]], 3)
        if resistance <= 0.0:
            raise InputError(path, f"line {number}: gas resistance {resistance:g} Ω")
        key = (int(sensor), words[1])
        if int(step) == 0:
            open_cycles[key] = []
        cycle = open_cycles.get(key)
        if cycle is None or len(cycle) != int(step):
            open_cycles.pop(key, None)  # a step is missing: wait for the next cycle
            continue
        cycle.append(resistance)
        if len(cycle) == HEATER_STEPS:
            rows, labels = cycles.setdefault(key[0], ([], []))
            rows.append(cycle)
            labels.append(key[1])
            del open_cycles[key]
    if not cycles:
        raise InputError(path, "no complete heater cycle")
    return {sensor: Sniffs(np.array(rows), np.array(labels)) for sensor, (rows, labels) in sorted(cycles.items())}


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise InputError(path, "not text") from error
    if not text.strip():
        raise InputError(path, "empty")
    return text.splitlines()


def _numbers(path: Path, line: int, words: list[str], expected: int) -> list[float]:
    if len(words) != expected:
        raise InputError(path, f"line {line}: {len(words)} values, expected {expected}")
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise InputError(path, f"line {line}: {error}") from error
    if not np.isfinite(values).all():
        raise InputError(path, f"line {line}: a value is not finite")
    return values
