"""Average precision of the face finder on thermal pictures with YOLO boxes."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_robot.model_files import find
from inspection_robot.thermal.faces import MODEL_NAME, FaceDetector, grey_from_celsius, grey_from_picture
from inspection_robot.thermal.frames import celsius_from_centikelvin, centikelvin_fault

_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
_LOWEST_SCORE = 0.05
_OVERLAP = 0.5
_LARGE_PX = 20.0

Boxes = NDArray[np.float64]


def configure(parser: argparse.ArgumentParser) -> None:
    boxes = "DIR/images, and boxes in DIR/labels or DIR/annotations_yolo_format"
    parser.add_argument("data", type=Path, metavar="DIR", help=boxes)
    parser.add_argument(
        "--fast", action="store_true", help="as on a stream of frames: without the second look at small faces"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Find faces in every labelled picture; AP50 is the area under the interpolated precision–recall curve.

    For ``ap50_20px``, labelled faces whose shorter side is below 20 px count neither as missed nor as found.
    """
    pairs = labelled_pictures(arguments.data)
    cv2.setNumThreads(1)
    detector = FaceDetector(find(MODEL_NAME), _LOWEST_SCORE)
    detect = detector.detect if arguments.fast else detector.detect_fine
    results, spent_s = [], 0.0
    for number, (picture_path, label_path) in enumerate(pairs, 1):
        if number % 50 == 0 and sys.stderr.isatty():
            print(f"\r{number} of {len(pairs)} pictures", end="", file=sys.stderr, flush=True)
        picture = cv2.imread(str(picture_path), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise InputError(picture_path, "is not a picture")
        started = time.process_time()
        faces = detect(_grey(picture))
        spent_s += time.process_time() - started
        found = np.array([[f.x, f.y, f.width, f.height, f.score] for f in faces]).reshape(-1, 5)
        results.append((found, read_yolo(label_path, picture.shape[1], picture.shape[0])))
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return {
        "ap50": round(average_precision(results, 0.0), 4),
        "ap50_20px": round(average_precision(results, _LARGE_PX), 4),
        "ms_per_image": round(1e3 * spent_s / max(len(pairs), 1), 2),
        "images": len(pairs),
        "faces": sum(len(truth) for _, truth in results),
        "faces_20px": sum(int((truth[:, 2:4].min(1) >= _LARGE_PX).sum()) for _, truth in results if len(truth)),
    }


def labelled_pictures(folder: Path) -> list[tuple[Path, Path]]:
    """Pictures with their label files; a picture without a label file is left out, one with an empty file has no face.

    Raises:
        InputError: The folders are missing or hold no pair.
    """
    labels = next((folder / name for name in ("labels", "annotations_yolo_format") if (folder / name).is_dir()), None)
    if labels is None or not (folder / "images").is_dir():
        raise InputError(folder, "lacks images/ and labels/ or annotations_yolo_format/")
    pictures = sorted(path for path in (folder / "images").rglob("*") if path.suffix.lower() in _PICTURES)
    pairs = [(path, label) for path in pictures if (label := _label_of(path, folder / "images", labels)).is_file()]
    if not pairs:
        raise InputError(folder, "holds no picture with a label file")
    return pairs


def read_yolo(path: Path, width: int, height: int) -> Boxes:
    """Boxes of a YOLO label file: class, centre and size relative to the picture; as left, upper, width, height [px].

    Raises:
        InputError: A line is not five numbers.
    """
    try:
        rows = [[float(cell) for cell in line.split()] for line in path.read_text().splitlines() if line.strip()]
    except ValueError as error:
        raise InputError(path, f"is not a YOLO label file ({error})") from error
    if any(len(row) < 5 for row in rows):
        raise InputError(path, "is not a YOLO label file (class and four numbers a line)")
    boxes = np.array([row[1:5] for row in rows]).reshape(-1, 4) * [width, height, width, height]
    boxes[:, :2] -= boxes[:, 2:] / 2
    return boxes


def average_precision(results: list[tuple[Boxes, Boxes]], smallest_px: float) -> float:
    """AP at an overlap of 0.5 (all-point interpolation, Pascal VOC 2010) over faces of at least a size.

    Args:
        results: For each picture what was found (left, upper, width, height, score) and what is there.
        smallest_px: Shorter side of the faces that count [px].

    Returns:
        0..1; NaN when there are no such faces.
    """
    scores, hits, total = [], [], 0
    for found, truth in results:
        counts = truth[:, 2:4].min(1) >= smallest_px if len(truth) else np.zeros(0, bool)
        total += int(counts.sum())
        taken = np.zeros(len(truth), bool)
        for box in found[np.argsort(-found[:, 4])]:
            overlaps = np.where(taken, -1.0, _overlaps(box[:4], truth)) if len(truth) else np.zeros(0)
            best = int(overlaps.argmax()) if len(overlaps) else -1
            if best >= 0 and overlaps[best] >= _OVERLAP:
                taken[best] = True
                if not counts[best]:
                    continue
                hit = True
            elif box[2:4].min() < smallest_px:
                continue  # a small detection is no error of the large faces
            else:
                hit = False
            scores.append(box[4])
            hits.append(hit)
    if total == 0:
        return float("nan")
    order = np.argsort(-np.array(scores), kind="stable") if scores else np.zeros(0, int)
    right = np.cumsum(np.array(hits, float)[order])
    recall, precision = right / total, right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * envelope))


def _grey(picture: NDArray[Any]) -> NDArray[np.float32]:
    if picture.dtype == np.uint16 and picture.ndim == 2 and centikelvin_fault(picture) is None:
        return grey_from_celsius(celsius_from_centikelvin(picture))
    return grey_from_picture(picture)


def _label_of(picture: Path, images: Path, labels: Path) -> Path:
    return labels / picture.relative_to(images).with_suffix(".txt")


def _overlaps(box: NDArray[np.float64], others: Boxes) -> NDArray[np.float64]:
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:4], others[:, :2] + others[:, 2:4])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    union = box[2] * box[3] + others[:, 2] * others[:, 3] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))
