"""Machine readable zones in photos: `./robot bench mrz DIR`, pictures with their lines as truth.

The truth of a picture is NAME.txt or NAME.mrz beside it (one line of the zone a line), else its entry in DIR/truth.json
or in the file of `--truth`: {"path/below/DIR.png": ["line", "line"]}. Pictures without truth are not counted.
`exact`: every line right. `wrong_but_valid`: called valid although a line is wrong.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from inspection_contract.errors import InputError
from inspection_robot.documents.images import read_gray
from inspection_robot.documents.mrz_reader import MrzReader

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
SPECIMENS = Path(__file__).with_name("mrz_specimens.json")
"""What stands on the specimen documents of the public collection Arg0s1080/mrz, copied by eye."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--truth", type=Path, help="JSON file with the lines of each picture")
    parser.add_argument("--misses", action="store_true", help="print what was not read exactly")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    if not arguments.folder.is_dir():
        raise InputError(arguments.folder, "no folder")
    truths = _truths(arguments.folder, arguments.truth)
    reader = MrzReader()
    total = exact = valid = wrong_but_valid = 0
    lines = lines_exact = 0
    seconds: list[float] = []
    for path in sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in PICTURES):
        names = (path.relative_to(arguments.folder).as_posix(), "/".join(path.parts[-2:]), path.name)
        truth = _beside(path) or next((truths[name] for name in names if name in truths), None)
        if truth is None:
            continue
        picture = read_gray(path)
        started = time.perf_counter()
        zone = reader.read(picture)
        seconds.append(time.perf_counter() - started)
        found = () if zone is None else zone.reading.mrz.lines
        certain = zone is not None and zone.reading.certain
        total, lines = total + 1, lines + len(truth)
        exact += found == truth
        lines_exact += sum(one == other for one, other in zip(found, truth, strict=False))
        valid += certain
        wrong_but_valid += certain and found != truth
        if arguments.misses and found != truth:
            print(f"{path} {'VALID' if certain else 'not valid'}\n  read  {found}\n  truth {truth}")
    if not total:
        raise InputError(arguments.folder, "no picture with a known truth")
    return {
        "exact": exact,
        "n": total,
        "wrong_but_valid": wrong_but_valid,
        "exact_share": round(exact / total, 4),
        "valid": valid,
        "lines_exact_share": round(lines_exact / lines, 4),
        "ms_per_image": round(1000 * sum(seconds) / total, 1),
    }


def _truths(folder: Path, given: Path | None) -> dict[str, tuple[str, ...]]:
    sources = [given] if given else [folder / "truth.json", SPECIMENS]
    truths: dict[str, tuple[str, ...]] = {}
    for path in reversed([source for source in sources if source.is_file()]):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            truths |= {str(name): tuple(map(str, lines)) for name, lines in content.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise InputError(path, f"no truth of the form picture → lines: {error}") from error
    return truths


def _beside(picture: Path) -> tuple[str, ...] | None:
    for suffix in (".txt", ".mrz"):
        beside = picture.with_suffix(suffix)
        if beside.exists():
            return tuple(line for line in beside.read_text(encoding="utf-8").split() if line)
    return None
