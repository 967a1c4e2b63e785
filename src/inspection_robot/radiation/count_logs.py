"""Readers of recorded count streams: bGeigie logs, RadiaCode ndjson, CSV and GeigerLog files.

Every reader returns a :class:`CountLog`: the intervals in order and the places where the stream could not be used, with
the reason. A file without a single usable interval raises ``InputError``.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspection_contract.errors import InputError
from inspection_robot.radiation.counts import CountInterval, CumulativeCounter, Discontinuity
from inspection_robot.radiation.drivers.bgeigie import parse_line

_GEIGERLOG_ROW = re.compile(r"\s*\d+\s*,\s*\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?\s*,")
_LONGEST_BYTES = 512 * 2**20
_LARGEST_NUMBER = 1e12  # neither a time [s] nor a rate [1/s] of a detector is larger


@dataclass(frozen=True)
class CountLog:
    """A recorded stream: intervals in order, gaps with reasons, and the number of lines that were refused."""

    intervals: tuple[CountInterval, ...]
    discontinuities: tuple[Discontinuity, ...]
    refused_lines: int
    first_refusal: str


def read_count_log(path: Path) -> CountLog:
    """Read a log of any known kind; the content decides, not the name.

    Raises:
        InputError: missing, empty, of no known kind, or without two usable readings.
    """
    lines = _lines(path)
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    if not first:
        raise InputError(path, "no readings in it")
    if any(re.match(r"\$?B[MN]RDD,", line, re.IGNORECASE) for line in lines[:50]):
        log = _read_bgeigie(lines)
    elif first.lstrip().startswith("{"):
        log = _read_radiacode_ndjson(path, lines)
    elif _GEIGERLOG_ROW.match(first):
        log = _read_geigerlog(path, lines)
    else:
        log = _read_csv(path, lines)
    if not log.intervals:
        raise InputError(path, f"not two usable readings in it{_because(log)}")
    return log


def _because(log: CountLog) -> str:
    if log.first_refusal:
        return f": {log.first_refusal}"
    return f": {log.discontinuities[0].reason}" if log.discontinuities else ""


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LONGEST_BYTES:
            raise InputError(path, f"larger than {_LONGEST_BYTES // 2**20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    if not data.strip():
        raise InputError(path, "empty")
    if b"\0" in data[:4096]:
        raise InputError(path, "binary data, not a text log")
    return data.decode("utf-8-sig", errors="replace").splitlines()


def _gather(steps: Iterable[CountInterval | Discontinuity | None], refused: int, first_refusal: str) -> CountLog:
    made = [step for step in steps if step is not None]
    return CountLog(
        tuple(step for step in made if isinstance(step, CountInterval)),
        tuple(step for step in made if isinstance(step, Discontinuity)),
        refused,
        first_refusal,
    )


def _read_bgeigie(lines: list[str]) -> CountLog:
    counter = CumulativeCounter(longest_gap_s=30.0)
    steps: list[CountInterval | Discontinuity | None] = []
    refused, first_refusal = 0, ""
    device: str | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        for record in parse_line(line):
            if isinstance(record, str):
                fault = record
            elif record.device != (device := device or record.device):
                fault = f"of device {record.device}, the log is of {device}"
            else:
                if record.counts_valid:  # else the tube has not run long enough; the next valid total includes it
                    steps.append(counter.update(record.time_s, record.total_counts))
                continue
            refused += 1
            first_refusal = first_refusal or f"line {number}: {fault}"
    return _gather(steps, refused, first_refusal)


def _read_radiacode_ndjson(path: Path, lines: list[str]) -> CountLog:
    counter = CumulativeCounter(longest_gap_s=30.0)
    steps: list[CountInterval | Discontinuity | None] = []
    refused, first_refusal = 0, ""
    rates_only = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = _json_object(line)
        if record is None:
            refused += 1
            first_refusal = first_refusal or f"line {number}: not a JSON object"
            continue
        if "counts" not in record:
            rates_only = rates_only or "count_rate" in record
            continue
        reading = _spectrum_total(record)
        if reading is None:
            refused += 1
            first_refusal = first_refusal or f"line {number}: needs timestamp and counts >= 0"
            continue
        steps.append(counter.update(*reading))
    if not steps and rates_only:
        raise InputError(path, "only rates smoothed by the device in it; cumulative spectra (counts) are needed")
    return _gather(steps, refused, first_refusal)


def _json_object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _spectrum_total(record: dict[str, Any]) -> tuple[float, int, float | None] | None:
    counts: Any = record.get("counts")
    time_s: Any = record.get("timestamp")
    duration_s: Any = record.get("duration")
    if not isinstance(counts, list) or not counts or not _is_number(time_s):
        return None
    if duration_s is not None and not _is_number(duration_s):
        return None
    if not all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts):
        return None
    return float(time_s), sum(counts), float(duration_s) if duration_s is not None else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read_geigerlog(path: Path, lines: list[str]) -> CountLog:
    """Rows ``index, date time, value``; the header names the mode, CPS or CPM.

    GeigerLog stores a count within a second as 60 in its CPS mode: values that are all multiples of 60 are scaled back.
    """
    mode = "CPM" if any(re.search(r"mode\s*'?CPM\b", line) for line in lines if line.startswith("#")) else "CPS"
    rows: list[tuple[float, float]] = []
    refused, first_refusal = 0, ""
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split(",")]
        time_s = _time(fields[1]) if len(fields) >= 3 else None
        value = _number(fields[2]) if len(fields) >= 3 else None
        if time_s is None or value is None or value < 0:
            refused += 1
            first_refusal = first_refusal or f"line {number}: needs index, date and time, value >= 0"
            continue
        rows.append((time_s, value))
    if mode == "CPM":
        return _gather(_minutes(rows), refused, first_refusal)
    scaled = bool(rows) and any(value for _, value in rows) and all(value % 60 == 0 for _, value in rows)
    return _gather(_from_rates(path, [(t, v / 60 if scaled else v) for t, v in rows]), refused, first_refusal)


def _minutes(rows: list[tuple[float, float]]) -> Iterator[CountInterval | Discontinuity]:
    """Take one counts-per-minute value a minute: those in between hold the same counts again."""
    last_s = -math.inf
    total = 0
    for time_s, value in rows:
        if 0.0 <= time_s - last_s < 60.0:
            continue
        if time_s < last_s:
            yield Discontinuity(time_s, "the clock went back or stood still")
        last_s = time_s
        total += round(value)
        yield CountInterval(time_s, 60.0, round(value), total)


def _read_csv(path: Path, lines: list[str]) -> CountLog:
    """Columns by name, ``time`` with ``cps``, ``cpm``, or ``counts``; without a header ``time,cps``."""
    body = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    rows = list(csv.reader(body, delimiter=_delimiter(body[0])))
    header = [field.strip().lower() for field in rows[0]]
    named = any(_time(field) is None for field in header[:1]) and any(_number(field) is None for field in header[1:2])
    columns = _columns(path, header) if named else (0, 1, 1.0)
    time_column, value_column, per_second = columns
    readings: list[tuple[float, float]] = []
    refused, first_refusal = 0, ""
    for number, row in enumerate(rows[1:] if named else rows, 2 if named else 1):
        filled = len(row) > max(time_column, value_column)
        time_s = _time(row[time_column]) if filled else None
        value = _number(row[value_column]) if filled else None
        if time_s is None or value is None or value < 0:
            refused += 1
            first_refusal = first_refusal or f"row {number}: needs a time and a rate >= 0"
            continue
        readings.append((time_s, value * per_second))
    if not readings:
        raise InputError(path, f"not a count log: {first_refusal or 'no readings in it'}")
    if refused > len(readings):
        raise InputError(path, f"not a count log: {first_refusal}")
    return _gather(_from_rates(path, readings), refused, first_refusal)


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _columns(path: Path, header: list[str]) -> tuple[int, int, float]:
    bare = [re.sub(r"[\s_]*[\[(].*", "", field) for field in header]
    times = [i for i, field in enumerate(bare) if field in ("time", "timestamp", "time_s", "t", "datetime", "date")]
    for names, per_second in ((("cps", "count_rate", "count_rate_cps", "countrate"), 1.0), (("cpm",), 1.0 / 60.0)):
        values = [i for i, field in enumerate(bare) if field in names]
        if times and values:
            return times[0], values[0], per_second
    raise InputError(path, "not a count log: needs columns time and cps (or cpm)")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= _LARGEST_NUMBER else None


def _time(text: str) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    try:
        stamp = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def _from_rates(path: Path, rows: list[tuple[float, float]]) -> Iterator[CountInterval | Discontinuity]:
    """Turn a rate per interval [1/s] into counts; the first row's interval is as long as the median one."""
    steps = sorted(b[0] - a[0] for a, b in itertools.pairwise(rows) if b[0] > a[0])
    if not steps:
        raise InputError(path, "needs two readings at growing times")
    median_s = steps[len(steps) // 2]
    longest_gap_s = max(30.0, 3.0 * median_s)
    last_s = rows[0][0] - median_s
    total = 0
    for time_s, rate_cps in rows:
        duration_s, last_s = time_s - last_s, time_s
        if duration_s <= 0.0:
            yield Discontinuity(time_s, "the clock went back or stood still")
            continue
        if duration_s > longest_gap_s:
            yield Discontinuity(time_s, f"no reading for {duration_s:.0f} s")
            duration_s = median_s
        counts = round(rate_cps * duration_s)
        total += counts
        yield CountInterval(time_s, duration_s, counts, total)
