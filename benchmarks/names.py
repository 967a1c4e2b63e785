"""Name matching: `./robot bench names CSV` with columns name1, name2, is_match; and the time of a 100,000-name list."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.interception.name_index import NameIndex
from inspection_robot.interception.name_scores import area_under_curve, best_f1
from inspection_robot.interception.names import match_probability, prepare

SYLLABLES = ("ba", "bo", "da", "do", "fa", "ga", "ja", "ka", "ma", "no", "pa", "ri", "sa", "ta", "chen", "lin", "wang")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pairs", type=Path, metavar="CSV")
    parser.add_argument("--list-size", type=int, default=100_000, help="names of the invented list for the timing")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    try:
        data = arguments.pairs.read_bytes()
        rows = list(csv.DictReader(data.decode("utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(arguments.pairs, f"cannot be read: {error}") from error
    if not rows or not {"name1", "name2", "is_match"} <= rows[0].keys():
        raise InputError(arguments.pairs, "needs the columns name1, name2, is_match")
    scores = np.array([match_probability(prepare(row["name1"]), prepare(row["name2"])) for row in rows])
    labels = np.array([row["is_match"].strip().lower() in {"true", "1", "yes"} for row in rows])
    called = scores >= 0.7
    trained = json.loads((share() / "models" / "name_matcher.json").read_text())
    return {
        "best_f1": round(best_f1(scores, labels), 4),
        "auroc": round(area_under_curve(scores, labels), 4),
        "n": len(rows),
        "precision_at_070": round(float(labels[called].mean()), 4) if called.any() else None,
        "recall_at_070": round(float(called[labels].mean()), 4) if labels.any() else None,
        "same_pairs_as_training": hashlib.sha256(data).hexdigest() == trained["trained_on_sha256"],
        "training_cross_validated_best_f1": trained["cross_validated_best_f1"],
        "training_cross_validated_auroc": trained["cross_validated_auroc"],
        **_timing(arguments.list_size),
    }


def _timing(size: int) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    names = [
        " ".join("".join(rng.choice(SYLLABLES, rng.integers(2, 4))).title() for _ in range(rng.integers(2, 4)))
        for _ in range(size)
    ]
    started = time.perf_counter()
    index = NameIndex(names)
    built = time.perf_counter() - started
    seconds, found = [], 0
    for position in rng.choice(size, 200, replace=False):
        query = names[position]
        cut = int(rng.integers(1, len(query) - 1))
        misspelt = query[:cut] + query[cut + 1 :]
        started = time.perf_counter()
        candidates = index.search(misspelt)
        seconds.append(time.perf_counter() - started)
        found += any(candidate.position == position for candidate in candidates)
    return {
        "list_names": size,
        "index_build_s": round(built, 2),
        "query_mean_ms": round(1000 * float(np.mean(seconds)), 2),
        "query_p99_ms": round(1000 * float(np.quantile(seconds, 0.99)), 2),
        "one_letter_lost_found": round(found / 200, 3),
    }
