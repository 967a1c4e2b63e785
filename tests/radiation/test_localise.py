"""Localisation, carriers, field map, detectability."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.radiation.attenuation import MATERIALS, linear_attenuation_per_m, mass_attenuation_cm2_g
from inspection_robot.radiation.carrier import find_carrier
from inspection_robot.radiation.count_watch import WatchParameters
from inspection_robot.radiation.detectability import cps_per_mbq_1m, detectable_activity_mbq
from inspection_robot.radiation.field_map import FieldGrid, FieldMap
from inspection_robot.radiation.localise import LocaliseParameters, Measurements, kernels, localise, next_viewpoint
from inspection_robot.radiation.source_fit import background_log_likelihood, fit_sources
from inspection_robot.radiation.walls import Walls, no_walls

BACKGROUND_CPS = 6.4
AREA = (0.0, 0.0, 12.0, 12.0)
PARAMETERS = LocaliseParameters()


def lanes(step_m: float = 0.5) -> np.ndarray:
    rows = [np.column_stack([np.arange(0.5, 11.6, step_m), np.full(23, y)]) for y in (1.0, 4.0, 7.0, 10.0)]
    return np.concatenate(rows)


def measure(sources: list[tuple[float, float, float]], walls: Walls, seed: int = 1) -> Measurements:
    path = lanes()
    data = Measurements(path, np.zeros(len(path)), np.ones(len(path)))
    expected = BACKGROUND_CPS * data.live_s
    for x, y, activity in sources:
        expected = expected + activity * kernels(np.array([[x, y]]), data, walls, PARAMETERS)[0]
    return Measurements(path, np.random.default_rng(seed).poisson(expected).astype(float), data.live_s)


def wall_at(x_m: float) -> Walls:
    solid = np.zeros((120, 120), bool)
    solid[:, round(x_m * 10) : round(x_m * 10) + 3] = True
    return Walls(solid, 0.1, (0.0, 0.0))


def test_background_alone_has_no_source() -> None:
    assert localise(measure([], no_walls()), no_walls(), AREA) == []


@pytest.mark.parametrize("place", [(3.2, 5.5), (8.7, 2.4), (6.0, 8.6)])
def test_one_source_is_found_with_its_activity(place: tuple[float, float]) -> None:
    (source,) = localise(measure([(*place, 10.0)], no_walls()), no_walls(), AREA)
    error = np.array(source.position_m) - place
    assert np.hypot(*error) < 0.5
    assert source.activity_mbq == pytest.approx(10.0, rel=0.3)
    # The covariance is honest: the error lies within four standard deviations.
    assert error @ np.linalg.solve(source.covariance_m2, error) < 16.0


def test_two_sources_are_found_apart() -> None:
    found = localise(measure([(2.5, 2.5, 15.0), (9.0, 8.5, 15.0)], no_walls()), no_walls(), AREA)
    places = sorted(source.position_m for source in found)
    assert len(places) == 2
    assert places[0] == pytest.approx((2.5, 2.5), abs=0.6)
    assert places[1] == pytest.approx((9.0, 8.5), abs=0.6)


def test_a_source_behind_a_wall_is_found_because_the_wall_is_known() -> None:
    walls = wall_at(6.0)
    data = measure([(6.8, 5.5, 40.0)], walls)
    (source,) = localise(data, walls, AREA)
    assert np.hypot(*(np.array(source.position_m) - (6.8, 5.5))) < 0.7
    assert source.activity_mbq == pytest.approx(40.0, rel=0.35)


def test_the_next_viewpoint_is_free_and_keeps_its_distance() -> None:
    walls = wall_at(6.0)
    (source,) = localise(measure([(3.2, 5.5, 10.0)], walls), walls, AREA)
    grid = np.stack(np.meshgrid(np.arange(0.5, 12.0), np.arange(0.5, 12.0)), axis=-1).reshape(-1, 2)
    place = next_viewpoint(source, BACKGROUND_CPS, walls, grid, PARAMETERS)
    assert place is not None
    assert walls.is_free(np.array([place]))[0]
    distance = math.hypot(place[0] - source.position_m[0], place[1] - source.position_m[1])
    assert PARAMETERS.standoff_m <= distance < 4.0
    nowhere = np.array([source.position_m])
    assert next_viewpoint(source, BACKGROUND_CPS, walls, nowhere, PARAMETERS) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 500))
def test_the_fit_never_leaves_the_physical(seed: int, level: int) -> None:
    random = np.random.default_rng(seed)
    counts = random.poisson(level, 20).astype(float)
    result = fit_sources(counts, np.ones(20), random.random((5, 20)) * 10.0)
    assert np.all(np.isfinite(result.log_likelihood))
    assert np.all(result.activity_mbq >= 0.0)
    assert np.all(result.background_cps >= 0.0)
    assert result.log_likelihood.max() >= background_log_likelihood(counts, np.ones(20)) - 1e-3 * (1.0 + counts.sum())


class TestCarrier:
    """A standing robot, two people: one walks past with a source, one stands."""

    seconds = np.arange(40.0)
    robot = np.zeros((40, 2))
    walker = np.column_stack([-8.0 + 0.4 * seconds, np.full(40, 1.5)])
    bystander = np.tile([2.0, 2.0], (40, 1))
    places = np.stack(np.meshgrid(np.arange(-6.0, 6.1, 0.5), np.arange(-6.0, 6.1, 0.5)), axis=-1).reshape(-1, 2)

    def counts(self, path: np.ndarray, activity_mbq: float, seed: int = 1) -> Measurements:
        squared = (path**2).sum(axis=1) + PARAMETERS.height_difference_m**2
        expected = BACKGROUND_CPS + activity_mbq * PARAMETERS.cps_per_mbq_1m / squared
        random = np.random.default_rng(seed)
        return Measurements(self.robot, random.poisson(expected).astype(float), np.ones(40))

    def test_a_source_that_moves_with_a_person_is_theirs(self) -> None:
        data = self.counts(self.walker, 30.0)
        tracks = {"walker": self.walker, "bystander": self.bystander}
        carrier = find_carrier(data, tracks, self.places, no_walls(), PARAMETERS)
        assert (carrier.track, carrier.moves_with_track) == ("walker", True)
        assert carrier.log_odds > 4.0

    def test_a_source_that_stays_is_not_the_walkers(self) -> None:
        robot = np.column_stack([-8.0 + 0.4 * self.seconds, np.zeros(40)])
        squared = ((robot - [1.0, 1.5]) ** 2).sum(axis=1) + PARAMETERS.height_difference_m**2
        counts = np.random.default_rng(2).poisson(BACKGROUND_CPS + 30.0 * PARAMETERS.cps_per_mbq_1m / squared)
        data = Measurements(robot, counts.astype(float), np.ones(40))
        walker = np.column_stack([8.0 - 0.4 * self.seconds, np.full(40, 1.5)])
        carrier = find_carrier(data, {"walker": walker}, self.places, no_walls(), PARAMETERS)
        assert (carrier.track, carrier.moves_with_track) == ("", False)

    def test_a_standing_robot_without_tracks_cannot_tell(self) -> None:
        wobble = np.random.default_rng(4).normal(0.0, 0.03, (40, 2))
        data = self.counts(self.walker, 30.0)
        standing = Measurements(self.robot + wobble, data.counts, data.live_s)
        carrier = find_carrier(standing, {}, self.places, no_walls(), PARAMETERS)
        assert (carrier.track, carrier.moves_with_track) == ("", None)

    def test_background_is_nobodys(self) -> None:
        data = self.counts(self.walker, 0.0)
        carrier = find_carrier(data, {"walker": self.walker}, self.places, no_walls(), PARAMETERS)
        assert (carrier.track, carrier.moves_with_track) == ("", None)

    def test_a_track_hardly_seen_is_no_carrier(self) -> None:
        path = self.walker.copy()
        path[10:] = np.nan
        carrier = find_carrier(self.counts(self.walker, 30.0), {"walker": path}, self.places, no_walls(), PARAMETERS)
        assert carrier.track == ""


def test_lengths_in_walls_are_those_of_geometry() -> None:
    walls = wall_at(6.0)
    ends = np.array([[10.0, 5.0], [2.0, 9.0], [10.0, 8.0]])
    lengths = walls.lengths_m(np.array([[4.0, 5.0]]), ends)
    assert lengths[0] == pytest.approx([0.3, 0.0, 0.3 * math.hypot(6.0, 3.0) / 6.0], abs=0.1)  # a cell
    assert walls.lengths_m(np.array([[4.0, 5.0]]), ends, reach_m=1.0).max() == 0.0


@pytest.mark.parametrize("material", MATERIALS)
def test_attenuation_falls_with_energy_above_the_edges(material: str) -> None:
    values = mass_attenuation_cm2_g(material, np.array([100.0, 300.0, 662.0, 1332.0, 2614.0]))
    assert np.all(np.diff(values) < 0.0)
    assert linear_attenuation_per_m("lead", 662.0) == pytest.approx(125.0, rel=0.05)  # half-value layer 5.5 mm


def test_the_field_map_shows_the_source_and_leaves_the_rest_unknown() -> None:
    field = FieldMap(FieldGrid(0.5, (0.0, 0.0), 24, 24))
    data = measure([(3.2, 4.4, 30.0)], no_walls())
    for (x, y), counts in zip(data.positions_m, data.counts, strict=True):
        field.add(x, y, int(counts), 1.0)
    cells = field.cells(BACKGROUND_CPS)
    row, column = np.unravel_index(np.nanargmax(field.rates_cps()), cells.shape)
    assert cells.max() == 100
    assert ((column + 0.5) * 0.5, (row + 0.5) * 0.5) == pytest.approx((3.2, 4.2), abs=1.0)
    assert cells.min() == -1
    assert np.all(field.cells(math.nan) == -1)
    field.add(500.0, 500.0, 10, 1.0)  # outside: nothing happens
    assert np.array_equal(field.cells(BACKGROUND_CPS), cells)


def test_slower_and_nearer_sees_less_activity() -> None:
    def detectable(speed: float, distance: float) -> float:
        return detectable_activity_mbq(1920, 300.0, speed, distance, 2.4, WatchParameters())

    assert detectable(0.2, 1.0) < detectable(0.5, 1.0) < detectable(1.5, 1.0)
    assert detectable(0.5, 1.0) < detectable(0.5, 2.0)
    assert math.isnan(detectable_activity_mbq(10, 2.0, 0.5, 1.0, 2.4, WatchParameters()))
    # About 3.6 MBq at 0.5 m/s and 1 m over 6.4 counts a second (design page), within a factor of two.
    assert 1.8 < detectable(0.5, 1.0) < 7.2
    assert cps_per_mbq_1m(30.0) == pytest.approx(2.78, abs=0.01)
