"""The recogniser's files: what comes with the software, and each board's own calibration on the robot."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np

from inspection_contract.errors import InputError
from inspection_robot.odor.onnx_model import Calibration, OnnxRecogniser, save, to_onnx
from inspection_robot.odor.recalibration import Reference
from inspection_robot.odor.recognition import RecognitionModel, Sniffs


def load_reference(path: Path) -> Reference:
    """Read ``<model>_reference.npz``.

    Raises:
        InputError: missing, damaged or of another shape.
    """
    content = _load(path, ("features", "labels", "dock_features", "dock_labels", "names", "families"))
    classes = np.unique(content["labels"])
    try:
        sniffs = Sniffs(content["features"].astype(np.float64), content["labels"])
        docks = Sniffs(content["dock_features"].astype(np.float64), content["dock_labels"])
        families = dict(zip(classes.tolist(), content["families"].tolist(), strict=True))
    except ValueError as error:
        raise InputError(path, f"damaged: {error}") from error
    return Reference(sniffs, docks, tuple(content["names"].tolist()), families)


class CalibrationStore:
    """Calibrations of boards in a folder, beside the shipped model.

    Args:
        folder: of this robot.
        shipped: model file that came with the software.
    """

    def __init__(self, folder: Path, shipped: Path) -> None:
        self._folder = folder
        self._shipped = shipped

    def recogniser(self, board: str) -> OnnxRecogniser:
        """The board's own model, else the shipped one.

        Raises:
            InputError: the file that should be used is damaged.
        """
        own = self._path(board, ".onnx")
        return OnnxRecogniser(own if own.is_file() else self._shipped)

    def sniffs(self, board: str) -> Sniffs | None:
        """Labelled sniffs of the board's last calibration; None without one."""
        path = self._path(board, ".npz")
        if not path.is_file():
            return None
        content = _load(path, ("features", "labels"))
        return Sniffs(content["features"], content["labels"])

    def keep(self, board: str, model: RecognitionModel, calibration: Calibration, sniffs: Sniffs) -> OnnxRecogniser:
        """Write a new calibration of the board and return its recogniser.

        Raises:
            InputError: the folder cannot be written.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, features=sniffs.features, labels=sniffs.labels)
        save(buffer.getvalue(), self._path(board, ".npz"))
        path = self._path(board, ".onnx")
        save(to_onnx(model, calibration), path)
        return OnnxRecogniser(path)

    def _path(self, board: str, suffix: str) -> Path:
        name = re.sub(r"[^A-Za-z0-9]+", "_", board).strip("_") or "board"
        return self._folder / f"{name}{suffix}"


def _load(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as content:
            return {name: content[name] for name in names}
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(path, f"damaged: {error}") from error
