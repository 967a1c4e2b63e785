"""`./robot screen FILE…`: screen people in thermal recordings, with the same code as the thermal node."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.cli.inputs import for_each, print_json
from inspection_robot.model_files import find
from inspection_robot.thermal.faces import MODEL_NAME, FaceDetector
from inspection_robot.thermal.frames import ThermalFrame
from inspection_robot.thermal.reference import ReferenceSettings
from inspection_robot.thermal.screening import PersonOutcome, Screener, ScreeningSettings
from inspection_robot.thermal.sources.recording import ThermalRecording, open_recording

_PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True)
class FileResult:
    """What a recording gave: everybody in it, and what it cost.

    Attributes:
        outcomes: One per person, in order of appearance.
        frames: Number of frames.
        ms_per_frame: Processor time of one core from detection to decision [ms].
    """

    outcomes: list[PersonOutcome]
    frames: int
    ms_per_frame: float


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="CPTV, radiometric JPEG, 16-bit TIFF or PNG, NPY")
    parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the table (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--celsius", type=Path, metavar="DIR", help="also write the temperatures as DIR/NAME.npy [°C]")
    parser.add_argument(
        "--reference-celsius", type=float, default=ReferenceSettings.celsius, metavar="T",
        help="temperature of the heated reference in view (default %(default)s °C)",
    )  # fmt: skip
    parser.add_argument(
        "--ambient-celsius",
        type=float,
        default=math.nan,
        metavar="T",
        help="air temperature (default: from the picture)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Screen every file; exit status 2 when one could not be used."""
    if not 20.0 <= arguments.reference_celsius <= 60.0:
        raise InputError("--reference-celsius", f"{arguments.reference_celsius} is outside 20 … 60 °C")
    if arguments.celsius is not None:
        _make_folder(arguments.celsius)
    cv2.setNumThreads(1)
    detector = FaceDetector(find(MODEL_NAME))
    settings = ScreeningSettings(
        reference=ReferenceSettings(celsius=arguments.reference_celsius), ambient_celsius=arguments.ambient_celsius
    )

    def process(name: str) -> None:
        recording = open_recording(Path(name))
        keep: list[NDArray[np.float32]] | None = [] if arguments.celsius is not None else None
        result = screen_recording(recording, settings, detector, keep)
        if keep is not None:
            _write_celsius(arguments.celsius / f"{Path(name).stem}.npy", keep)
        if arguments.json:
            for outcome in result.outcomes:
                print_json(reading_record(name, outcome))
            print_json({"file": name, "summary": summary(result)})
        else:
            _print_table(name, recording, result, words(arguments.language))

    return for_each("screen", arguments.files, process)


def screen_recording(
    recording: ThermalRecording,
    settings: ScreeningSettings,
    detector: FaceDetector,
    keep: list[NDArray[np.float32]] | None = None,
) -> FileResult:
    """Run the chain over a recording.

    Args:
        recording: The recording.
        settings: Of the chain.
        detector: Finds faces.
        keep: When given, every frame's temperatures are appended to it.

    Raises:
        InputError: The recording is damaged.
    """
    if recording.frame_count == 1:
        # A still has no second frame to agree with: one good look is all there can be.
        settings = replace(settings, least_frames=1)
    screener = Screener(settings, detector)
    outcomes: list[PersonOutcome] = []
    spent_s = 0.0
    for frame in _with_progress(recording):
        started = time.process_time()
        outcomes += screener.process(frame).ended
        spent_s += time.process_time() - started
        if keep is not None:
            keep.append(frame.celsius)
    outcomes += screener.finish()
    frames = screener.frames
    return FileResult(sorted(outcomes, key=lambda o: (o.first_frame, o.track)), frames, 1e3 * spent_s / max(frames, 1))


def reading_record(name: str, outcome: PersonOutcome) -> dict[str, Any]:
    """One person as the JSON line of architecture.md; numbers that are not known are null."""
    reading = outcome.reading
    return {
        "file": name,
        "track": str(outcome.track),
        "first_frame": outcome.first_frame,
        "last_frame": outcome.last_frame,
        "status": "ok" if reading.ok else "indeterminate",
        "reason": reading.reason or "",
        "site": reading.site,
        "temperature_c": _rounded(reading.core_celsius),
        "uncertainty_c": _rounded(reading.uncertainty_c),
        "alarm": outcome.alarm,
        "second_look": reading.stage.value == "second_look",
        "skin_c": _rounded(reading.skin_celsius),
        "reference_used": reading.reference_used,
        "distance_m": _rounded(reading.distance_m),
    }


def summary(result: FileResult) -> dict[str, Any]:
    """Counts of a recording."""
    ok = sum(outcome.reading.ok for outcome in result.outcomes)
    return {
        "people": len(result.outcomes),
        "ok": ok,
        "indeterminate": len(result.outcomes) - ok,
        "frames": result.frames,
        "ms_per_frame": round(result.ms_per_frame, 3),
    }


def _with_progress(recording: ThermalRecording) -> Iterator[ThermalFrame]:
    """Frames of a recording; says on a terminal's standard error how far a long one is."""
    shown = time.monotonic()
    total = f" of {recording.frame_count}" if recording.frame_count else ""
    wrote = False
    for number, frame in enumerate(recording.frames(), 1):
        if sys.stderr.isatty() and time.monotonic() - shown > _PROGRESS_EVERY_S:
            shown, wrote = time.monotonic(), True
            print(f"\r{recording.path.name}: frame {number}{total}", end="", file=sys.stderr, flush=True)
        yield frame
    if wrote:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _rounded(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, f"cannot be made ({error.strerror})") from error


def _write_celsius(path: Path, frames: list[NDArray[np.float32]]) -> None:
    """Write (height, width) for one frame, (frames, height, width) for more."""
    try:
        np.save(path, frames[0] if len(frames) == 1 else np.stack(frames))
    except OSError as error:
        raise InputError(path, f"cannot be written ({error.strerror})") from error


def words(language: str) -> dict[str, dict[str, str]]:
    """The texts of this part in a language."""
    path = share() / "config" / "text" / language / "thermal.yaml"
    texts: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return texts


def _remark(outcome: PersonOutcome, texts: dict[str, dict[str, str]]) -> str:
    if outcome.reading.reason is not None:
        return texts["reason"][outcome.reading.reason]
    return texts["stage"]["alarm" if outcome.alarm else outcome.reading.stage.value]


def _print_table(
    name: str, recording: ThermalRecording, result: FileResult, texts: dict[str, dict[str, str]]
) -> None:  # fmt: skip
    console = Console(highlight=False)
    console.print(f"{name} ({recording.format}, {recording.width} × {recording.height})")
    table = Table()
    for column in ("person", "frames", "°C", "±", "site", "remark"):
        table.add_column(column, justify="right" if column in ("°C", "±") else "left")
    for outcome in result.outcomes:
        reading = outcome.reading
        numbers = (f"{reading.core_celsius:.1f}", f"{reading.uncertainty_c:.1f}") if reading.ok else ("–", "")
        table.add_row(
            str(outcome.track),
            f"{outcome.first_frame}–{outcome.last_frame}",
            *numbers,
            texts["site"][reading.site],
            _remark(outcome, texts),
        )
    if result.outcomes:
        console.print(table)
    facts = summary(result)
    console.print(
        f"{facts['ok']} of {facts['people']} read; {facts['frames']} frames, {facts['ms_per_frame']:.1f} ms a frame"
    )
