from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inspection_contract.events import Severity
from inspection_robot.thermal.baseline import Plausibility
from inspection_robot.thermal.core_temperature import DEFAULT_MAPPING
from inspection_robot.thermal.decision import DecisionSettings, Stage
from inspection_robot.thermal.faces import Face
from inspection_robot.thermal.findings import FindingsMaker
from inspection_robot.thermal.frames import ThermalFrame
from inspection_robot.thermal.overlay import draw_evidence, draw_overlay
from inspection_robot.thermal.radiometry import SKIN_EMISSIVITY, Surroundings, object_celsius_from_apparent
from inspection_robot.thermal.reference import ReferenceSettings
from inspection_robot.thermal.screening import FrameResult, Screener, ScreeningSettings
from inspection_robot.thermal.size_of_source import loss_fraction
from tests.thermal.files import room, with_disc
from tests.thermal.test_reading import face

AMBIENT = 24.0


class KnownFaces:
    """Stands for the face model: finds the faces that the test has drawn."""

    def __init__(self) -> None:
        self.faces: list[Face] = []

    def detect(self, grey: NDArray[np.float32]) -> list[Face]:
        assert grey.min() >= 0.0 and grey.max() <= 1.0
        return self.faces


@cache
def apparent(skin_celsius: float, across: float, distance_m: float) -> float:
    """What a camera shows of skin: emissivity, air and size of source, by bisection of the chain's own models."""
    surroundings = Surroundings(
        emissivity=SKIN_EMISSIVITY, reflected_celsius=AMBIENT, atmosphere_celsius=AMBIENT, distance_m=distance_m
    )
    low, high = 20.0, 50.0
    for _ in range(24):
        middle = (low + high) / 2
        loss = loss_fraction(across)
        seen = middle * (1 - loss) + AMBIENT * loss
        corrected = seen + (seen - AMBIENT) * loss / (1 - loss)
        skin = float(object_celsius_from_apparent(np.array([corrected]), surroundings)[0])
        low, high = (middle, high) if skin < skin_celsius else (low, middle)
    loss = loss_fraction(across)
    return middle * (1 - loss) + AMBIENT * loss


class Stream:
    """A camera with an error, a reference and one person."""

    def __init__(
        self, scale: int = 1, camera_error: float = -1.7, detector: KnownFaces | None = None, **settings: object
    ) -> None:
        self.scale, self.camera_error, self.number = scale, camera_error, 0
        self.detector = detector or KnownFaces()
        chosen = ScreeningSettings(ambient_celsius=AMBIENT, **settings)  # type: ignore[arg-type]  # as given by the test
        self.screener = Screener(chosen, self.detector)  # type: ignore[arg-type]  # a test double

    def picture(
        self, core: float | None, size: float = 40.0, reference: bool = True, **attributes: float
    ) -> NDArray[np.float32]:
        width, height = 160 * self.scale, 120 * self.scale
        picture = room(width, height, AMBIENT, seed=self.number)
        self.detector.faces = []
        if core is not None:
            target = face(60.0 * self.scale, 50.0 * self.scale, size * self.scale, **attributes)
            distance = 148.0 * self.scale * 0.19 / target.height
            value = apparent(DEFAULT_MAPPING.site(core, AMBIENT), target.across, distance)
            centre = (round(target.centre[0]), round(target.centre[1]))
            cv2.ellipse(picture, centre, (round(target.width / 2), round(target.height / 2)), 0, 0, 360, value, -1)
            cv2.circle(picture, centre, max(round(0.12 * target.width), 1), value - 2.0, -1)  # the nose
            self.detector.faces = [target]
        if reference:
            picture = with_disc(picture, 130 * self.scale, 20 * self.scale, 6 * self.scale, 37.0)
        return picture + np.float32(self.camera_error)

    def show(self, picture: NDArray[np.float32], **state: float) -> FrameResult:
        self.number += 1
        return self.screener.process(ThermalFrame(picture, self.number / 9.0, **state))  # type: ignore[arg-type]

    def play(self, core: float | None, frames: int, **options: object) -> FrameResult:
        for _ in range(frames):
            result = self.show(self.picture(core, **options))  # type: ignore[arg-type]
        return result


@pytest.mark.parametrize("scale", [1, 4])
def test_a_sweep_from_35_to_40_stays_linear_through_the_whole_chain(scale: int) -> None:
    true = np.arange(35.0, 40.1, 1.0)
    read = []
    for core in true:
        person = Stream(scale).play(float(core), 14).persons[0]
        assert person.ok
        read.append(person.core_celsius)
    slope = np.polyfit(true, read, 1)[0]
    assert 0.97 <= slope <= 1.03
    assert np.abs(np.array(read) - true).max() <= 0.3


