from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.thermal.baseline import MEDIAN_CORE_CELSIUS, PopulationBaseline
from inspection_robot.thermal.core_temperature import DEFAULT_MAPPING
from inspection_robot.thermal.decision import DecisionSettings, FeverAlarm, Stage, fever_probability
from inspection_robot.thermal.faces import Face, overlap, suppress
from inspection_robot.thermal.orientation import OrientationEstimator
from inspection_robot.thermal.quality import QualitySettings, gravest, reason_against
from inspection_robot.thermal.radiometry import (
    PlanckConstants,
    Surroundings,
    object_celsius,
    object_celsius_from_apparent,
    transmission,
)
from inspection_robot.thermal.site import read_site
from inspection_robot.thermal.size_of_source import correct, loss_fraction
from inspection_robot.thermal.tracks import FaceTracker, Track
from tests.thermal.files import room

TEMPERATURES = st.floats(33.0, 41.0)
CAMERA = PlanckConstants(r1=14906.2, r2=0.0106, b=1396.5, f=1.0, o=-6303.0)


def face(x: float, y: float, size: float = 30.0, roll: float = 0.0, **attributes: float) -> Face:
    """An upright or turned face with its canthi and mouth where they belong."""
    along, across = np.array([math.sin(roll), math.cos(roll)]), np.array([math.cos(roll), -math.sin(roll)])
    centre = np.array([x + size / 2, y + size / 2])
    points = [centre - 0.12 * size * along + side * 0.13 * size * across for side in (-1, 1)]
    points.append(centre + 0.25 * size * along)
    values = {"score": 0.9, "frontal": 0.9, "glasses": 0.1, "covered": 0.1, **attributes}
    return Face(
        x,
        y,
        size,
        size,
        values["score"],
        np.array(points, np.float32),
        roll,
        values["frontal"],
        values["glasses"],
        values["covered"],
    )


@pytest.mark.parametrize("roll", [0.0, math.pi / 2, math.pi, -math.pi / 2])
def test_sites_are_read_whichever_way_up_and_the_mouth_is_left_out(roll: float) -> None:
    target = face(60, 40, roll=roll)
    picture = room()
    picture[40:70, 60:90] = 33.0
    (right_x, right_y), (left_x, left_y), (mouth_x, mouth_y) = np.rint(target.points).astype(int)
    picture[right_y, right_x], picture[left_y, left_x], picture[mouth_y, mouth_x] = 35.5, 35.1, 38.0
    site = read_site(picture, target)
    assert site is not None
    assert site.right_canthus <= site.face < 36.0
    assert site.left_canthus == pytest.approx(35.1, abs=0.01)
    assert site.surroundings == pytest.approx(22.0, abs=1.0)


def test_a_face_outside_the_picture_is_not_read() -> None:
    assert read_site(room(), face(200, 10)) is None


def test_gates_name_the_reason() -> None:
    picture = room()
    picture[40:70, 60:90] = 33.0
    site = read_site(picture, face(60, 40))
    assert site is not None
    limits = QualitySettings()

    def reason(target: Face, speed: float = 0.0, highest: float = 140.0) -> str | None:
        return reason_against(target, site, speed, (120, 160), highest, limits)

    assert reason(face(60, 40)) is None
    assert reason(face(60, 40, 8)) == "too_far"
    assert reason(face(60, 40, 16)) == "few_pixels"
    assert reason(replace(face(60, 40, 34), width=14.0)) == "turned_away", "a head in profile is narrow, not far"
    assert reason(face(0, 40)) == "occluded"
    assert reason(face(60, 40, frontal=0.2)) == "turned_away"
    assert reason(face(60, 40, glasses=0.9, covered=0.9)) == "glasses"
    masked = picture.copy()
    masked[55:70, 60:90] = 27.0
    cloth = read_site(masked, face(60, 40))
    assert cloth is not None
    assert reason_against(face(60, 40, glasses=0.9), cloth, 0.0, (120, 160), 140.0, limits) == "glasses"
    assert reason_against(face(60, 40), cloth, 0.0, (120, 160), 140.0, limits) is None, "a mask alone leaves the canthi"
    assert reason(face(60, 40), speed=10.0) == "blurred"
    assert reason(face(60, 40), highest=30.0) == "saturated"
    assert gravest({"blurred": 2, "turned_away": 5}) == "turned_away"
    assert gravest({"blurred": 2, "ffc": 2}) == "ffc"


