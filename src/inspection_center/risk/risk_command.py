"""`inspection_center risk`: check models, score files of cases, learn weights, compare versions; all offline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inspection_center.clock import now_text
from inspection_center.database.writer import Writer
from inspection_center.problems import Problem
from inspection_center.risk import cases as stored_cases
from inspection_center.risk import versions
from inspection_center.risk.model import RiskModel, read_model_file
from inspection_center.risk.scoring import FactError, score
from inspection_center.risk.whatif import compare
from inspection_center.service import open_database
from inspection_center.settings import read_settings
from inspection_contract.errors import InputError

_CASES_LEARNT_FROM = 200_000


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    deeds = parser.add_subparsers(dest="deed", required=True, metavar="DEED")
    validating = deeds.add_parser("validate", help="check model files")
    validating.add_argument("files", type=Path, nargs="+")
    scoring = deeds.add_parser("score", help="score cases: one JSON object a line, {facts, reference}")
    scoring.add_argument("model", type=Path)
    scoring.add_argument("cases", type=Path, nargs="+")
    learning = deeds.add_parser("learn", help="learn weights from results into a new version for approval")
    learning.add_argument("model", help="a model file, or the name of a model of the center")
    learning.add_argument(
        "cases", type=Path, nargs="*", help="files of {facts, outcome}; none: the center's own results"
    )
    learning.add_argument("--output", type=Path, help="where the new version goes (never put in force by itself)")
    learning.add_argument("--report", type=Path, help="where the report goes (JSON)")
    learning.add_argument("--propose", metavar="NAME", help="propose it at the center, in the name of an account")
    comparing = deeds.add_parser("whatif", help="which decisions on past cases a new version changes")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    comparing.add_argument("cases", type=Path, nargs="+")


def run(arguments: argparse.Namespace) -> int:
    """Do it; 0 done, 2 bad input."""
    deed = {"validate": _validate, "score": _score, "learn": _learn, "whatif": _compare}[arguments.deed]
    return deed(arguments)


def _validate(arguments: argparse.Namespace) -> int:
    status = 0
    for path in arguments.files:
        try:
            model = read_model_file(path)
        except InputError as error:
            print(f"inspection_center: {error}", file=sys.stderr)
            status = 2
            continue
        indicators = sum(len(factor.indicators) for factor in model.data.factors)
        print(
            json.dumps(
                {
                    "file": str(path),
                    "model": model.name,
                    "sha256": model.sha256,
                    "factors": len(model.data.factors),
                    "indicators": indicators,
                    "facts": len(model.data.facts),
                    "rules": len(model.data.rules),
                }
            )
        )
    return status


def _score(arguments: argparse.Namespace) -> int:
    model = read_model_file(arguments.model)
    status = 0
    for path in arguments.cases:
        try:
            rows = list(read_cases(path))
            scores = _scored(model, path, rows)
        except InputError as error:
            print(f"inspection_center: {error}", file=sys.stderr)
            status = 2
            continue
        probability = scores.probability()
        for index, (line, row) in enumerate(rows):
            told = {
                "file": str(path),
                "line": line,
                "reference": row.get("reference", ""),
                "model": model.name,
                "score": round(float(scores.score[index]), 4),
                "level": scores.level_of(index),
                "known": round(float(scores.known[index]), 4),
                "rules": list(scores.rules_of(index)),
                "contributions": [part for part in scores.contributions_of(index) if part["points"] > 0],
            }
            if probability is not None:
                told["probability"] = round(float(probability[index]), 6)
            print(json.dumps(told, ensure_ascii=False))
    return status


def _learn(arguments: argparse.Namespace) -> int:
    from inspection_center.risk.learning import learn  # scipy: half a second that the other commands never need

    path = Path(arguments.model)
    model = read_model_file(path) if path.suffix in (".yaml", ".yml") else _model_of_center(arguments)
    rows = [row for path in arguments.cases for row in _results(path)] or _results_of_center(arguments, model)
    try:
        text, report = learn(model, [facts for facts, _ in rows], [failed for _, failed in rows])
    except FactError as error:
        raise InputError(f"case {error.index + 1}", str(error)) from error
    except Problem as error:
        raise InputError("results", str(error)) from error
    told = {**report.as_dict(), "model": model.name, "learnt": now_text()}
    if arguments.output is not None:
        _write(arguments.output, text)
    if arguments.report is not None:
        _write(arguments.report, json.dumps(told, ensure_ascii=False, indent=1))
    if arguments.propose:
        _propose(arguments, text, f"learnt from {report.cases} inspections", json.dumps(told, ensure_ascii=False))
    print(json.dumps({name: told[name] for name in told if name not in ("weights", "calibration")}, ensure_ascii=False))
    for name, (before, after) in sorted(report.weights.items(), key=lambda item: -abs(item[1][1] - item[1][0])):
        print(f"{name:28} {before:6.2f} % -> {after:6.2f} %")
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    old, new = read_model_file(arguments.old), read_model_file(arguments.new)
    rows = [(number, row) for path in arguments.cases for number, row in read_cases(path)]
    found = compare(
        old,
        new,
        [(n, str(row.get("reference", "")), row["facts"], str(row.get("outcome", ""))) for n, row in rows],
    )
    for change in found.changes:
        print(json.dumps(asdict(change), ensure_ascii=False))
    moves = {f"{before} -> {after}": number for (before, after), number in sorted(found.moves.items())}
    told = {"compared": found.compared, "refused": len(found.refused), "moves": moves, "caught": found.caught}
    print(json.dumps(told, ensure_ascii=False))
    for number, reason in found.refused.items():
        print(f"inspection_center: line {number}: {reason}", file=sys.stderr)
    return 2 if found.refused else 0


def read_cases(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Cases of a file, one JSON object a line, with their lines.

    Raises:
        InputError: the file cannot be read, or a line is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8") from error
    empty = True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(path, f"line {number}: no JSON") from error
        if not isinstance(row, dict) or not isinstance(row.get("facts"), dict):
            raise InputError(path, f"line {number}: must be an object with facts")
        empty = False
        yield number, row
    if empty:
        raise InputError(path, "line 1: there is no case")


def _scored(model: RiskModel, path: Path, rows: list[tuple[int, dict[str, Any]]]) -> Any:
    try:
        return score(model, [row["facts"] for _, row in rows])
    except FactError as error:
        raise InputError(path, f"line {rows[error.index][0]}: {error}") from error


def _results(path: Path) -> list[tuple[dict[str, Any], bool]]:
    results = []
    for number, row in read_cases(path):
        if row.get("outcome") not in ("passed", "failed"):
            raise InputError(path, f"line {number}: outcome must be passed or failed")
        results.append((row["facts"], row["outcome"] == "failed"))
    return results


def _model_of_center(arguments: argparse.Namespace) -> RiskModel:
    engine = open_database(arguments.state, read_settings(arguments.settings))
    try:
        with engine.connect() as connection:
            return versions.in_force(connection, arguments.model)
    finally:
        engine.dispose()


def _results_of_center(arguments: argparse.Namespace, model: RiskModel) -> list[tuple[dict[str, Any], bool]]:
    engine = open_database(arguments.state, read_settings(arguments.settings))
    try:
        with engine.connect() as connection:
            rows = stored_cases.past_cases(connection, model.data.model, _CASES_LEARNT_FROM, inspected_only=True)
    finally:
        engine.dispose()
    return [(row["facts"], row["outcome"] == "failed") for row in rows]


def _propose(arguments: argparse.Namespace, text: str, reason: str, report: str) -> None:
    engine = open_database(arguments.state, read_settings(arguments.settings))
    writer = Writer(engine)
    try:
        actor = f"officer:{arguments.propose}"
        writer.run(lambda transaction: versions.propose(transaction, actor, text, reason, report))
    finally:
        writer.close()
        engine.dispose()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
