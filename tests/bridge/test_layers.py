from __future__ import annotations

import cv2
import numpy as np
import pytest

from inspection_contract.errors import InputError
from inspection_robot.bridge.layers import LARGEST_SIDE, LayerSchedule, to_layer

CELLS = np.array([[0, 100], [-1, 50], [7, 8]], np.int8)


def test_the_picture_has_north_above_and_keeps_every_value() -> None:
    layer = to_layer("map", CELLS, 0.05, (-1.0, -2.0), 0.0)
    drawn = cv2.imdecode(np.frombuffer(layer.png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert drawn.tolist() == [[7, 8], [255, 50], [0, 100]]
    assert (layer.resolution_m, layer.west_m, layer.south_m) == (0.05, -1.0, -2.0)


@pytest.mark.parametrize(
    ("cells", "resolution", "turn"),
    [
        (np.zeros((0, 0), np.int8), 0.05, 0.0),
        (np.zeros((1, LARGEST_SIDE + 1), np.int8), 0.05, 0.0),
        (CELLS, 0.0, 0.0),
        (CELLS, float("nan"), 0.0),
        (CELLS, 0.05, 0.3),
    ],
)
def test_a_grid_that_cannot_be_drawn_is_refused(cells: np.ndarray, resolution: float, turn: float) -> None:  # type: ignore[type-arg]  # any shape
    with pytest.raises(InputError):
        to_layer("map", cells, resolution, (0.0, 0.0), turn)


def test_only_changes_go_out_and_the_same_again_after_a_while() -> None:
    schedule = LayerSchedule(period_s=5.0, again_s=300.0)
    layer = to_layer("map", CELLS, 0.05, (0.0, 0.0), 0.0)
    moved = to_layer("map", CELLS, 0.05, (1.0, 0.0), 0.0)
    assert schedule.due("map", 0.0)
    assert schedule.news(layer, 0.0)
    schedule.sent(layer, 0.0)
    assert not schedule.due("map", 4.0)
    assert schedule.due("map", 5.0)
    assert not schedule.news(layer, 5.0)
    assert schedule.news(moved, 10.0)
    assert schedule.news(layer, 301.0)


def test_a_layer_that_did_not_get_through_is_news_again() -> None:
    schedule = LayerSchedule(period_s=5.0, again_s=300.0)
    layer = to_layer("map", CELLS, 0.05, (0.0, 0.0), 0.0)
    assert schedule.news(layer, 0.0)
    assert schedule.due("map", 5.0)
    assert schedule.news(layer, 5.0)