@settings(deadline=None)
@given(first=TEMPERATURES, second=TEMPERATURES, ambient=st.floats(10, 35))
def test_the_mapping_is_monotone_and_never_pulls_to_normal(first: float, second: float, ambient: float) -> None:
    cores = DEFAULT_MAPPING.core(np.array([first, second]), ambient)
    assert cores[1] - cores[0] == pytest.approx(second - first, abs=1e-9)
    assert DEFAULT_MAPPING.site(float(cores[0]), ambient) == pytest.approx(first, abs=1e-9)


def test_an_unknown_ambient_counts_as_a_room() -> None:
    assert DEFAULT_MAPPING.core(35.0, math.nan) == DEFAULT_MAPPING.core(35.0, 24.0)
    assert DEFAULT_MAPPING.core(35.0, 20.0) > DEFAULT_MAPPING.core(35.0, 28.0)


def test_small_faces_are_corrected_upwards_by_what_was_measured() -> None:
    assert loss_fraction(14.0) * 12.0 == pytest.approx(1.1)
    assert loss_fraction(5.25) * 12.0 == pytest.approx(2.1, abs=0.02)
    near, far = correct(34.0, 22.0, 60.0), correct(34.0, 22.0, 20.0)
    assert 0 < near.correction_c < far.correction_c
    assert near.standard_uncertainty_c < far.standard_uncertainty_c
    assert correct(22.0, 22.0, 20.0).correction_c == 0.0


@settings(deadline=None)
@given(
    celsius=st.floats(-10.0, 120.0),
    emissivity=st.floats(0.7, 1.0),
    distance=st.floats(0.1, 30.0),
    reflected=st.floats(0.0, 40.0),
)
def test_radiometry_inverts_what_a_camera_sees(
    celsius: float, emissivity: float, distance: float, reflected: float
) -> None:
    surroundings = Surroundings(emissivity=emissivity, distance_m=distance, reflected_celsius=reflected)
    half = transmission(Surroundings(distance_m=distance / 2))
    tau = half * half
    signal = (
        emissivity * tau * CAMERA.signal(celsius)
        + (1 - emissivity) * tau * CAMERA.signal(reflected)
        + (1 - tau) * CAMERA.signal(22.0)
    )
    counts = np.array([round(signal)], np.uint16)
    assert object_celsius(counts, CAMERA, surroundings)[0] == pytest.approx(celsius, abs=0.1)


def test_correcting_a_celsius_camera_agrees_with_the_planck_curve() -> None:
    surroundings = Surroundings(emissivity=0.95, reflected_celsius=20.0, atmosphere_celsius=20.0, distance_m=2.0)
    counts = np.array([round(CAMERA.signal(35.0))], np.uint16)
    exact = object_celsius(counts, CAMERA, surroundings)[0]
    assert object_celsius_from_apparent(np.array([35.0]), surroundings)[0] == pytest.approx(exact, abs=0.08)
    assert exact > 35.5


def test_transmission_falls_with_distance_and_humidity() -> None:
    assert transmission(Surroundings(distance_m=0.0)) == pytest.approx(1.0)
    assert transmission(Surroundings(distance_m=1.0)) > transmission(Surroundings(distance_m=20.0)) > 0.8
    dry, wet = (Surroundings(distance_m=20.0, relative_humidity=h) for h in (0.2, 0.9))
    assert transmission(dry) > transmission(wet)


def test_fever_is_asked_for_a_second_look_and_then_alarms() -> None:
    alarm = FeverAlarm(DecisionSettings(second_look_s=1.5))
    assert alarm.update(38.2, 0.35, 0.0) is Stage.SECOND_LOOK
    assert alarm.update(38.2, 0.35, 1.0) is Stage.SECOND_LOOK
    assert alarm.update(38.2, 0.35, 1.6) is Stage.ALARM
    assert alarm.update(37.3, 0.35, 2.0) is Stage.ALARM  # within the hysteresis
    assert alarm.update(37.1, 0.35, 3.0) is Stage.CLEAR


