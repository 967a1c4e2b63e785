"""The benchmarks print the figures that others compare with."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import pytest

from inspection_contract.errors import InputError
from tests.data import need

alarm = importlib.import_module("benchmarks.radiation")
naming = importlib.import_module("benchmarks.identify")
finding = importlib.import_module("benchmarks.localise")


def arguments(module: object, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.configure(parser)  # type: ignore[attr-defined]
    return parser.parse_args(words)


def test_the_alarm_benchmark_counts_hours_and_no_false_alarm() -> None:
    folder = need("radiation/gmc_geigerlog")
    figures = alarm.run(arguments(alarm, str(folder), "--runs", "1", "--quiet-hours", "0.2"))
    assert figures["false_alarms_per_h"] == 0.0
    assert figures["hours"] == pytest.approx(1.38, abs=0.01)
    assert {"false_alarms_per_h_3sigma", "false_alarms_per_h_5sigma", "detected_4mbq_0_5m_s"} <= set(figures)


def test_a_folder_without_logs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no count log"):
        alarm.run(arguments(alarm, str(tmp_path)))


def test_the_naming_benchmark_reads_the_truth_from_names() -> None:
    folder = need("radiation/suro_radiacode101")
    figures = naming.run(arguments(naming, str(folder / "09_spectra_EG_3X_source_Co-60" / ".."), "--repeats", "1"))
    assert figures["top1"] >= 0.9
    assert figures["top1_3s"] >= 0.75
    assert figures["industrial_as_medical"] == 0
    assert figures["nuclides_known"] >= 40


@pytest.mark.parametrize(
    ("path", "names", "material"),
    [
        ("08_spectra_EG_3X_source_Cs-137/a.xml", {"Cs-137"}, False),
        ("x/tc99m_patient.n42", {"Tc-99m"}, False),
        ("03_spectra_potassium_fertilizer/b.xml", {"K-40"}, True),
        ("01_spectra_natural_background/20_min.xml", set(), False),
    ],
)
def test_truth_in_names(path: str, names: set[str], material: bool) -> None:
    assert naming._truth(Path(path)) == (names, material)


def test_the_hall_has_walls_and_a_path_between_them() -> None:
    walls = finding.hall()
    path = finding.lanes(walls, 0.5, 2.5)
    assert walls.is_free(path).all()
    assert 300.0 < len(path) * 0.5 < 400.0
