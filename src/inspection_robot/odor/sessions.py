"""Recordings of a site's own smells: one CSV file is one session of one board, with labels by sample.

``# board=NAME`` comes first, then ``time_s,label,CHANNEL[unit],…,temperature_c,relative_humidity``, one line a reading.
An empty label is clean air; every change to a label begins a sniff.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.odor.board_health import HealthSettings
from inspection_robot.odor.board_track import BoardTrack, describe, settings_for
from inspection_robot.odor.drivers.board import BoardReading
from inspection_robot.odor.features import exposure_feature_names
from inspection_robot.odor.recognition import Sniffs

Floats = NDArray[np.float64]

ENVIRONMENT = ("temperature_c", "relative_humidity")
_CHANNEL = re.compile(r"([^\[\]]+)\[([^\]]+)\]")


@dataclass(frozen=True)
class Session:
    """Readings of one board in order: ``time_s`` (T,), ``labels`` (T,)."""

    path: Path
    time_s: Floats
    labels: tuple[str, ...]
    readings: tuple[BoardReading, ...]


def header_of(reading: BoardReading) -> str:
    """The first two lines of a recording of this board."""
    channels = [f"{name}[{unit}]" for name, unit in zip(reading.channels, reading.units, strict=True)]
    return f"# board={reading.board}\n" + ",".join(("time_s", "label", *channels, *ENVIRONMENT)) + "\n"


def line_of(time_s: float, label: str, reading: BoardReading) -> str:
    """One line of a recording."""
    out = io.StringIO()
    values = [f"{value:.10g}" for value in reading.values]
    environment = [f"{reading.temperature_c:.4g}", f"{reading.relative_humidity:.5g}"]
    csv.writer(out, lineterminator="\n").writerow([f"{time_s:.3f}", label, *values, *environment])
    return out.getvalue()


def read_session(path: Path) -> Session:
    """Read a recording.

    Raises:
        InputError: missing, no recording, a line that does not fit, time going back, or a value that is not finite.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise InputError(path, "not text") from error
    if len(lines) < 3 or not lines[0].startswith("# board="):
        raise InputError(path, "no odor recording: the first line must be '# board=…'")
    board = lines[0].removeprefix("# board=").strip()
    columns = next(csv.reader([lines[1]]))
    channels = [match for column in columns[2:-2] if (match := _CHANNEL.fullmatch(column)) is not None]
    if columns[:2] != ["time_s", "label"] or tuple(columns[-2:]) != ENVIRONMENT or len(channels) != len(columns) - 4:
        raise InputError(path, "line 2: the header does not name time_s, label, CHANNEL[unit]…, and the environment")
    if not channels:
        raise InputError(path, "no gas channels")
    names, units = tuple(m.group(1) for m in channels), tuple(m.group(2) for m in channels)
    times: list[float] = []
    labels: list[str] = []
    readings: list[BoardReading] = []
    for number, row in enumerate(csv.reader(lines[2:]), start=3):
        try:
            if len(row) != len(columns):
                raise ValueError(f"{len(row)} fields, expected {len(columns)}")
            time_s, *values = [float(row[0]), *map(float, row[2:])]
        except ValueError as error:
            raise InputError(path, f"line {number}: {error}") from error
        gases = np.array(values[:-2])
        if not (np.isfinite(gases).all() and np.isfinite(time_s)):
            raise InputError(path, f"line {number}: a value is not finite")
        if times and time_s < times[-1]:
            raise InputError(path, f"line {number}: time goes back")
        times.append(time_s)
        labels.append(row[1].strip())
        readings.append(BoardReading(board, names, gases, units, values[-2], values[-1]))
    return Session(path, np.array(times), tuple(labels), tuple(readings))


def sniffs_of(session: Session) -> tuple[Sniffs, tuple[str, ...]]:
    """Features of every labelled stretch of a session, through the robot's own signal chain, and the features' names.

    Raises:
        InputError: no labelled stretch that the board noticed.
    """
    period_s = float(np.median(np.diff(session.time_s))) if len(session.time_s) > 1 else 0.5
    health = HealthSettings(warm_up_s=0.0, warm_up_rate=np.inf)  # a recording is of a warm board
    track = BoardTrack(settings_for(max(period_s, 0.05), health, humidity_exponent=0.25))
    rows: list[Floats] = []
    labels: list[str] = []
    following = (*session.labels[1:], "")
    began = 0.0
    previous = ""
    for time_s, label, after, reading in zip(session.time_s, session.labels, following, session.readings, strict=True):
        track.update(reading, float(time_s))
        if label != previous:
            began, previous = float(time_s), label
        exposure = track.exposure()
        if label and after != label and exposure is not None and exposure.describable and exposure.onset_s >= began:
            rows.append(describe(exposure))
            labels.append(label)
    if not rows:
        raise InputError(session.path, "no labelled stretch in which the board smelt anything after clean air")
    return Sniffs(np.stack(rows), np.array(labels)), exposure_feature_names(session.readings[0].channels)


def together(
    sessions: Iterable[tuple[Path, Sniffs, tuple[str, ...]]],
) -> tuple[Sniffs, NDArray[np.intp], tuple[str, ...]]:
    """Sniffs of several sessions as one set, and the number of the session of each.

    Raises:
        InputError: sessions of boards with other channels.
    """
    rows, labels, numbers = [], [], []
    common: tuple[str, ...] = ()
    for number, (path, sniffs, names) in enumerate(sessions):
        if common and names != common:
            raise InputError(path, "other channels than in the recordings before it")
        common = names
        rows.append(sniffs.features)
        labels.append(sniffs.labels)
        numbers += [number] * len(sniffs)
    return Sniffs(np.vstack(rows), np.concatenate(labels)), np.array(numbers, dtype=np.intp), common