def test_a_first_look_that_does_not_stand_up_is_no_alarm() -> None:
    alarm = FeverAlarm(DecisionSettings())
    assert alarm.update(37.6, 0.35, 0.0) is Stage.SECOND_LOOK
    assert alarm.update(37.2, 0.35, 2.0) is Stage.CLEAR


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(35.0, 40.0), st.floats(0.0, 5.0)), max_size=30))
def test_no_alarm_ever_comes_before_its_second_look(readings: list[tuple[float, float]]) -> None:
    alarm, now, before = FeverAlarm(DecisionSettings()), 0.0, Stage.CLEAR
    for value, wait in readings:
        now += wait
        stage = alarm.update(value, 0.35, now)
        assert not (stage is Stage.ALARM and before is Stage.CLEAR)
        before = stage


def test_sensitivity_is_a_setting() -> None:
    assert FeverAlarm(DecisionSettings(sensitivity_shift=1.0)).update(37.3, 0.35, 0.0) is Stage.SECOND_LOOK
    assert FeverAlarm(DecisionSettings(sensitivity_shift=-1.0)).update(37.6, 0.35, 0.0) is Stage.CLEAR
    assert fever_probability(37.5, 0.35, DecisionSettings()) == pytest.approx(0.5)
    assert fever_probability(38.5, 0.35, DecisionSettings()) > 0.99


def test_the_baseline_waits_for_people_and_ignores_fevers() -> None:
    baseline = PopulationBaseline(least_people=10)
    values = np.random.default_rng(3).normal(35.0, 0.3, 20)
    values[::5] += 2.5
    for value in values[:9]:
        baseline.add(float(value))
    assert baseline.current is None
    for value in values[9:]:
        baseline.add(float(value))
    assert baseline.current is not None
    assert baseline.current.offset_c == pytest.approx(MEDIAN_CORE_CELSIUS - 35.0, abs=0.35)
    assert baseline.current.standard_uncertainty_c >= 0.2


def numbers_of(tracks: list[Track | None]) -> list[int]:
    return [track.number for track in tracks if track is not None]


def test_people_keep_their_number_when_they_cross() -> None:
    tracker = FaceTracker()
    for step in range(30):
        now = step / 9.0
        left, right = face(5 + 4 * step, 40), face(125 - 4 * step, 44, 26)
        # While they cross, only the nearer one is seen.
        visible = [left] if 12 <= step <= 16 else [left, right]
        tracks = tracker.update(visible, [34.0, 32.5][: len(visible)], now)
        if step == 0:
            numbers = numbers_of(tracks)
    assert numbers_of(tracks) == numbers


def test_ten_people_have_ten_numbers_and_a_new_one_gets_a_new_number() -> None:
    tracker = FaceTracker()
    crowd = [face(30 * (n % 5), 60 * (n // 5), 20) for n in range(10)]
    first = numbers_of(tracker.update(crowd, [33.0] * 10, 0.0))
    again = numbers_of(tracker.update(crowd[::-1], [33.0] * 10, 0.1))
    assert sorted(first) == list(range(1, 11))
    assert again == first[::-1]
    assert numbers_of(tracker.update([crowd[0]], [33.0], 10.0)) == [11]


def test_a_weak_face_continues_a_person_and_never_begins_one() -> None:
    tracker = FaceTracker()
    assert tracker.update([face(40, 40, score=0.25)], [33.0], 0.0) == [None]
    assert numbers_of(tracker.update([face(40, 40)], [33.0], 0.1)) == [1]
    assert numbers_of(tracker.update([face(41, 40, score=0.25)], [33.0], 0.2)) == [1]


def test_the_better_of_two_overlapping_faces_is_kept() -> None:
    best, worse, other = face(10, 10), face(13, 11, score=0.5), face(80, 10, score=0.4)
    assert overlap(best, best) == pytest.approx(1.0)
    assert overlap(best, other) == 0.0
    assert suppress([worse, other, best]) == [best, other]


def test_pictures_are_turned_upright_by_the_heads_in_view() -> None:
    estimator = OrientationEstimator()
    assert estimator.update([face(0, 0)]) == 0
    for _ in range(50):
        turns = estimator.update([face(0, 0, roll=math.pi / 2 + 0.2)])
    assert turns == 1
    assert estimator.update([face(0, 0, roll=0.0)]) == 1  # one who bends over turns nobody's picture
    assert OrientationEstimator(3).update([face(0, 0)]) == 3
