"""Onsets, recovery, board health and features on simulated traces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_robot.odor.board_health import BoardStatus, HealthSettings
from inspection_robot.odor.board_track import BoardTrack, TrackSettings, describe
from inspection_robot.odor.drivers import BoardReading
from inspection_robot.odor.features import (
    concentrations_of,
    exposure_features,
    felt_concentration,
    heater_cycle_features,
    signed_log,
    standardise_unit,
    window_feature_names,
    window_features,
)
from inspection_sim.devices.mox_array import CHANNELS, MoxArray, make_unit

WARM = TrackSettings(health=HealthSettings(warm_up_s=0.0, warm_up_rate=np.inf))


class Bench:
    """An array and a track that move together."""

    def __init__(self, unit: int = 4, settings: TrackSettings = WARM) -> None:
        self.array, self.track, self.time_s = MoxArray(make_unit(unit), 9), BoardTrack(settings), 0.0
        self.board, self.channels, self.factor = "MOX 1", CHANNELS, 1.0

    def live(self, seconds: float, air: dict[str, float] | None = None, humidity: float = 0.45) -> list:
        updates = []
        for _ in range(round(seconds * 2)):
            self.array.set_air(air or {}, humidity)
            self.array.advance(0.5)
            self.time_s += 0.5
            values = self.array.resistances_ohm() * self.factor
            reading = BoardReading(self.board, self.channels, values, ("Ohm",) * len(values), 24.0, humidity)
            updates.append(self.track.update(reading, self.time_s))
        return updates


def test_clean_air_with_wandering_humidity_is_no_smell():
    bench = Bench()
    humidities = 0.45 + 0.1 * np.sin(np.arange(1200) / 100.0)
    assert not any(bench.live(0.5, humidity=float(value))[0].output.exposed for value in humidities)


def test_a_smell_begins_within_three_samples_and_ends_after_it_has_gone():
    bench = Bench()
    bench.live(25.0)
    during = bench.live(15.0, {"citrus": 15.0})
    assert any(update.output.began for update in during[:3])
    assert during[-1].exposure is not None
    after = bench.live(30.0)
    assert sum(update.output.ended for update in after) == 1
    assert after[-1].exposure is None


def test_a_second_smell_is_noticed_while_the_sensors_still_come_back_from_the_first():
    bench = Bench()
    bench.live(25.0)
    bench.live(12.0, {"fish": 20.0})
    bench.live(40.0)
    assert any(update.output.began for update in bench.live(4.0, {"citrus": 20.0}))


def test_the_pattern_of_a_smell_does_not_change_with_its_concentration_or_what_was_before():
    patterns = []
    for ppm, before in ((6.0, 0.0), (60.0, 0.0), (30.0, 10.0)):
        bench = Bench()
        bench.live(25.0)
        if before:
            bench.live(12.0, {"fish": before})
            bench.live(60.0)
        exposure = bench.live(10.0, {"citrus": ppm})[-1].exposure
        patterns.append(describe(exposure)[:-1])
    other = Bench()
    other.live(25.0)
    beef = describe(other.live(10.0, {"beef": 30.0})[-1].exposure)[:-1]
    for pattern in patterns[1:]:
        assert np.abs(pattern - patterns[0]).max() < 0.8
        assert np.abs(pattern - beef).max() > 2.0


def test_a_pause_in_the_readings_starts_over_instead_of_inventing_a_smell():
    bench = Bench()
    bench.live(25.0)
    bench.time_s += 60.0
    assert not any(update.output.exposed for update in bench.live(10.0, {"beef": 20.0}))


def test_two_readings_at_one_instant_change_nothing():
    bench = Bench()
    bench.live(25.0, None)
    bench.time_s -= 0.5
    update = bench.live(0.5)[0]
    assert update.output.settled and not update.output.exposed


def test_a_board_that_warms_up_reports_no_smell():
    bench = Bench(settings=TrackSettings(health=HealthSettings(warm_up_s=120.0)))
    bench.live(25.0)
    updates = bench.live(10.0, {"beef": 30.0})
    assert {update.health.status for update in updates} == {BoardStatus.WARMING_UP}
    assert all(update.exposure is None for update in updates)


def test_a_stuck_channel_is_named():
    bench = Bench()
    bench.live(5.0)
    bench.array.stick("TGS2611", True)
    last = bench.live(16.0)[-1].health
    assert (last.status, last.channels) == (BoardStatus.STUCK, ("TGS2611",))
    bench.array.stick("TGS2611", False)
    assert bench.live(1.0)[-1].health.status is BoardStatus.OK


def test_a_saturated_channel_is_named():
    bench = Bench()
    bench.live(2.0)
    bench.factor = 1e-3
    assert bench.live(2.0)[-1].health.status is BoardStatus.SATURATED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda bench: setattr(bench, "board", "MOX 2"), "exchanged for MOX 2"),
        (lambda bench: setattr(bench, "channels", CHANNELS[::-1]), "another order"),
        (lambda bench: setattr(bench, "channels", (*CHANNELS[:-1], "TGS9")), "channels missing: TGS2620"),
        (lambda bench: setattr(bench, "factor", 1000.0), "other units"),
    ],
)
def test_what_changed_about_the_board_is_named_once_and_no_smell_is_invented(change, words):
    bench = Bench()
    bench.live(25.0)
    change(bench)
    updates = bench.live(5.0)
    assert words in updates[0].change
    assert not any(update.change for update in updates[1:])
    assert not any(update.output.exposed for update in updates)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(InputError):
        BoardTrack().update(BoardReading("b", ("x",), np.array([np.nan]), ("Ohm",)), 0.0)


def test_a_poisoned_channel_is_found_by_the_reference_odors():
    bench = Bench()
    bench.live(2.0)
    expected = np.array([1.0, 1.0, 1.0, 0.02, 1.0, 1.0])
    found = np.array([1.0, 0.2, 0.9, 0.0, 1.0, 1.0])
    bench.track.judge_references(expected, found)
    health = bench.live(0.5)[0].health
    assert (health.status, health.channels) == (BoardStatus.POISONED, ("TGS2602",))


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=6))
def test_features_give_back_the_concentrations_they_were_made_of(concentrations):
    response = 0.7 * np.log1p(np.array(concentrations))
    features = exposure_features(np.tile(response, (6, 1)), np.arange(6) * 0.5)
    assert np.allclose(concentrations_of(features), np.maximum(concentrations, 0.004), rtol=1e-6)
    assert np.allclose(felt_concentration(response), concentrations)


def test_too_short_an_exposure_has_no_features():
    with pytest.raises(InputError, match="3 samples"):
        exposure_features(np.ones((3, 2)), np.arange(3) * 0.5)


@settings(max_examples=30)
@given(st.floats(0.5, 20.0), st.floats(-3.0, 3.0))
def test_standardising_takes_gain_and_offset_of_a_unit_away(gain, offset):
    features = np.random.default_rng(1).normal(size=(30, 4))
    assert np.allclose(standardise_unit(features), standardise_unit(gain * features + offset))


def test_window_features_have_their_names_and_know_a_trend():
    ramp = np.linspace(0.0, 1.0, 50)[None, :, None] * np.array([1.0, -1.0])
    features = dict(zip(window_feature_names(("a", "b")), window_features(ramp)[0], strict=True))
    assert features["a.level"] == pytest.approx(0.5)
    assert features["a.trend"] == pytest.approx(0.5)
    assert features["b.trend"] == pytest.approx(-0.5)


def test_heater_cycles_need_positive_resistances_and_signed_log_keeps_signs():
    with pytest.raises(InputError):
        heater_cycle_features(np.array([[1.0, 0.0]]))
    assert signed_log(np.array([-1.0, 0.0, 1.0])) == pytest.approx([-np.log(2), 0.0, np.log(2)])