def test_the_reading_does_not_depend_on_the_cameras_own_error() -> None:
    readings = [Stream(camera_error=error).play(37.0, 14).persons[0].core_celsius for error in (-5.0, 0.0, 3.0)]
    assert max(readings) - min(readings) < 0.15


def test_no_reading_during_a_correction_nor_until_the_reference_has_settled() -> None:
    stream = Stream()
    assert stream.play(37.0, 14).persons[0].ok
    result = stream.show(stream.picture(37.0), seconds_since_ffc=0.2)
    assert result.fault == "ffc"
    assert result.persons[0].reason == "ffc"
    for step in range(14):
        drifting = stream.picture(37.0) + np.float32(1.2 * min(step / 12, 1.0))
        result = stream.show(drifting, seconds_since_ffc=4.0 + step / 9.0)
        if 3 < step < 12:
            assert result.persons[0].reason in ("settling", "ffc")


def test_a_frozen_stream_gives_no_reading() -> None:
    stream = Stream()
    assert stream.play(37.0, 14).persons[0].ok
    picture = stream.picture(37.0)
    for _ in range(14):
        result = stream.show(picture)
    assert result.fault == "frozen"
    assert not result.persons[0].ok


def test_pictures_with_holes_give_a_fault_and_nobody() -> None:
    stream = Stream()
    picture = stream.picture(37.0)
    picture[3, 3] = np.nan
    result = stream.show(picture)
    assert "not finite" in (result.fault or "")
    assert result.persons == []


def test_without_a_reference_there_is_no_reading_until_enough_people_passed() -> None:
    stream = Stream(camera_error=2.0)
    for _ in range(10):
        person = stream.play(36.9, 10, reference=False).persons[0]
        assert person.reason == "reference_lost"
        stream.play(None, 20, reference=False)
    person = stream.play(38.9, 14, reference=False).persons[0]
    assert person.ok
    assert not person.reference_used
    assert person.core_celsius == pytest.approx(38.9, abs=0.45)
    assert person.uncertainty_c > Stream().play(38.9, 14).persons[0].uncertainty_c


def test_glasses_leave_the_face_without_the_canthi() -> None:
    person = Stream().play(37.0, 14, glasses=0.95).persons[0]
    assert person.ok
    assert person.site == "face"
    assert person.uncertainty_c > Stream().play(37.0, 14).persons[0].uncertainty_c


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"size": 8.0}, "too_far"), ({"size": 13.0}, "few_pixels"), ({"frontal": 0.1}, "turned_away")],
)
def test_who_cannot_be_read_is_told_why(options: dict[str, float], reason: str) -> None:
    stream = Stream()
    assert stream.play(37.0, 20, **options).persons[0].reason == reason
    (outcome,) = stream.screener.finish()
    assert outcome.reading.reason == reason
    assert not outcome.alarm
    assert math.isnan(outcome.reading.core_celsius)


def test_a_cup_of_coffee_is_nobody() -> None:
    stream = Stream()
    assert stream.play(55.0, 10).persons == []


def test_a_heated_plate_is_nobody() -> None:
    stream = Stream()
    for _ in range(14):
        plate = stream.picture(None)
        plate[40:80, 20:60] = 34.0 + stream.camera_error
        stream.detector.faces = [face(20.0, 40.0, 40.0)]
        assert stream.show(plate).persons == []


def test_the_reference_is_nobody() -> None:
    stream = Stream()
    for _ in range(14):
        picture = stream.picture(None)
        stream.detector.faces = [face(124.0, 14.0, 12.0)]
        assert stream.show(picture).persons == []


def test_fever_is_told_twice_and_health_once() -> None:
    maker = FindingsMaker(DecisionSettings())
    kinds: list[tuple[str, Severity]] = []
    stream = Stream()
    for number in range(70):
        found = maker.update(stream.show(stream.picture(38.8)), number / 9.0)
        kinds += [(finding.kind, finding.severity) for finding in found]
    assert kinds == [
        ("thermal.fever", Severity.WARNING), ("thermal.fever", Severity.ALARM), ("thermal.screening", Severity.INFO),
    ]  # fmt: skip
    healthy, maker = Stream(), FindingsMaker(DecisionSettings())
    told = [f.kind for n in range(70) for f in maker.update(healthy.show(healthy.picture(36.6)), n / 9.0)]
    assert told == ["thermal.screening"]
    assert maker.ended(healthy.screener.finish()) == []


