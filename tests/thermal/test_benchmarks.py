from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspection_contract.errors import InputError
from tests.data import need

faces = importlib.import_module("benchmarks.faces")
fever = importlib.import_module("benchmarks.fever")
speed = importlib.import_module("benchmarks.thermal_speed")


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, float).reshape(-1, len(rows[0]) if rows else 5)


def test_average_precision_of_known_cases() -> None:
    truth = boxes((10, 10, 30, 30), (60, 60, 30, 30))
    first, second, wrong = (10, 10, 30, 30, 0.9), (61, 60, 30, 30, 0.8), (100, 10, 30, 30, 0.95)
    assert faces.average_precision([(boxes(first, second), truth)], 0) == pytest.approx(1.0)
    assert faces.average_precision([(boxes(first), truth)], 0) == pytest.approx(0.5)
    # wrong first: precisions 1/2 and 2/3 at recalls 1/2 and 1; the envelope lifts both to 2/3
    assert faces.average_precision([(boxes(first, second, wrong), truth)], 0) == pytest.approx(2 / 3)
    assert faces.average_precision([(boxes(first, first), truth)], 0) == pytest.approx(0.5)


def test_small_faces_do_not_count_for_the_large_ones() -> None:
    truth = boxes((10, 10, 30, 30), (60, 60, 8, 8))
    found = boxes((10, 10, 30, 30, 0.9), (60, 60, 8, 8, 0.99), (100, 100, 9, 9, 0.98))
    assert faces.average_precision([(found, truth)], 20) == pytest.approx(1.0)
    assert faces.average_precision([(found, truth)], 0) < 1.0


def test_yolo_boxes_are_centre_and_size(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n\n")
    assert faces.read_yolo(tmp_path / "a.txt", 160, 120).tolist() == [[60.0, 30.0, 40.0, 60.0]]
    (tmp_path / "a.txt").write_text("0 0.5 0.5\n")
    with pytest.raises(InputError, match="YOLO"):
        faces.read_yolo(tmp_path / "a.txt", 160, 120)


def test_folders_without_labels_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks images"):
        faces.labelled_pictures(tmp_path)


@pytest.mark.parametrize("labels", ["labels", "annotations_yolo_format"])
def test_faces_are_counted_in_both_layouts_of_labels(tmp_path: Path, labels: str) -> None:
    (tmp_path / "images" / "a").mkdir(parents=True)
    (tmp_path / labels / "a").mkdir(parents=True)
    grey = np.random.default_rng(0).normal(40, 2, (120, 160)).astype(np.uint8)
    for name, text in (("one", "0 0.5 0.5 0.25 0.4\n0 0.2 0.2 0.06 0.1\n"), ("none", "")):
        cv2.imwrite(str(tmp_path / "images" / "a" / f"{name}.png"), grey)
        (tmp_path / labels / "a" / f"{name}.txt").write_text(text)
    cv2.imwrite(str(tmp_path / "images" / "a" / "unlabelled.png"), grey)
    figures = faces.run(argparse.Namespace(data=tmp_path, fast=True))
    assert (figures["images"], figures["faces"], figures["faces_20px"]) == (2, 2, 1)
    assert figures["ap50"] == 0.0, "nobody is in these pictures"


def test_area_under_roc_counts_ties_half() -> None:
    assert fever.area_under_roc(np.array([1.0, 2.0, 3.0]), np.array([False, False, True])) == 1.0
    assert fever.area_under_roc(np.array([1.0, 1.0]), np.array([True, False])) == 0.5


def test_fever_figures_of_a_table_with_known_truth(tmp_path: Path) -> None:
    columns = [f"{name}{shot}" for shot in (1, 2, 3) for name in ("T_RC_Max", "T_LC_Max", "T_Max")]
    random = np.random.default_rng(0)
    lines = ["x", "y", ",".join(["SubjectID", *columns, "aveOralM", "T_atm"])]
    for person in range(200):
        oral = 36.6 + 0.3 * random.normal() + (1.6 if person % 10 == 0 else 0.0)
        lines.append(",".join([str(person), *[f"{oral - 1.34:.3f}"] * 9, f"{oral:.3f}", "24"]))
    (tmp_path / "t.csv").write_text("\n".join(lines))
    figures = fever.run(argparse.Namespace(data=tmp_path / "t.csv"))
    assert figures["n"] == 200
    assert figures["auc_37_5"] == 1.0
    assert figures["mae_c"] == pytest.approx(0.0, abs=0.002)
    assert figures["slope"] == pytest.approx(1.0, abs=0.001)
    assert figures["sensitivity"] > 0.9


def test_tables_of_another_kind_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="aveOralM"):
        fever.read_table(tmp_path / "t.csv")
    with pytest.raises(InputError, match="cannot be read"):
        fever.read_table(tmp_path / "missing.csv")


def test_on_people_measured_by_the_fda_the_uncertainty_holds_and_nothing_is_pulled_to_normal() -> None:
    figures = fever.run(argparse.Namespace(data=need("thermal/fda_physionet") / "FLIR_groups1and2.csv"))
    assert figures["auc_37_5"] >= 0.965
    assert 0.97 <= figures["slope"] <= 1.03
    assert 0.93 <= figures["coverage_95"] <= 0.97
    assert abs(figures["bias_c"]) < 0.1
    assert figures["auc_37_5"] > max(v for k, v in figures.items() if k.startswith("auc_37_5_"))


def test_the_speed_benchmark_reads_all_ten_faces_on_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_ROUNDS", 1)
    monkeypatch.setattr(speed, "_FRAMES", 14)
    figures = speed.run(argparse.Namespace())
    assert (figures["read_160"], figures["read_640"]) == (10, 10)
    assert all(figures[name] > 0 for name in ("ms_160", "model_ms_160", "ms_640", "model_ms_640"))
