"""The studies and commands on small files of the same shape as the real ones, and on those where they are."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from inspection_contract.errors import InputError
from inspection_robot.cli.__main__ import main
from inspection_robot.odor import datasets
from inspection_robot.odor.dock import DockAccess, Outcome, run_schedule
from inspection_robot.odor.drivers import BoardReading
from inspection_robot.odor.features import heater_cycle_features, standardise_unit
from inspection_robot.odor.findings import Episode, Severity, load_rules, make_finding, onset_confidence
from inspection_robot.odor.judgement import Judgement, Verdict
from inspection_robot.odor.recalibration import schedule
from inspection_robot.odor.recognition import Sniffs, fit, recognise
from inspection_robot.odor.references import load_references
from inspection_robot.odor.sessions import header_of, line_of, read_session
from inspection_sim.devices.mox_array import CHANNELS
from inspection_sim.devices.mox_csv import unit_of
from inspection_sim.devices.mox_sniffs import sniff_ohm
from tests.data import REPOSITORY, need


def bench(capsys, *words: str) -> dict:
    assert main(["bench", *words]) == 0
    return json.loads(capsys.readouterr().out)


def write_batch(path: Path, seed: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    lines = []
    for number, gas in enumerate(datasets.UCI_GASES[:3]):
        for _ in range(12):
            values = np.exp(random.normal(2.0 + np.sin(np.arange(128) * (number + 1)), 0.1)) * np.exp(shift)
            lines.append(",".join([gas, "10.0", *(f"{value:.4f}" for value in values)]))
    path.write_text("\n".join(lines))


def test_the_drift_study_reports_every_key_and_separates_what_is_separable(tmp_path, capsys):
    for number in (1, 2):
        write_batch(tmp_path / f"batch{number}.dat", number, 0.1 * number)
    figures = bench(capsys, "odor-drift", str(tmp_path), "--draws", "1")
    assert {f"accuracy_plus_{n}" for n in (0, 1, 3, 5, 10)} <= set(figures)
    assert {"auroc_unknown_plus_5", "unknown_named_plus_5", "machine", "commit"} <= set(figures)
    assert figures["accuracy_plus_5"] > 0.95
    assert figures["batches"] == 1


def test_both_forms_of_a_batch_are_read_alike(tmp_path):
    values = [f"{0.5 * index:.2f}" for index in range(128)]
    (tmp_path / "a.dat").write_text(",".join(["Ammonia", "50.0", *values]))
    numbered = " ".join(f"{index}:{value}" for index, value in enumerate(values, start=1))
    (tmp_path / "b.dat").write_text(f"3;50.0 {numbered}\n")
    (tmp_path / "c.dat").write_text(f"3 {numbered}\n")
    one, *others = (datasets.read_uci_batch(tmp_path / name) for name in ("a.dat", "b.dat", "c.dat"))
    for other in others:
        assert other.labels.tolist() == one.labels.tolist() == ["Ammonia"]
        assert np.array_equal(other.features, one.features)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("Radon,1,2,3", "no gas"),
        ("Ethanol,1,2,3", "expected 128"),
        ("Ethanol," + ",".join(["x"] * 129), "line 1"),
        ("Ethanol," + ",".join(["nan"] * 129), "not finite"),
        ("Ethanol," + ",".join(["1"] * 131), "expected 128"),
    ],
)
def test_a_bad_batch_is_named_with_its_line(tmp_path, text, words):
    path = tmp_path / "batch1.dat"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        datasets.read_uci_batch(path)
    assert "batch1.dat" in str(caught.value)


@pytest.mark.parametrize("name", ["odor-drift", "odor-transfer", "smellnet"])
def test_a_study_without_its_data_says_so_in_one_line(tmp_path, capsys, name):
    assert main(["bench", name, str(tmp_path / "nothing")]) == 2
    message = capsys.readouterr().err
    assert "nothing" in message and message.count("\n") == 1


def write_cycles(path: Path, gains: tuple[float, float]) -> None:
    random = np.random.default_rng(3)
    lines = ["; sensorId, category, index, temperature, humidity, pressure, gas_registance, log, diff"]
    for _ in range(25):
        for category, slope in (("a", 0.0), ("b", 0.25), ("c", -0.25)):
            for sensor, gain in enumerate(gains, start=1):
                steps = gain * np.exp(10.0 + slope * np.arange(10) + 0.02 * random.standard_normal(10))
                lines += [f"{sensor},{category},{i},30,40,100000,{value:.2f},0,0,;" for i, value in enumerate(steps)]
    lines.insert(5, "1,a,7,30,40,100000,5,0,0,;")  # a stray step drops its cycle only
    path.write_text("\ufeff" + "\n".join(lines))


def test_the_transfer_study_needs_standardisation_to_cross_from_one_sensor_to_the_other(tmp_path, capsys):
    path = tmp_path / "cycles.csv"
    write_cycles(path, (1.0, 20.0))
    figures = bench(capsys, "odor-transfer", str(path))
    assert figures["accuracy_sensor_1_to_2"] == 1.0
    assert figures["accuracy_sensor_1_to_2_raw"] < 0.5
    assert figures["classes"] == 3
    cycles = datasets.read_bme688_cycles(path)
    assert len(cycles[1]) < 75 and len(cycles[2]) >= 74


def write_recording(path: Path, level: float, seed: int, columns: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    values = {name: np.full(150, 20.0) for name in columns}
    for place, name in enumerate(datasets.SMELLNET_GASES):
        values[name] = 50.0 + level * (place + 1) + random.normal(0.0, 0.5, 150)
    rows = [",".join(columns)] + [",".join(f"{values[name][i]:.2f}" for name in columns) for i in range(150)]
    path.write_text("\n".join(rows))


def test_the_smellnet_study_counts_copies_out_and_finds_channels_by_name(tmp_path, capsys):
    columns = [*datasets.SMELLNET_ENVIRONMENT, *datasets.SMELLNET_GASES[::-1], "Benzene"]
    for substance, level in (("apple", 1.0), ("mint", 9.0), ("soil", 30.0)):
        for number in range(3):
            write_recording(tmp_path / "offline_training" / substance / f"{number}.csv", level, number, columns)
        write_recording(tmp_path / "offline_testing" / substance / "7.csv", level, 7, columns)
        write_recording(tmp_path / "online_day" / substance / "8.csv", level, 8, columns)
    write_recording(tmp_path / "offline_testing" / "apple" / "copy.csv", 1.0, 0, columns)
    figures = bench(capsys, "smellnet", str(tmp_path))
    assert figures["top1"] == figures["later_top1"] == 1.0
    assert figures["environment_only_top1"] < 0.5
    assert figures["recordings_refused_as_copies"] == 1
    broken = tmp_path / "offline_testing" / "apple" / "short.csv"
    broken.write_text("NO2,CO\n1,2\n")
    assert main(["bench", "smellnet", str(tmp_path)]) == 2
    assert "channels missing" in capsys.readouterr().err


def test_on_the_real_recordings_patterns_carry_over_to_the_other_sensor():
    cycles = datasets.read_bme688_cycles(need("odor/bme688_mrsa/teabags.csv"))
    first, second = (
        Sniffs(standardise_unit(heater_cycle_features(part.features)), part.labels) for part in cycles.values()
    )
    model = fit(first, unlabelled=second.features)
    best = np.array(model.classes)[recognise(model, second.features).best]
    assert (best == second.labels).mean() >= 0.99


def write_session(path: Path, drift: float, smells=("beef", "citrus", "soil")) -> Path:
    generator = np.random.default_rng(round(100 * drift))
    unit, text, time_s = unit_of("A1", drift), "", 0.0
    for _ in range(2):
        for name in smells:
            values = sniff_ohm(unit, name, np.full(24, 20.0), 30.0, generator)
            for row, label in zip(values, [""] * 60 + [name] * 24, strict=True):
                reading = BoardReading("MOX A1", CHANNELS, row, ("Ohm",) * 6, 24.0, 0.45)
                text = text or header_of(reading)
                text += line_of(time_s, label, reading)
                time_s += 0.5
    path.write_text(text)
    return path


def test_a_site_trains_on_its_own_sessions_and_checks_another(tmp_path, capsys):
    files = [str(write_session(tmp_path / f"{number}.csv", 0.05 * number)) for number in range(3)]
    model = str(tmp_path / "own.onnx")
    assert main(["odor", "train", *files[:2], "--output", model, "--family", "beef=meat"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["accuracy_on_sessions_left_out"] == 1.0
    assert trained["classes"] == ["beef", "citrus", "soil"]
    assert main(["odor", "report", str(tmp_path / "missing.csv"), files[2], "--model", model]) == 2
    captured = capsys.readouterr()
    assert "missing.csv" in captured.err
    report = json.loads(captured.out)
    assert (report["sniffs"], report["right"], report["same_board"]) == (6, 6, True)


def test_one_session_is_not_enough_to_train_on(tmp_path, capsys):
    file = str(write_session(tmp_path / "one.csv", 0.0))
    assert main(["odor", "train", file, "--output", str(tmp_path / "m.onnx")]) == 2
    assert "at least two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[1:], "first line"),
        (lambda lines: [lines[0], "a,b,c", *lines[2:]], "header"),
        (lambda lines: [*lines[:4], "1,beef,2", *lines[4:]], "line 5"),
        (lambda lines: [*lines[:5], lines[3], *lines[5:]], "time goes back"),
    ],
)
def test_a_damaged_session_is_named_with_its_line(tmp_path, change, words):
    path = write_session(tmp_path / "s.csv", 0.0, smells=("beef",))
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(InputError, match=words):
        read_session(path)


def access(log: list, ready=lambda: True, wait=lambda _s: True, features=lambda: np.ones(2)) -> DockAccess:
    return DockAccess(log.append, wait, ready, features, lambda _sniff, _done: None)


def test_a_dock_run_leaves_clean_air_however_it_ends():
    plan = schedule(("a", "b"), 1, 60.0, 12.0)
    for outcome, options in (
        (Outcome.COMPLETE, {}),
        (Outcome.NO_BOARD, {"ready": lambda: False}),
        (Outcome.CANCELLED, {"wait": lambda seconds: seconds > 20.0}),
        (Outcome.NO_SMELL, {"features": lambda: None}),
    ):
        log: list[str] = []
        done = run_schedule(plan, access(log, **options))
        assert done.outcome is outcome
        assert log[-1] == ""
        assert (done.sniffs is not None) is (outcome is Outcome.COMPLETE)


def test_the_shipped_rules_and_references_fit_the_shipped_model():
    from inspection_robot.odor.calibration_store import load_reference
    from inspection_robot.odor.onnx_model import OnnxRecogniser

    reference = load_reference(REPOSITORY / "models" / "odor_mox_reference.npz")
    calibration = OnnxRecogniser(REPOSITORY / "models" / "odor_mox.onnx").calibration
    rules = load_rules(REPOSITORY / "config" / "odor_rules.yaml")
    references = load_references(REPOSITORY / "config" / "odor_references.yaml")
    assert calibration.features == reference.features
    assert set(reference.families.values()) <= set(rules.families)
    assert set(references.names) == set(calibration.classes)


@pytest.mark.parametrize(
    "text", ["", "families: 3\nunrecognised: notice", "families: {meat: loud}\nunrecognised: notice"]
)
def test_bad_rules_are_named(tmp_path, text):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"rules\.yaml"):
        load_rules(path)


def test_an_episode_tells_more_only_when_there_is_more_to_tell():
    something = Judgement(Verdict.UNRECOGNISED, "", "", 0.0, "unsure")
    meat = Judgement(Verdict.FAMILY, "meat", "", 0.9, "substance_unsure")
    beef = Judgement(Verdict.SUBSTANCE, "meat", "beef", 0.9, "")
    episode = Episode(10.0)
    assert episode.says_more(something)
    told = episode.after(something)
    assert not told.says_more(something) and told.says_more(meat)
    named = told.after(beef)
    assert not named.says_more(meat) and not named.says_more(beef)
    assert named.at(20.0).goes_on(45.0) and not named.at(20.0).goes_on(51.0)


def test_a_finding_takes_its_severity_from_the_family():
    rules = load_rules(REPOSITORY / "config" / "odor_rules.yaml")
    beef = make_finding(Judgement(Verdict.SUBSTANCE, "meat", "beef", 0.93, ""), 50.0, 0.9, rules)
    assert (beef.kind, beef.severity, beef.confidence) == ("odor.substance", Severity.WARNING, 0.93)
    coffee = make_finding(Judgement(Verdict.FAMILY, "permitted", "", 0.8, "substance_unsure"), 50.0, 0.9, rules)
    assert coffee.severity is Severity.INFO
    unknown = make_finding(Judgement(Verdict.UNRECOGNISED, "", "", 0.0, "unsure"), 50.0, 0.9, rules)
    assert (unknown.kind, unknown.confidence, unknown.attributes["reason"]) == ("odor.unrecognised", 0.9, "unsure")
    assert 0.5 < onset_confidence(5.0) < onset_confidence(50.0) <= 0.95


def test_the_studies_have_their_arguments():
    import importlib

    for name in ("odor_drift", "odor_transfer", "smellnet", "odor_plume"):
        module = importlib.import_module(f"benchmarks.{name}")
        parser = argparse.ArgumentParser()
        module.configure(parser)
        assert module.__doc__