def test_who_was_never_read_is_told_as_indeterminate_when_gone() -> None:
    stream, maker = Stream(), FindingsMaker(DecisionSettings())
    for number in range(20):
        assert maker.update(stream.show(stream.picture(39.0, frontal=0.1)), number / 9.0) == []
    (finding,) = maker.ended(stream.screener.finish())
    assert (finding.kind, finding.severity, finding.attributes["reason"]) == (
        "thermal.indeterminate",
        Severity.INFO,
        "turned_away",
    )


def test_the_best_reading_is_told_and_not_the_first() -> None:
    stream, maker, told = Stream(), FindingsMaker(DecisionSettings()), []
    for number in range(90):
        size = min(21.0 + number, 45.0)
        told += maker.update(stream.show(stream.picture(36.8, size=size)), number / 9.0)
    (finding,) = told
    assert finding.reading.face.width > 40.0


def test_passers_by_in_the_distance_are_not_told_of() -> None:
    stream, maker = Stream(), FindingsMaker(DecisionSettings())
    for number in range(40):
        assert maker.update(stream.show(stream.picture(36.8, size=8.0)), number / 9.0) == []
    assert maker.ended(stream.screener.finish()) == []


def test_a_higher_sensitivity_flags_more() -> None:
    eager = Stream(decision=DecisionSettings(sensitivity_shift=1.5))
    assert eager.play(37.2, 14).persons[0].stage is Stage.SECOND_LOOK
    assert Stream().play(37.2, 14).persons[0].stage is Stage.CLEAR


def test_pictures_for_people_are_upright_and_show_the_reading() -> None:
    stream = Stream()
    result = stream.play(37.0, 14)
    celsius = stream.picture(37.0)
    overlay, turned = draw_overlay(celsius, result, 0), draw_overlay(celsius, result, 1)
    assert overlay.shape == (480, 640 + 56, 3)
    assert turned.shape == (640, 480 + 56, 3)
    evidence = draw_evidence(celsius, result.persons[0], result, 0)
    assert evidence.shape[1] < overlay.shape[1]
    hidden = replace(result.persons[0], reason="blurred")
    assert not np.array_equal(evidence, draw_evidence(celsius, hidden, result, 0))


def test_settings_of_the_reference_move_the_reading_with_it() -> None:
    warmer = Stream(reference=ReferenceSettings(celsius=38.0)).play(36.0, 14).persons[0]
    assert warmer.core_celsius == pytest.approx(Stream().play(36.0, 14).persons[0].core_celsius + 1.0, abs=0.15)


def pass_by(stream: Stream, core: float, stated_error: float = 0.0) -> FrameResult:
    """One person for a second and a half, and then nobody for eight; the reference is colder than stated by so much."""
    for _ in range(14):
        last = stream.show(with_reference_off(stream.picture(core), stated_error))
    gone = stream.picture(None)
    stream.number += 60
    for _ in range(20):
        stream.show(with_reference_off(gone + np.float32(0.01 * (stream.number % 2)), stated_error))
    return last


def with_reference_off(picture: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    return with_disc(picture, 130, 20, 6, 37.0 - 1.7 - by)


def test_a_reference_of_another_temperature_than_stated_is_named_and_withholds_fever() -> None:
    stream, maker = Stream(), FindingsMaker(DecisionSettings())
    for core in (36.6, 36.9, 36.4, 37.0, 36.7):
        assert pass_by(stream, core, 2.6).persons[0].reason is None, "one or a few people may all have a fever"
    result = pass_by(stream, 36.8, 2.6)
    assert result.reference_shift_c == pytest.approx(2.3, abs=0.5)
    person = result.persons[0]
    assert (person.reason, person.stage) == ("reference_implausible", Stage.CLEAR)
    assert math.isnan(person.core_celsius)
    assert [f.kind for f in maker.update(result, 100.0)] == []
    for core in (36.6, 36.9, 36.4, 37.0, 36.7, 36.5, 36.8):  # the reference is mended
        result = pass_by(stream, core)
    assert result.reference_shift_c == 0.0
    assert result.persons[0].ok


def test_two_fevers_among_five_and_one_person_seen_ten_times_leave_the_reference_alone() -> None:
    watch = Plausibility(0.48, 0.32)
    for number, core in enumerate((36.7, 39.4, 36.9, 39.0, 36.5)):
        watch.add(core, 20.0 * number)
    assert watch.shift_c == 0.0
    split = Plausibility(0.48, 0.32)
    for number in range(10):
        split.add(39.6, 3.0 * number)
    assert split.shift_c == 0.0
