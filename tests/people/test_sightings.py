from __future__ import annotations

import numpy as np
import pytest

from inspection_robot.people.background import Background, hidden_behind
from inspection_robot.people.camera_sightings import Lens, sighting_of_face
from inspection_robot.people.scan_clusters import scan_points, sightings_in_scan
from inspection_robot.people.tracking import Kind

STEP = np.deg2rad(0.5)
ANGLES = -np.pi + np.arange(720) * STEP


def scan_of(circles: list[tuple[float, float, float]], walls: float = 8.0) -> np.ndarray:
    """Ranges of a scanner in the middle of a round room of radius `walls` with discs (x, y, radius)."""
    ranges = np.full(720, walls)
    directions = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    for x, y, radius in circles:
        along = directions @ np.array([x, y])
        square = along**2 - (x * x + y * y - radius**2)
        hit = (square > 0) & (along > 0)
        ranges[hit] = np.minimum(ranges[hit], along[hit] - np.sqrt(square[hit]))
    return ranges


def box_side(ranges: np.ndarray, x: float, half_width: float) -> np.ndarray:
    """A flat side facing the scanner at distance x."""
    reach = x / np.maximum(np.cos(ANGLES), 1e-6)
    hit = (np.cos(ANGLES) > 0) & (np.abs(reach * np.sin(ANGLES)) < half_width)
    return np.where(hit, np.minimum(ranges, reach), ranges)


def beyond(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points, axis=1) > 7.5


def see(ranges: np.ndarray) -> list[object]:
    return list(sightings_in_scan(scan_points(ranges, -np.pi, STEP), STEP, lambda p: p, beyond))


def test_two_legs_are_one_person_and_the_room_is_nobody() -> None:
    seen = see(scan_of([(2.0, 0.12, 0.07), (2.0, -0.15, 0.07)]))
    assert len(seen) == 1
    assert seen[0].kind is Kind.PERSON  # type: ignore[attr-defined]
    assert seen[0].position == pytest.approx([2.0, 0.0], abs=0.15)  # type: ignore[attr-defined]
    assert see(scan_of([])) == []


def test_a_body_is_a_person_and_the_flat_side_of_a_case_is_luggage() -> None:
    assert [s.kind for s in see(scan_of([(0.0, 3.0, 0.2)]))] == [Kind.PERSON]  # type: ignore[attr-defined]
    assert [s.kind for s in see(box_side(scan_of([]), 2.0, 0.25))] == [Kind.LUGGAGE]  # type: ignore[attr-defined]


def test_no_return_and_broken_ranges_are_no_points() -> None:
    ranges = np.array([np.inf, np.nan, -1.0, 0.0, 1e9, 2.0])
    points = scan_points(ranges, 0.0, 0.1)
    assert np.isfinite(points[:, 0]).tolist() == [False] * 5 + [True]


def test_a_face_is_placed_along_its_ray_with_more_doubt_along_than_across() -> None:
    lens = Lens.from_field_of_view(160, 120, np.deg2rad(57))

    def to_map(points: np.ndarray) -> np.ndarray:  # camera at (1, 2, 1.4), looking along x
        return np.stack([points[:, 2] + 1.0, 2.0 - points[:, 0], 1.4 - points[:, 1]], axis=1)

    seen = sighting_of_face((74.5, 50, 10, 12), 3.0, lens, to_map, "thermal")
    assert seen is not None
    assert seen.position == pytest.approx([4.0, 2.0], abs=0.05)
    assert seen.covariance[0, 0] > 4 * seen.covariance[1, 1]
    assert sighting_of_face((74.5, 50, 0, 12), 3.0, lens, to_map, "thermal") is None
    unknown = sighting_of_face((74.5, 50, 10, 12), float("nan"), lens, to_map, "thermal")
    assert unknown is not None and unknown.position[0] == pytest.approx(1 + lens.fy * 0.22 / 12, rel=0.05)


def test_cells_of_the_map_and_everything_outside_are_background() -> None:
    cells = np.zeros((20, 30), np.int8)
    cells[:, 0] = 100
    background = Background.from_grid(cells, 0.1, (-1.0, -1.0), margin_m=0.1)
    points = np.array([[-0.95, 0.0], [-0.85, 0.0], [0.5, 0.0], [5.0, 0.0], [0.5, -1.2]])
    assert background.covers(points).tolist() == [True, True, False, True, True]


def test_who_stands_behind_a_column_is_hidden_and_who_stands_before_it_is_not() -> None:
    points = scan_points(scan_of([(3.0, 0.0, 0.5)]), -np.pi, STEP)
    tracks = np.array([[6.0, 0.0], [1.5, 0.0], [0.0, 5.0]])
    assert hidden_behind(tracks, np.zeros(2), points).tolist() == [True, False, False]
