from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.people.background import Background
from inspection_robot.people.camera_sightings import Lens
from inspection_robot.ros.transforms import Transform
from inspection_robot.thermal.findings import region_finding
from inspection_robot.thermal.hot_cold import Heat, Region, RegionEvent
from inspection_robot.thermal.placing import Place, PlaceMemory, in_view, place_of, view_of

LENS = Lens.from_field_of_view(160, 120, math.radians(57.0))
HEIGHT_M = 1.36
CELL_M = 0.1


def camera(x: float = 0.0, y: float = 0.0, yaw: float = 0.0, pitch: float = 0.12) -> Transform:
    """The thermal camera on its robot: optical frame (x right, y down, z forward) in `map`, nose down by `pitch`."""
    optical = Transform(np.zeros(3), np.array([-0.5, 0.5, -0.5, 0.5]))
    turn = Transform(np.zeros(3), np.array([0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)]))
    nod = Transform(np.zeros(3), np.array([0.0, math.sin(pitch / 2), 0.0, math.cos(pitch / 2)]))
    looking = turn.compose(nod).compose(optical)
    return Transform(np.array([x, y, HEIGHT_M]), looking.rotation)


def box_of(pose: Transform, low: tuple[float, float, float], high: tuple[float, float, float]) -> tuple[int, ...]:
    """Box in the picture of a thing from `low` to `high` in `map`."""
    corners = np.array([(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    seen = pose.inverse().apply(corners)
    assert (seen[:, 2] > 0).all()
    us, vs = LENS.cx + LENS.fx * seen[:, 0] / seen[:, 2], LENS.cy + LENS.fy * seen[:, 1] / seen[:, 2]
    left, upper = round(us.min() + 0.5), round(vs.min() + 0.5)
    return left, upper, max(round(us.max() + 0.5) - left, 1), max(round(vs.max() + 0.5) - upper, 1)


def hall(*solid: tuple[float, float, float, float]) -> Background:
    """A map of 20 m × 20 m about the origin with solid rectangles (x, y of two corners) [m]."""
    cells = np.zeros((200, 200), np.int8)
    for x0, y0, x1, y1 in solid:
        cells[
            round((y0 + 10) / CELL_M) : round((y1 + 10) / CELL_M), round((x0 + 10) / CELL_M) : round((x1 + 10) / CELL_M)
        ] = 100
    return Background.from_grid(cells, CELL_M, (-10.0, -10.0))


def returns_at(x: float, y: float, width: float = 0.4) -> np.ndarray:
    return np.stack([np.full(9, x), y + np.linspace(-width / 2, width / 2, 9)], axis=1)


def off_by(place: Place, x: float, y: float) -> float:
    """Distance of a place from the truth in its own standard deviations (Mahalanobis)."""
    error = np.array([place.position[0] - x, place.position[1] - y])
    return float(np.sqrt(error @ np.linalg.solve(place.covariance[:2, :2], error)))


def test_a_bag_on_the_floor_is_placed_by_the_floor() -> None:
    pose = camera()
    box = box_of(pose, (2.4, 0.3, 0.0), (2.6, 0.7, 0.4))
    place = place_of(view_of(box, LENS, pose.apply), hall(), None)
    assert place is not None
    assert math.dist(place.position[:2], (2.5, 0.5)) < 0.3
    assert off_by(place, 2.5, 0.5) < 2.0


def test_the_lidar_makes_the_place_of_a_lifted_bag_certain() -> None:
    pose = camera()
    box = box_of(pose, (2.4, -0.2, 0.2), (2.6, 0.2, 0.6))
    view = view_of(box, LENS, pose.apply)
    alone, with_lidar = place_of(view, hall(), None), place_of(view, hall(), returns_at(2.4, 0.0))
    assert alone is not None and with_lidar is not None
    assert math.dist(with_lidar.position[:2], (2.5, 0.0)) < math.dist(alone.position[:2], (2.5, 0.0))
    assert off_by(with_lidar, 2.5, 0.0) < 2.0


def test_a_switchboard_on_a_wall_is_at_the_wall() -> None:
    pose = camera()
    box = box_of(pose, (6.0, -0.2, 1.5), (6.1, 0.2, 1.9))
    walls = hall((6.0, -8.0, 6.2, 8.0))
    place = place_of(view_of(box, LENS, pose.apply), walls, returns_at(6.0, 0.0))
    assert place is not None
    assert abs(place.position[0] - 6.05) < 0.3
    assert place.position[2] == pytest.approx(1.7, abs=0.2)


def test_what_may_stand_here_or_there_is_told_with_a_large_covariance() -> None:
    pose = camera()
    box = box_of(pose, (3.1, -0.1, 0.9), (3.3, 0.1, 1.2))  # on a counter, with a wall far behind it
    counter_and_wall = hall((3.0, -1.0, 3.6, 1.0), (8.0, -9.0, 8.2, 9.0))
    place = place_of(view_of(box, LENS, pose.apply), counter_and_wall, None)
    assert place is not None
    assert math.sqrt(place.covariance[0, 0]) > 0.8
    assert off_by(place, 3.2, 0.0) < 2.0


def test_where_nothing_could_bear_the_thing_its_place_is_unknown() -> None:
    pose = camera(pitch=0.0)
    view = view_of((70, 20, 10, 10), LENS, pose.apply)  # above the horizon in an empty hall
    assert place_of(view, hall(), None) is None
    assert place_of(view, None, None) is None
    assert place_of(view, None, np.full((4, 2), np.nan)) is None


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(-4, 4), y=st.floats(-4, 4), yaw=st.floats(-3, 3), ahead=st.floats(1.6, 5.0), aside=st.floats(-0.3, 0.3),
    lifted=st.floats(0.0, 0.25), size=st.floats(0.2, 0.5), lidar=st.booleans(),
)  # fmt: skip
def test_luggage_anywhere_lies_within_three_standard_deviations(
    x: float, y: float, yaw: float, ahead: float, aside: float, lifted: float, size: float, lidar: bool
) -> None:
    pose = camera(x, y, yaw)
    there = Transform(np.array([x, y, 0.0]), np.array([0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)]))
    truth = there.apply(np.array([[ahead, aside * ahead, lifted + size / 2]]))[0]
    low, high = truth - size / 2, truth + size / 2
    box = box_of(pose, tuple(low), tuple(high))
    front = there.apply(np.array([[ahead - size / 2, aside * ahead, 0.0]]))[:, :2]
    place = place_of(view_of(box, LENS, pose.apply), hall(), front if lidar else None)
    assert place is not None
    assert off_by(place, truth[0], truth[1]) < 3.0
    assert (np.linalg.eigvalsh(place.covariance) > 0).all()


def test_an_all_clear_needs_sight_of_the_place() -> None:
    place = Place((2.5, 0.0, 0.5), np.eye(3) * 0.04, 2.5)
    ahead, beyond = camera(), returns_at(5.0, 0.0)
    assert in_view(place, LENS, (120, 160), ahead, None)
    assert in_view(place, LENS, (120, 160), ahead, beyond)
    assert not in_view(place, LENS, (120, 160), ahead, returns_at(1.0, 0.0)), "somebody stands before it"
    assert not in_view(place, LENS, (120, 160), camera(yaw=math.pi / 2), None)
    assert not in_view(place, LENS, (120, 160), camera(yaw=math.pi), None)
    event = RegionEvent(3, False, Region(Heat.HOT, (10, 10, 5, 5), 80.0, 25.0), "hot_object", 22.0)
    states = [region_finding(event, place, seen).attributes["state"] for seen in (True, False)]
    assert states == ["cleared", "out_of_view"]
    assert region_finding(event, place, True).attributes["distance_m"] == "2.5"
    assert "distance_m" not in region_finding(event, None, True).attributes


def test_what_comes_back_into_view_keeps_its_number_and_what_was_cleared_does_not() -> None:
    def at(x: float) -> Place:
        return Place((x, 0.0, 0.5), np.eye(3) * 0.04, x)

    memory = PlaceMemory()
    assert memory.raised(1, Heat.HOT, at(2.5)) == 1
    assert memory.raised(2, Heat.HOT, at(2.6)) == 2, "both are in view: two things"
    assert memory.ended(1, cleared=False) == 1
    assert memory.raised(3, Heat.COLD, at(2.5)) == 3
    assert memory.raised(4, Heat.HOT, at(6.0)) == 4
    assert memory.raised(5, Heat.HOT, None) == 5
    back = at(2.7)
    assert memory.raised(6, Heat.HOT, back) == 1
    assert memory.place(6) is back
    assert memory.ended(6, cleared=True) == 1
    assert memory.raised(7, Heat.HOT, at(2.5)) == 7
