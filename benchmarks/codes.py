"""Codes in real photos: `./robot bench codes DIR`, a folder of pictures with their texts beside them.

`NAME.txt` holds the text, `NAME.bin` the bytes that the picture NAME must give. Pictures in folders whose name begins
with `falsepositives` hold no code. A picture without truth is not counted.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2

from inspection_contract.errors import InputError
from inspection_robot.documents.codes import read_codes
from inspection_robot.documents.images import read_gray

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--misses", action="store_true", help="list the pictures that were not read right")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    if not arguments.folder.is_dir():
        raise InputError(arguments.folder, "no folder")
    cv2.setNumThreads(1)
    right = wrong = false_positives = total = unreadable = 0
    seconds: list[float] = []
    for path in sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in PICTURES):
        try:
            picture = read_gray(path)
        except InputError:
            unreadable += 1
            continue
        expects_nothing = path.parent.name.startswith("falsepositives")
        truth = None if expects_nothing else _truth(path)
        if truth is None and not expects_nothing:
            continue
        started = time.perf_counter()
        codes = read_codes(picture)
        seconds.append(time.perf_counter() - started)
        if expects_nothing:
            false_positives += bool(codes)
            continue
        total += 1
        if any(code.raw == truth or code.text == _text(truth) for code in codes):
            right += 1
        else:
            wrong += bool(codes)
            if arguments.misses:
                print(f"{'wrong' if codes else 'missed'} {path} {[code.text for code in codes]}")
    if not total:
        raise InputError(arguments.folder, "no pictures with a .txt or .bin beside them")
    return {
        "right": right,
        "wrong": wrong,
        "false_positives": false_positives,
        "n": total,
        "right_share": round(right / total, 4),
        "ms_per_image": round(1000 * sum(seconds) / len(seconds), 2),
        "unreadable_files": unreadable,
    }


def _truth(picture: Path) -> bytes | None:
    for suffix in (".txt", ".bin"):
        beside = picture.with_suffix(suffix)
        if beside.exists():
            return beside.read_bytes()
    return None


def _text(truth: bytes | None) -> str | None:
    try:
        return None if truth is None else truth.decode("utf-8")
    except UnicodeDecodeError:
        return None
