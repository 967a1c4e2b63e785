"""Recognition under drift, rejection of the unknown, and the model file that holds both."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inspection_contract.errors import InputError
from inspection_robot.odor.judgement import Gate, Verdict, check_gate, judge
from inspection_robot.odor.onnx_model import Calibration, OnnxRecogniser, save, to_onnx
from inspection_robot.odor.recalibration import Reference, as_met, measure_drift, recalibrate, schedule
from inspection_robot.odor.recognition import RecognitionSettings, Sniffs, fit, no_sniffs, recognise
from inspection_robot.odor.scores import area_under_roc, calibration_error

CENTERS = {"apple": (4.0, 0.0, 0.0, 0.0), "beef": (0.0, 4.0, 0.0, 0.0), "soil": (0.0, 0.0, 4.0, 0.0)}
FAMILIES = {"apple": "fruit", "beef": "meat", "soil": "soil"}
FEATURES = ("a", "b", "c", "d")


def sniffs(count: int, seed: int, shift=(0.0, 0.0, 0.0, 0.0), names=tuple(CENTERS)) -> Sniffs:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.array(names), count)
    centers = np.array([CENTERS[name] for name in labels])
    return Sniffs(centers + np.array(shift) + 0.4 * random.standard_normal((len(labels), 4)), labels)


def accuracy(model, test: Sniffs) -> float:
    best = np.array(model.classes)[recognise(model, test.features).best]
    return float((best == test.labels).mean())


DRIFT = (3.0, -3.0, 1.0, 5.0)


def test_a_few_labelled_sniffs_undo_a_drift_that_ruins_the_training_session():
    training, today = sniffs(40, 1), sniffs(30, 2, DRIFT)
    assert accuracy(fit(training), today) < 0.8
    assert accuracy(fit(training, sniffs(3, 3, DRIFT)), today) > 0.98


def test_unlabelled_sniffs_help_and_their_labels_are_never_asked_for():
    training, today = sniffs(40, 1), sniffs(30, 2, (1.6, -1.6, 0.0, 0.0))
    strong = RecognitionSettings(shift_weight=1.0)
    alone = accuracy(fit(training), today)
    assert accuracy(fit(training, unlabelled=today.features, settings=strong), today) > max(alone, 0.95)


def test_probabilities_add_up_to_one_and_rows_do_not_influence_each_other():
    model = fit(sniffs(20, 1), sniffs(3, 2))
    test = sniffs(5, 3)
    together = recognise(model, test.features)
    assert together.probabilities.sum(axis=1) == pytest.approx(1.0)
    alone = [recognise(model, row[None, :]).probabilities[0] for row in test.features]
    assert np.allclose(together.probabilities, np.stack(alone))


def test_what_was_never_learnt_is_not_named():
    model = fit(sniffs(40, 1, names=("apple", "beef")), sniffs(5, 2, names=("apple", "beef")))
    full = fit(sniffs(40, 1), sniffs(5, 2))
    strange = np.array([[4.0, 4.0, -4.0, 0.0], [12.0, 0.0, 0.0, 0.0]])
    assert not recognise(full, strange).named.any()
    assert recognise(full, sniffs(20, 5).features).named.mean() > 0.8
    soil = recognise(model, sniffs(20, 6, names=("soil",)).features)
    assert soil.named.mean() < 0.2


@pytest.mark.parametrize(
    ("reference", "calibration", "words"),
    [
        (Sniffs(np.ones((3, 2)), np.array(["a", "a", "a"])), None, "two are needed"),
        (sniffs(3, 1), Sniffs(np.ones((1, 4)), np.array(["mango"])), "mango: never learnt"),
        (sniffs(3, 1), no_sniffs(3), "3 features, expected 4"),
        (Sniffs(np.full((4, 2), np.nan), np.array(["a", "a", "b", "b"])), None, "not finite"),
    ],
)
def test_what_cannot_be_fitted_is_named(reference, calibration, words):
    with pytest.raises(InputError, match=words):
        fit(reference, calibration)


@pytest.mark.parametrize("features", [np.ones((2, 3)), np.full((1, 4), np.inf), np.ones(4)])
def test_features_that_do_not_fit_are_refused(features):
    with pytest.raises(InputError):
        recognise(fit(sniffs(5, 1)), features)


def described(model, calibrated_at_s: float = 100.0, board: str = "MOX 1") -> Calibration:
    families = tuple(FAMILIES[name] for name in model.classes)
    return Calibration(
        board, FEATURES, model.classes, families, model.calibrated, calibrated_at_s, model.minimum_probability, 0.9
    )


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, (3, 4), elements=st.floats(-20.0, 20.0)))
def test_the_onnx_file_says_the_same_as_the_fitted_model(tmp_path_factory, features):
    model = fit(sniffs(20, 1), sniffs(3, 2, DRIFT))
    path = tmp_path_factory.mktemp("model") / "odor.onnx"
    save(to_onnx(model, described(model)), path)
    loaded = OnnxRecogniser(path)
    one, other = recognise(model, features), loaded.recognise(features)
    assert np.allclose(one.probabilities, other.probabilities, atol=1e-9)
    assert np.allclose(one.novelty, other.novelty, rtol=1e-6, atol=1e-6)
    assert loaded.calibration == described(model)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08\x12\x00"])
def test_a_file_that_is_no_odor_model_is_named(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.onnx"):
        OnnxRecogniser(path)


def test_names_need_a_fresh_calibration_of_the_same_board_and_channels():
    calibration = described(fit(sniffs(10, 1), sniffs(3, 2)))
    allowed = check_gate(calibration, "MOX 1", FEATURES, 200.0, 3600.0)
    assert allowed == Gate(True, 100.0, "")
    assert check_gate(calibration, "MOX 2", FEATURES, 200.0, 3600.0).reason == "other_board"
    assert check_gate(calibration, "MOX 1", FEATURES[::-1], 200.0, 3600.0).reason == "other_channels"
    assert check_gate(calibration, "MOX 1", FEATURES, 1e6, 3600.0).reason == "stale_calibration"
    assert check_gate(calibration, "MOX 1", FEATURES, 50.0, 3600.0).reason == "stale_calibration"  # from the future
    never = described(fit(sniffs(10, 1)), float("nan"))
    assert check_gate(never, "MOX 1", FEATURES, 200.0, 3600.0).reason == "never_calibrated"


def test_a_closed_gate_gives_no_name_however_sure_the_classifier_is():
    model = fit(sniffs(40, 1), sniffs(5, 2))
    result = recognise(model, np.array([CENTERS["beef"]]))
    open_gate = judge(result, 0, described(model), Gate(True, 0.0, ""))
    assert (open_gate.verdict, open_gate.family, open_gate.substance) == (Verdict.SUBSTANCE, "meat", "beef")
    closed = judge(result, 0, described(model), Gate(False, 9e9, "stale_calibration"))
    assert (closed.verdict, closed.family, closed.reason) == (Verdict.UNRECOGNISED, "", "stale_calibration")


def test_a_substance_without_its_reference_is_not_named():
    model = fit(sniffs(40, 1), sniffs(5, 2, names=("apple", "soil")))
    result = recognise(model, np.array([CENTERS["beef"]]))
    assert judge(result, 0, described(model), Gate(True, 0.0, "")).substance == ""


def test_recalibration_measures_drift_and_accuracy_and_takes_off_what_the_dock_does():
    dock = (0.0, 0.0, 0.0, 2.0)  # a dock's steady concentration differs from a plume in one feature
    reference = Reference(sniffs(40, 1), sniffs(10, 2, dock), FEATURES, FAMILIES)
    blank = Calibration("MOX 1", FEATURES, (), (), (), 5.0, 0.0, float("nan"))
    first = sniffs(5, 3, dock)
    model, calibration, drift = recalibrate(reference, first, None, blank)
    assert calibration.calibrated == ("apple", "beef", "soil")
    assert drift.total == 0.0 and np.isnan(drift.shifts).all()
    assert drift.accuracy > 0.9
    assert recognise(model, sniffs(10, 4).features).named.mean() > 0.7
    drifted = sniffs(5, 5, np.add(dock, DRIFT))
    _, _, after = recalibrate(reference, drifted, first, blank)
    assert after.total > 3.0


def test_recalibration_refuses_other_channels_and_what_was_never_at_a_dock():
    reference = Reference(sniffs(10, 1), sniffs(5, 2, names=("apple", "beef")), FEATURES, FAMILIES)
    blank = Calibration("MOX 1", FEATURES[::-1], (), (), (), 5.0, 0.0, float("nan"))
    with pytest.raises(InputError, match="other channels"):
        recalibrate(reference, sniffs(3, 3), None, blank)
    with pytest.raises(InputError, match="soil: never learnt at a dock"):
        as_met(sniffs(3, 3), reference.docks, reference.sniffs)


def test_drift_is_the_shift_in_standard_deviations():
    then, now = sniffs(400, 1), sniffs(400, 2, (0.4, 0.0, 0.0, 0.0))
    drift = measure_drift(now, then, 1.0)
    assert drift.shifts == pytest.approx([0.5] * 3, abs=0.1)  # one of four features moved by one deviation


def test_the_schedule_presents_every_reference_before_any_comes_again():
    plan = schedule(("a", "b"), 2, 60.0, 12.0)
    assert [(sniff.reference, sniff.number) for sniff in plan] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    with pytest.raises(InputError):
        schedule((), 1, 60.0, 12.0)


def test_scores_of_known_cases():
    assert area_under_roc(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == pytest.approx(0.875)
    sure = np.array([0.95, 0.95, 0.95, 0.95])
    assert calibration_error(sure, np.array([True, True, True, True])) == pytest.approx(0.05)
    assert calibration_error(sure, np.array([False, False, False, False])) == pytest.approx(0.95)
