"""Where a smell comes from: the filter, the tracks, and the surge-cast search, on the simulator's filament plume."""

import itertools

import numpy as np
import pytest

from inspection_robot.odor import localization, surge_cast
from inspection_robot.odor.localization import Whiff
from inspection_robot.odor.source_search import SourceSearch, TrackHistory
from inspection_robot.odor.surge_cast import Phase
from inspection_sim.fields.odor import Plume, concentration_ppm, step

SOURCE = np.array([0.0, 0.8])
WIND = np.array([0.0, -0.15])


def plume_after(seconds: float, seed: int = 1) -> Plume:
    generator = np.random.default_rng(seed)
    plume = Plume.empty()
    for _ in range(round(seconds * 10)):
        plume = step(
            plume, np.array([[*SOURCE, 0.4]]), np.array([400.0]), WIND, lambda p: np.zeros(len(p), bool), generator
        )
    return plume


def whiffs_along_a_pass(plume: Plume) -> list[Whiff]:
    places = np.linspace(-3.0, 3.0, 60)
    smelt = [concentration_ppm(plume, np.array([x, -0.2, 0.45]), 1)[0] > 1.0 for x in places]
    return [
        Whiff(0.5 * number, np.array([x, -0.2]), bool(found))
        for number, (x, found) in enumerate(zip(places, smelt, strict=True))
    ]


def test_a_pass_through_the_plume_puts_the_source_upwind_of_the_whiffs():
    whiffs = whiffs_along_a_pass(plume_after(30.0))
    assert any(whiff.smelt for whiff in whiffs)
    generator = np.random.default_rng(2)
    first = next(whiff for whiff in whiffs if whiff.smelt)
    particles = localization.start(first.nose, WIND, generator)
    before = localization.estimate(particles)
    for whiff in whiffs:
        particles = localization.update(particles, whiff.nose, whiff.smelt, generator)
    after = localization.estimate(particles)
    assert particles.weight.sum() == pytest.approx(1.0)
    assert np.trace(after.covariance) < 0.3 * np.trace(before.covariance)
    assert abs(after.place[0] - SOURCE[0]) < 0.6
    assert after.place[1] > -0.3


def test_the_bag_at_the_source_carries_the_smell_and_the_one_beside_it_does_not():
    whiffs = whiffs_along_a_pass(plume_after(30.0))
    span = np.array([0.0, 60.0])
    tracks = {
        "bag": (span, np.stack([SOURCE, SOURCE])),
        "decoy": (span, np.stack([SOURCE + np.array([2.5, 0.0])] * 2)),
        "seen once": (span[:0], np.empty((0, 2))),
    }
    shares = localization.carriers(whiffs, tracks, WIND)
    assert set(shares) == {"bag", "decoy"}
    assert shares["bag"] > 0.9 > 0.05 > shares["decoy"]


def test_without_a_whiff_nobody_carries_anything_for_sure():
    clean = [Whiff(float(number), np.array([float(number), 0.0]), False) for number in range(5)]
    shares = localization.carriers(clean, {"far": (np.array([0.0, 9.0]), np.full((2, 2), 50.0))}, WIND)
    assert shares["far"] < 0.75


def test_a_sensor_in_falling_air_is_known_to_stand_in_clean_air():
    time_s = np.arange(0.0, 40.0, 0.5)
    felt = np.where(time_s < 10.0, 5.0 * (1 - np.exp(-time_s / 3.0)), 0.0)
    felt[time_s >= 10.0] = felt[time_s < 10.0][-1] * np.exp(-(time_s[time_s >= 10.0] - 9.5) / 16.0)
    air = localization.air_concentration(0.7 * np.log1p(felt), 0.5)
    assert air[5:18] == pytest.approx(5.0, rel=0.1)
    assert air[23:].max() < 0.1


def test_the_map_layer_holds_the_probability_of_the_cells():
    particles = localization.Particles(
        np.array([[0.1, 0.1], [0.6, 0.1], [9.0, 9.0]]), np.zeros((3, 2)), np.ones(3), np.array([0.5, 0.3, 0.2])
    )
    assert localization.grid(particles, np.zeros(2), 0.5, (1, 2)).tolist() == [[0.5, 0.3]]


def test_the_search_surges_upwind_casts_wider_and_wider_and_gives_up():
    here = np.zeros(2)
    state = surge_cast.begin(here, WIND)
    assert state.phase is Phase.SURGE
    assert state.goal == pytest.approx([0.0, 0.6])
    state = surge_cast.advance(state, state.goal, True, WIND)
    assert state.goal == pytest.approx([0.0, 1.2])
    on_the_way = surge_cast.advance(state, np.array([0.0, 0.8]), False, WIND)
    assert on_the_way is state
    sides, widths = [], []
    for _ in range(10):
        state = surge_cast.advance(state, state.goal, False, WIND)
        if state.phase is Phase.LOST:
            break
        sides.append(np.sign(state.goal[0]))
        widths.append(abs(state.goal[0]))
    assert state.phase is Phase.LOST
    assert all(a == -b for a, b in itertools.pairwise(sides))
    assert widths == sorted(widths)


def test_a_search_remembers_the_clean_air_before_the_first_whiff_and_forgets_the_source_afterwards():
    search = SourceSearch(seed=1)
    quiet = np.zeros(6)
    for number in range(10):
        search.observe(0.5 * number, np.array([0.1 * number - 1.0, 0.0]), quiet, False, 0.5, WIND)
    assert search.estimate() is None and search.waypoint() is None
    for number in range(10, 16):
        response = np.full(6, 0.2 * (number - 9))
        search.observe(0.5 * number, np.array([0.1 * number - 1.0, 0.0]), response, True, 0.5, WIND)
    estimate = search.estimate()
    assert estimate is not None and np.isfinite(estimate.place).all()
    origin, cells = search.layer(estimate, 0.25, 64)
    assert cells.shape == (64, 64) and cells.max() == 100
    assert np.all(origin < estimate.place)
    search.reset()
    assert search.estimate() is None


def test_tracks_not_seen_for_a_minute_are_forgotten():
    history = TrackHistory(span_s=60.0)
    history.add(0.0, {"a": (0.0, 0.0), "b": (1.0, 1.0)})
    history.add(30.0, {"b": (2.0, 1.0)})
    history.add(70.0, {})
    times, places = history.arrays()["b"]
    assert set(history.arrays()) == {"b"}
    assert (times.tolist(), places.tolist()) == ([0.0, 30.0], [[1.0, 1.0], [2.0, 1.0]])
