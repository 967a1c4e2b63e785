from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.thermal.camera_state import CameraWatch
from inspection_robot.thermal.frames import ThermalFrame
from inspection_robot.thermal.reference import ReferenceSettings, ReferenceTracker, find_disc
from tests.thermal.files import room, with_disc

SETTINGS = ReferenceSettings(celsius=37.0)


def frame(picture: np.ndarray, number: int, **state: float) -> ThermalFrame:
    return ThermalFrame(picture.astype(np.float32), number / 9.0, **state)


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(12, 147), y=st.floats(12, 107), radius=st.floats(4.0, 8.0), celsius=st.floats(29.5, 42.0),
    ambient=st.floats(12.0, 26.0),
)  # fmt: skip
def test_the_disc_is_found_wherever_it_is_and_however_wrong_the_camera(
    x: float, y: float, radius: float, celsius: float, ambient: float
) -> None:
    disc = find_disc(with_disc(room(celsius=ambient), x, y, radius, celsius), SETTINGS)
    assert disc is not None
    assert math.hypot(disc.x - x, disc.y - y) < 1.0
    assert disc.celsius == pytest.approx(celsius, abs=0.05)


def test_the_disc_is_found_on_a_large_picture() -> None:
    disc = find_disc(with_disc(room(640, 512), 500, 90, 20, 36.0), SETTINGS)
    assert disc is not None
    assert disc.radius == pytest.approx(20, abs=2)


def test_an_uneven_oval_of_a_face_is_no_reference() -> None:
    picture = room()
    ys, xs = np.mgrid[:120, :160]
    face = ((xs - 80) / 7) ** 2 + ((ys - 60) / 9) ** 2 <= 1
    picture[face] = (33 + 0.9 * np.sin(xs / 2.0) + 0.6 * np.cos(ys / 3.0))[face]
    picture[60:, 76:85] = 33.0  # the neck joins it to the body
    assert find_disc(picture, SETTINGS) is None
    assert find_disc(room(), SETTINGS) is None


def test_the_offset_follows_the_drift_and_corrects_it() -> None:
    tracker = ReferenceTracker(SETTINGS)
    for number in range(90):
        state = tracker.update(frame(with_disc(room(seed=number), 100, 20, 6, 35.0 + 0.01 * number / 9), number))
    assert state.usable
    assert state.offset_c == pytest.approx(2.0 - 0.1, abs=0.05)
    assert state.drift_c_per_s == pytest.approx(-0.01, abs=0.02)


def test_a_hidden_reference_keeps_its_last_offset_for_a_moment_and_is_then_lost() -> None:
    tracker = ReferenceTracker(SETTINGS)
    for number in range(20):
        tracker.update(frame(with_disc(room(seed=number), 100, 20, 6, 36.0), number))
    hidden = room(seed=99)
    hidden[:60, 80:130] = 30.0  # somebody stands before it
    just_hidden = tracker.update(frame(hidden, 21))
    assert just_hidden.disc is None
    assert just_hidden.usable
    for number in range(22, 60):
        state = tracker.update(frame(hidden, number))
    assert state.lost
    assert not state.usable
    for number in range(60, 90):
        state = tracker.update(frame(with_disc(room(seed=number), 100, 20, 6, 36.0), number))
    assert state.usable


def test_a_reference_that_boils_over_is_out_of_range_and_not_used() -> None:
    tracker = ReferenceTracker(SETTINGS)
    for number in range(20):
        assert tracker.update(frame(with_disc(room(seed=number), 100, 20, 6, 36.0), number)).usable or number < 4
    state = tracker.update(frame(with_disc(room(seed=21), 100, 20, 6, 55.0), 21))
    assert state.out_of_range
    assert not state.usable
    assert not tracker.update(frame(with_disc(room(seed=22), 100, 20, 6, 36.0), 22)).out_of_range


def test_a_step_of_the_camera_is_not_settled_until_it_is_over() -> None:
    tracker = ReferenceTracker(SETTINGS)
    states = []
    for number in range(100):
        step = 1.2 * min(max((number - 30) / 18, 0.0), 1.0)
        states.append(
            tracker.update(frame(with_disc(room(celsius=22 + step, seed=number), 100, 20, 6, 36.0 + step), number))
        )
    assert states[29].usable
    assert not any(state.settled for state in states[38:48])
    assert states[99].usable
    assert states[99].offset_c == pytest.approx(-0.2, abs=0.05)


def test_a_frozen_stream_is_told_and_repeated_frames_of_a_lepton_are_not() -> None:
    watch = CameraWatch()
    for number in range(27):
        picture = room(seed=number // 3)
        assert watch.update(ThermalFrame(picture, number / 27.0)) is None
    for number in range(27, 90):
        reason = watch.update(ThermalFrame(picture, number / 27.0))
    assert reason == "frozen"
    assert watch.update(ThermalFrame(room(seed=77), 90 / 27.0)) is None


def test_announced_and_unannounced_corrections_blind_the_camera() -> None:
    watch = CameraWatch()
    assert watch.update(frame(room(seed=1), 0, seconds_since_ffc=1.0)) == "ffc"
    assert watch.update(frame(room(seed=2), 1, seconds_since_ffc=60.0)) is None
    assert watch.update(frame(room(seed=3) + 0.6, 2)) == "ffc"
    assert watch.update(frame(room(seed=4) + 0.6, 3)) == "ffc"
    assert watch.update(frame(room(seed=5) + 0.6, 40)) is None


def test_a_person_walking_in_is_no_correction() -> None:
    watch = CameraWatch()
    watch.update(frame(room(seed=1), 0))
    picture = room(seed=2)
    picture[:, :60] = 33.0
    assert watch.update(frame(picture, 1)) is None
