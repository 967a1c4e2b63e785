"""`./robot odor record|train|report`: a site records its own smells, trains the recogniser on them, and checks it."""

from __future__ import annotations

import argparse
import io
import math
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.odor.drivers import PROTOCOLS
from inspection_robot.odor.judgement import Gate, judge
from inspection_robot.odor.onnx_model import Calibration, OnnxRecogniser, save, to_onnx
from inspection_robot.odor.recognition import Sniffs, fit, recognise
from inspection_robot.odor.sessions import header_of, line_of, read_session, sniffs_of, together

Floats = NDArray[np.float64]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    record = actions.add_parser("record", help="record one session: clean air and a smell, by turns")
    record.add_argument("output", type=Path, metavar="FILE.csv", help="must not exist yet")
    record.add_argument("--port", required=True, help="serial port of the board")
    record.add_argument("--protocol", choices=sorted(PROTOCOLS), default="mox_csv")
    record.add_argument("--label", required=True, help="name of the smell")
    record.add_argument("--sniffs", type=int, default=3, help="how often it is presented (default 3)")
    record.add_argument("--clean-s", type=float, default=60.0, help="clean air before each (default 60 s)")
    record.add_argument("--expose-s", type=float, default=12.0, help="length of each (default 12 s)")
    train = actions.add_parser("train", help="train on at least two sessions, the last of today's board")
    train.add_argument("files", nargs="+", type=Path, metavar="FILE.csv")
    train.add_argument("--output", required=True, type=Path, metavar="MODEL.onnx")
    train.add_argument("--family", action="append", default=[], metavar="SMELL=FAMILY", help="else a smell is its own")
    report = actions.add_parser("report", help="what a model makes of recordings, one JSON object a file")
    report.add_argument("files", nargs="+", metavar="FILE.csv")
    report.add_argument("--model", required=True, type=Path, metavar="MODEL.onnx")


def run(arguments: argparse.Namespace) -> int:
    """Run the action."""
    if arguments.action == "record":
        return _record(arguments)
    if arguments.action == "train":
        return _train(arguments)
    recogniser = OnnxRecogniser(arguments.model)
    return for_each("odor", arguments.files, lambda name: _report(recogniser, Path(name)))


def _record(arguments: argparse.Namespace) -> int:
    """Record and say what to do; the operator presents the smell."""
    plan = [("", arguments.clean_s), (arguments.label, arguments.expose_s)] * arguments.sniffs + [("", 5.0)]
    try:
        file = arguments.output.open("x", encoding="utf-8")
    except OSError as error:
        raise InputError(arguments.output, error.strerror or "cannot be written") from error
    with file, PROTOCOLS[arguments.protocol](arguments.port) as board:
        start = time.monotonic()
        headed, lines = False, 0
        for label, seconds in plan:
            print(f"{label or 'clean air'}: {seconds:g} s", file=sys.stderr, flush=True)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                reading = board.poll()
                if reading is None:
                    continue
                if not headed:
                    file.write(header_of(reading))
                    headed = True
                file.write(line_of(time.monotonic() - start, label, reading))
                lines += 1
    print_json({"file": str(arguments.output), "readings": lines, "label": arguments.label, "sniffs": arguments.sniffs})
    return 0


def _train(arguments: argparse.Namespace) -> int:
    """Fit to all sessions but the last, calibrate with that, and print how it does on sessions left out."""
    if len(arguments.files) < 2:
        raise InputError(str(arguments.files[0]), "one session shows no drift; at least two are needed")
    sessions = [read_session(path) for path in arguments.files]
    described = [(session.path, *sniffs_of(session)) for session in sessions]
    sniffs, number, names = together(described)
    families = {str(name): str(name) for name in np.unique(sniffs.labels)} | _families(arguments.family)
    board = sessions[-1].readings[-1].board
    accuracy = left_out_accuracy(sniffs, number)
    last = number == number.max()
    model = fit(sniffs.take(~last), sniffs.take(last), families=families)
    calibration = Calibration(
        board, names, model.classes, tuple(families[name] for name in model.classes), model.calibrated,
        time.time(), model.minimum_probability, accuracy,
    )  # fmt: skip
    save(to_onnx(model, calibration), arguments.output)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, features=sniffs.features, labels=sniffs.labels, dock_features=sniffs.features,
        dock_labels=sniffs.labels, names=np.array(names), families=np.array(calibration.families),
    )  # fmt: skip
    reference = arguments.output.with_name(f"{arguments.output.stem}_reference.npz")
    save(buffer.getvalue(), reference)
    print_json(
        {
            "model": str(arguments.output), "reference": str(reference), "board": board, "sniffs": len(sniffs),
            "sessions": len(sessions), "classes": list(model.classes),
            "accuracy_on_sessions_left_out": None if math.isnan(accuracy) else round(accuracy, 4),
        }
    )  # fmt: skip
    return 0


def left_out_accuracy(sniffs: Sniffs, session: NDArray[np.intp]) -> float:
    """Share of sniffs recognised by a model that saw none of their session; NaN where no session can be left out.

    A smell that was recorded in one session only cannot be judged, and is left out of the figure.
    """
    right, judged = 0, 0
    for number in np.unique(session):
        held = session == number
        held &= np.isin(sniffs.labels, sniffs.labels[session != number])
        if not held.any() or len(np.unique(sniffs.labels[session != number])) < 2:
            continue
        model = fit(sniffs.take(session != number))
        best = np.array(model.classes)[recognise(model, sniffs.features[held]).best]
        right += int((best == sniffs.labels[held]).sum())
        judged += int(held.sum())
    return right / judged if judged else math.nan


def _families(pairs: list[str]) -> dict[str, str]:
    families = {}
    for pair in pairs:
        smell, _, family = pair.partition("=")
        if not smell or not family:
            raise InputError(pair, "is not SMELL=FAMILY")
        families[smell] = family
    return families


def _report(recogniser: OnnxRecogniser, path: Path) -> None:
    session = read_session(path)
    sniffs, names = sniffs_of(session)
    if names != recogniser.calibration.features:
        raise InputError(path, "other channels than the model's")
    calibration = recogniser.calibration
    result = recogniser.recognise(sniffs.features)
    gate = Gate(True, 0.0, "")
    said = [judge(result, index, calibration, gate) for index in range(len(sniffs))]
    best = np.array(calibration.classes)[result.best]
    print_json(
        {
            "file": str(path),
            "board": session.readings[0].board,
            "same_board": session.readings[0].board == calibration.board,
            "sniffs": len(sniffs),
            "right": int((best == sniffs.labels).sum()),
            "named": int(sum(bool(judgement.family) for judgement in said)),
            "named_right": int(
                sum(
                    bool(judgement.substance) and judgement.substance == label
                    for judgement, label in zip(said, sniffs.labels, strict=True)
                )
            ),
            "results": [
                {
                    "label": str(label), "verdict": judgement.verdict.name.lower(), "family": judgement.family,
                    "substance": judgement.substance, "probability": round(judgement.probability, 4),
                    "novelty": round(float(value), 4), "reason": judgement.reason,
                }
                for label, judgement, value in zip(sniffs.labels, said, result.novelty, strict=True)
            ],
        }
    )  # fmt: skip
