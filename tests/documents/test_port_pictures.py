from __future__ import annotations

import cv2
import numpy as np
import pytest

from inspection_robot.documents.cargo_line import CargoLine
from inspection_robot.documents.draught import DraughtError, Mark, read_draught

PX_PER_M = 200.0


def hull(draught_m: float, wave_px: float = 0.0, seed: int = 0, contrast: int = 90) -> np.ndarray:
    """A hull with marks every 20 cm; 8.0 m stands at row 100; the water begins at the draught."""
    rng = np.random.default_rng(seed)
    painted = np.full((500, 300), 60 + contrast, np.uint8)
    for step in range(8):
        row = int(100 + step * 0.2 * PX_PER_M)
        cv2.putText(painted, str((8 - step) % 10), (135, row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 240, 2)
    picture, columns = painted.astype(np.float64), np.arange(300)
    surface = (
        100
        + (8.0 - draught_m) * PX_PER_M
        + wave_px * np.sin(columns / 17.0 + rng.uniform(0, 6))
        + rng.normal(0, wave_px / 2)
    )
    picture[np.arange(500)[:, None] > surface[None, :]] = 60
    return np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


MARKS = (Mark(150, 100, 8.0), Mark(150, 180, 7.6))


@pytest.mark.parametrize("draught", [6.6, 7.0, 7.37])
def test_the_draught_is_right_within_its_uncertainty(draught: float) -> None:
    reading = read_draught([hull(draught, wave_px=6.0, seed=n) for n in range(12)], MARKS)
    assert abs(reading.draught_m - draught) < 3 * reading.uncertainty_m
    assert reading.uncertainty_m < 0.05
    assert reading.frames == 12


def test_waves_make_a_reading_less_certain() -> None:
    calm = read_draught([hull(7.0, 0.0, n) for n in range(6)], MARKS)
    rough = read_draught([hull(7.0, 25.0, n) for n in range(6)], MARKS)
    assert rough.uncertainty_m > calm.uncertainty_m


@pytest.mark.parametrize(
    ("pictures", "marks"),
    [
        ([], MARKS),
        ([np.full((500, 300), 120, np.uint8)], MARKS),
        ([hull(7.0)], (MARKS[1], MARKS[0])),
        ([hull(7.0)], (Mark(150, 100, 8.0), Mark(150, 104, 7.98))),
        ([hull(7.0)], (Mark(50, 100, 8.0), Mark(250, 180, 7.6))),
        ([np.zeros((60, 60), np.uint8)], MARKS),
    ],
)
def test_without_a_scale_or_a_waterline_there_is_no_reading(
    pictures: list[np.ndarray], marks: tuple[Mark, Mark]
) -> None:
    with pytest.raises(DraughtError):
        read_draught(pictures, marks)


def scene(boxes: list[tuple[int, int]], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    picture = np.full((240, 320), 110, np.float64)
    cv2.rectangle(picture, (0, 200), (320, 240), 80, -1)
    for x, y in boxes:
        cv2.rectangle(picture, (x, y), (x + 50, y + 36), 190, -1)
        cv2.line(picture, (x + 25, y), (x + 25, y + 36), 150, 2)
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def run(paths: list[list[tuple[int, int]]]) -> CargoLine:
    line = CargoLine((160.0, 240.0), (160.0, 0.0))
    for n in range(15):
        line.add(scene([], n), n * 0.1)
    for n, boxes in enumerate(paths):
        line.add(scene(boxes, 100 + n), 1.5 + n * 0.1)
    return line


def test_things_that_cross_are_counted_once_each_with_their_direction() -> None:
    loads = [[(x, 60)] for x in range(-50, 320, 9)]
    back = [[(x, 150)] for x in range(320, -50, -9)]
    line = run([*loads, *loads, *back])
    assert [crossing.number for crossing in line.crossings] == [1, 2, 3]
    directions = [crossing.forward for crossing in line.crossings]
    assert directions[0] == directions[1] != directions[2]
    assert abs(line.net) == 1


def test_two_apart_are_two_and_what_turns_back_before_the_line_is_none() -> None:
    two = run([[(x, 30), (x - 40, 150)] for x in range(-50, 380, 9)])
    assert len(two.crossings) == 2
    there = list(range(-50, 80, 9))
    assert run([[(x, 60)] for x in there + there[::-1]]).crossings == []


def test_a_change_of_light_counts_nothing() -> None:
    line = CargoLine((160.0, 240.0), (160.0, 0.0))
    for n in range(60):
        line.add(np.clip(scene([], n).astype(int) + n // 2, 0, 255).astype(np.uint8), n * 0.1)
    assert line.crossings == []
