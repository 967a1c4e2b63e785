"""Radiation alarm: false alarms per hour on real logs, detection probability beside 3 sigma and 5 sigma rules.

The k sigma rule is the usual one: counts of 3 s above mean + k standard deviations of a background of 300 s that stops
learning during an alarm. Passing sources are simulated with the sensitivity and background of a RadiaCode.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.radiation.count_logs import CountLog, read_count_log
from inspection_robot.radiation.count_watch import CountStatus, CountWatch, alarms_of
from inspection_robot.radiation.counts import CountInterval
from inspection_robot.radiation.watch_command import replay

CPS_PER_MBQ_1M = 2.4
BACKGROUND_CPS = 6.4
DISTANCE_M = 1.0
ACTIVITIES_MBQ = (1.0, 2.0, 4.0, 8.0)
SPEEDS_M_S = (0.2, 0.5, 1.0)
QUIET_RATES_CPS = (0.2, 2.5, 30.0)
LOG_SUFFIXES = {".log", ".ndjson", ".csv"}
SEED = 20261120


class SigmaRule:
    """Alarm while the counts of 3 s lie k standard deviations above the background of the last 300 s."""

    def __init__(self, k: float) -> None:
        self.k = k
        self._recent: deque[CountInterval] = deque()
        self._background: deque[CountInterval] = deque()

    def update(self, interval: CountInterval) -> bool:
        """Take the next interval; return whether the rule alarms."""
        self._recent.append(interval)
        while len(self._recent) > 1 and sum(i.duration_s for i in self._recent) > 3.5:
            self._recent.popleft()
        length_s = sum(i.duration_s for i in self._background)
        counts, window_s = sum(i.counts for i in self._recent), sum(i.duration_s for i in self._recent)
        if length_s >= 10.0:
            expected = sum(i.counts for i in self._background) * window_s / length_s
            if counts > expected + self.k * math.sqrt(expected):
                return True
        self._background.append(interval)
        while length_s > 300.0:
            length_s -= self._background.popleft().duration_s
        return False


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="?", type=Path, metavar="DIR", help="folder of logs; default: the real data")
    parser.add_argument("--runs", type=int, default=60, help="passes of each source and speed (%(default)s)")
    parser.add_argument("--quiet-hours", type=float, default=10.0, help="simulated background (%(default)s a rate)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    random = np.random.default_rng(SEED)
    figures = _on_logs(arguments.data or _default_data())
    figures |= _on_quiet(arguments.quiet_hours, random)
    for speed in SPEEDS_M_S:
        for activity in ACTIVITIES_MBQ:
            shares = _passes(activity, speed, arguments.runs, random)
            name = f"{activity:g}mbq_{speed:g}m_s".replace(".", "_")
            figures |= {f"detected{rule}_{name}": share for rule, share in shares.items()}
    return figures


def _default_data() -> Path:
    checkout = Path(__file__).resolve().parents[1]
    return Path(os.environ.get("INSPECTION_DATA", checkout.parent / "shared" / "data")) / "radiation"


def _on_logs(folder: Path) -> dict[str, Any]:
    """Real logs: every alarm is false, except those in a file named after an X-ray machine."""
    if not folder.is_dir():
        raise InputError(folder, "no such folder")
    hours, false_alarms, updates, elapsed, refused = 0.0, 0, 0, 0.0, 0
    by_rule = {3.0: 0, 5.0: 0}
    figures: dict[str, Any] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in LOG_SUFFIXES):
        try:
            log = read_count_log(path)
        except InputError:
            refused += 1
            continue
        started = time.perf_counter()
        states = replay(log)
        elapsed += time.perf_counter() - started
        updates += len(states)
        alarms = [alarm for alarm in alarms_of(states) if alarm.kind != "silent"]
        if "xray" in path.name.lower():
            figures["xray_kinds"] = "+".join(sorted({alarm.kind for alarm in alarms}))
            burst_s = next(i.end_s for i in log.intervals if i.counts > 5.0 * _median_rate(log) * i.duration_s)
            figures["xray_delay_s"] = round(max(0.0, min(a.start_s for a in alarms) - burst_s), 2) if alarms else None
            continue
        hours += sum(i.duration_s for i in log.intervals) / 3600.0
        false_alarms += len(alarms)
        for k in by_rule:
            rule = SigmaRule(k)
            by_rule[k] += _risings([rule.update(i) for i in log.intervals])
    if not hours:
        raise InputError(folder, "no count log in it")
    return {
        "false_alarms_per_h": round(false_alarms / hours, 4),
        "hours": round(hours, 2),
        "false_alarms_per_h_3sigma": round(by_rule[3.0] / hours, 2),
        "false_alarms_per_h_5sigma": round(by_rule[5.0] / hours, 2),
        "files_refused": refused,
        "us_per_update": round(1e6 * elapsed / updates, 1),
        **figures,
    }


def _median_rate(log: CountLog) -> float:
    return float(np.median([i.counts / i.duration_s for i in log.intervals[: max(10, len(log.intervals) // 10)]]))


def _risings(alarm: list[bool]) -> int:
    return int(np.sum(np.diff(np.array([False, *alarm]).astype(int)) == 1))


def _on_quiet(hours: float, random: np.random.Generator) -> dict[str, Any]:
    """Simulated constant background at low, middle and high rates."""
    false_alarms = 0
    seconds = round(3600.0 * hours)
    for rate in QUIET_RATES_CPS:
        watch = CountWatch()
        counts = random.poisson(rate, seconds)
        states = [watch.update(CountInterval(float(i), 1.0, int(n))) for i, n in enumerate(counts, 1)]
        false_alarms += sum(alarm.kind == "rise" for alarm in alarms_of(states))
    total = hours * len(QUIET_RATES_CPS)
    return {"simulated_hours": total, "simulated_false_alarms_per_h": round(false_alarms / total, 4)}


def _passes(activity_mbq: float, speed_m_s: float, runs: int, random: np.random.Generator) -> dict[str, float]:
    """Share of passes at 1 m that alarm: ours, 3 sigma, 5 sigma."""
    half_s = max(10.0, 6.0 / speed_m_s)
    time_s = np.arange(-half_s, half_s)
    rate = activity_mbq * CPS_PER_MBQ_1M / (DISTANCE_M**2 + (speed_m_s * time_s) ** 2) + BACKGROUND_CPS
    detected = {"": 0, "_3sigma": 0, "_5sigma": 0}
    for _ in range(runs):
        before = random.poisson(BACKGROUND_CPS, 90)
        counts = np.concatenate([before, random.poisson(rate)])
        detected[""] += _ours(counts, len(before))
        for name, k in (("_3sigma", 3.0), ("_5sigma", 5.0)):
            rule = SigmaRule(k)
            alarms = [rule.update(CountInterval(float(i), 1.0, int(n))) for i, n in enumerate(counts, 1)]
            detected[name] += any(alarms[len(before) :])
    return {name: round(count / runs, 3) for name, count in detected.items()}


def _ours(counts: NDArray[np.int64], start: int) -> bool:
    watch = CountWatch()
    states = [watch.update(CountInterval(float(i), 1.0, int(n))) for i, n in enumerate(counts, 1)]
    return any(state.status is CountStatus.ALARM for state in states[start:])
