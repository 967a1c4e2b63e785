from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest

from inspection_robot.model_files import find
from inspection_robot.thermal.faces import MODEL_NAME, FaceDetector, grey_from_celsius, grey_from_picture, overlap
from tests.data import REPOSITORY
from tests.thermal.files import room, with_disc

SEED = 987_654


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(find(MODEL_NAME))


@pytest.fixture(scope="module")
def near_faces() -> list[Any]:
    """Rendered scenes with one whole, near, frontal face each, from a seed that training never used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "models" / "training"))
        renderer = importlib.import_module("thermal_face_scenes").SceneRenderer(SEED)
    scenes = []
    while len(scenes) < 12:
        scene = renderer.render()
        if len(scene.faces) == 1 and scene.faces[0].frontal and min(scene.faces[0].box[2:]) > 24:
            scenes.append(scene)
    return scenes


def hits(detector: FaceDetector, grey: np.ndarray, box: tuple[float, ...]) -> list[Any]:
    """Found faces that overlap a box by half at least."""
    found = detector.detect(grey)
    if not found:
        return []
    truth = type(found[0])(*box, 1.0, np.zeros((3, 2), np.float32), 0.0, 1.0, 0.0, 0.0)
    return [face for face in found if overlap(face, truth) > 0.5]


def test_near_faces_are_found_with_their_canthi_and_their_roll(detector: FaceDetector, near_faces: list[Any]) -> None:
    found, eye_errors, roll_errors = 0, [], []
    for scene in near_faces:
        label = scene.faces[0]
        for face in hits(detector, grey_from_celsius(scene.celsius), label.box)[:1]:
            found += 1
            eye_errors.append(np.abs(face.points[:2] - label.points[:2]).max() / face.across)
            roll_errors.append(abs(math.remainder(face.roll - label.roll, 2 * math.pi)))
    assert found >= 10
    assert np.median(eye_errors) < 0.13  # the search window of the canthi
    assert np.median(roll_errors) < math.radians(15)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_faces_are_found_whichever_way_up(detector: FaceDetector, near_faces: list[Any], turns: int) -> None:
    same = 0
    for scene in near_faces:
        upright = detector.detect(grey_from_celsius(scene.celsius))
        turned = detector.detect(grey_from_celsius(np.ascontiguousarray(np.rot90(scene.celsius, turns))))
        same += bool(upright) == bool(turned)
    assert same >= 10


def test_the_same_face_is_found_in_eight_bits_and_on_a_large_picture(
    detector: FaceDetector, near_faces: list[Any]
) -> None:
    eight_bits = large = 0
    for scene in near_faces:
        x, y, width, height = scene.faces[0].box
        grey = grey_from_celsius(scene.celsius)
        eight_bits += bool(hits(detector, grey_from_picture(np.uint8(grey * 255)), (x, y, width, height)))
        big = np.kron(scene.celsius, np.ones((4, 4), np.float32))
        large += bool(hits(detector, grey_from_celsius(big), (4 * x, 4 * y, 4 * width, 4 * height)))
    assert eight_bits >= 10
    assert large >= 10


def test_an_empty_room_and_a_reference_hold_no_face(detector: FaceDetector) -> None:
    for seed in range(5):
        assert all(f.score < 0.5 for f in detector.detect(grey_from_celsius(room(seed=seed))))
    picture = with_disc(room(), 100, 40, 6, 37.0)
    assert all(f.score < 0.5 for f in detector.detect(grey_from_celsius(picture)))


def test_the_model_is_small() -> None:
    assert find(MODEL_NAME).stat().st_size < 2_000_000
