"""A fitted recogniser as one ONNX file: standardisation, discriminant heads, probabilities and novelty in one graph.

The file also says what it was calibrated with and when, so that a copy of it is a complete record of how a smell was
judged; its SHA-256 is the version of the rule.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from inspection_contract.errors import InputError
from inspection_robot.odor.recognition import Recognition, RecognitionModel

Floats = NDArray[np.float64]

_KEY = "inspection_odor"
_OPSET = 17
_IR_VERSION = 8


@dataclass(frozen=True)
class Calibration:
    """What a model file says of itself.

    Attributes:
        board: board it was calibrated for; empty: for none.
        features: names of the inputs.
        classes: substances it knows.
        families: family of each class.
        calibrated: classes with labelled sniffs of that board; others are never named.
        calibrated_at_s: when [s], POSIX or simulated time, whichever the node ran on; NaN: never.
        minimum_probability: below it nothing is named.
        accuracy: cross-validated on the calibration sniffs, 0..1; NaN when not measured.
    """

    board: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    families: tuple[str, ...]
    calibrated: tuple[str, ...]
    calibrated_at_s: float
    minimum_probability: float
    accuracy: float


def to_onnx(model: RecognitionModel, calibration: Calibration) -> bytes:
    """The bytes of the model file: input ``features`` (N, F), outputs ``probabilities`` (N, C), ``novelty`` (N,)."""
    heads, count, classes = model.weights.shape
    novelty = model.novelty
    points = np.vstack([novelty.aligned, novelty.exemplars])
    rank = min(3, len(points))
    constants = {
        "center": model.center,
        "scale": model.scale,
        "weights": model.weights.transpose(1, 0, 2).reshape(count, heads * classes),
        "biases": model.biases.reshape(heads * classes),
        "temperature": np.array(model.temperature),
        "by_head": np.array([-1, heads, classes], dtype=np.int64),
        "projection": novelty.projection,
        "threshold": np.array(novelty.threshold),
        "zero": np.array(0.0),
        "two": np.array(2.0),
        "last": np.array([1], dtype=np.int64),
        "rank": np.array([rank], dtype=np.int64),
        "rank_place": np.array(rank - 1, dtype=np.int64),
        "exemplars_t": novelty.exemplars.T,
        "exemplars_norm": (novelty.exemplars**2).sum(axis=1),
        "points_t": points.T,
        "points_norm": (points**2).sum(axis=1),
    }
    node = helper.make_node
    nodes = [
        node("Sub", ["features", "center"], ["centered"]),
        node("Div", ["centered", "scale"], ["standardised"]),
        node("MatMul", ["standardised", "weights"], ["products"]),
        node("Add", ["products", "biases"], ["logits"]),
        node("Div", ["logits", "temperature"], ["cooled"]),
        node("Reshape", ["cooled", "by_head"], ["heads"]),
        node("Softmax", ["heads"], ["beliefs"], axis=-1),
        node("ReduceMean", ["beliefs"], ["probabilities"], axes=[1], keepdims=0),
        node("MatMul", ["standardised", "projection"], ["projected"]),
        node("Mul", ["projected", "projected"], ["squares"]),
        node("ReduceSum", ["squares", "last"], ["own_norm"], keepdims=1),
        *_distance_nodes("exemplars"),
        *_distance_nodes("points"),
        node("ReduceMin", ["exemplars_distance"], ["nearest"], axes=[1], keepdims=0),
        node("TopK", ["points_distance", "rank"], ["closest", "places"], axis=1, largest=0, sorted=1),
        node("Gather", ["closest", "rank_place"], ["third"], axis=1),
        node("Add", ["nearest", "third"], ["score"]),
        node("Div", ["score", "threshold"], ["novelty"]),
    ]
    graph = helper.make_graph(
        nodes,
        "odor",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE, ["n", count])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, ["n", classes]),
            helper.make_tensor_value_info("novelty", TensorProto.DOUBLE, ["n"]),
        ],
        [numpy_helper.from_array(np.array(value, order="C"), name) for name, value in constants.items()],
    )
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    helper.set_model_props(file, {_KEY: json.dumps(asdict(calibration), ensure_ascii=False)})
    onnx.checker.check_model(file, full_check=True)
    return bytes(file.SerializeToString())


def _distance_nodes(name: str) -> list[onnx.NodeProto]:
    """Euclidean distances of ``projected`` to the points ``name``: (N, M)."""
    node = helper.make_node
    return [
        node("MatMul", ["projected", f"{name}_t"], [f"{name}_products"]),
        node("Mul", [f"{name}_products", "two"], [f"{name}_twice"]),
        node("Add", ["own_norm", f"{name}_norm"], [f"{name}_norms"]),
        node("Sub", [f"{name}_norms", f"{name}_twice"], [f"{name}_squared"]),
        node("Max", [f"{name}_squared", "zero"], [f"{name}_positive"]),
        node("Sqrt", [f"{name}_positive"], [f"{name}_distance"]),
    ]


class OnnxRecogniser:
    """A model file in use.

    Raises:
        InputError: the file is missing, damaged or no odor model.
    """

    def __init__(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(path, error.strerror or "cannot be read") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            written = json.loads(self._session.get_modelmeta().custom_metadata_map[_KEY])
            lists: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in written.items()
            }
            self.calibration = Calibration(**lists)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise InputError(path, f"no odor model: {error}") from error
        except Exception as error:  # onnxruntime's own classes derive from Exception directly
            if type(error).__module__.startswith("onnxruntime"):
                raise InputError(path, f"no odor model: {error}") from error
            raise
        self.version = hashlib.sha256(data).hexdigest()

    def recognise(self, features: Floats) -> Recognition:
        """As :func:`inspection_robot.odor.recognition.recognise`."""
        expected = len(self.calibration.features)
        if features.ndim != 2 or features.shape[1] != expected or not np.isfinite(features).all():
            raise InputError("odor features", f"shape {features.shape}, expected (sniffs, {expected}), finite")
        probabilities, novelty = self._session.run(["probabilities", "novelty"], {"features": features})
        sure = probabilities.max(axis=1) >= self.calibration.minimum_probability
        return Recognition(probabilities, novelty, probabilities.argmax(axis=1), sure & (novelty <= 1.0))


def save(data: bytes, path: Path) -> None:
    """Write a model file completely or not at all.

    Raises:
        InputError: the folder cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(path, f"cannot be written: {error.strerror}") from error
