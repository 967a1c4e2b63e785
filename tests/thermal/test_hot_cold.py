from __future__ import annotations

import numpy as np
import pytest

from inspection_robot.thermal.calibration import faults, judge_stability, judge_sweep
from inspection_robot.thermal.hot_cold import Heat, HotColdSettings, HotColdWatch, find_regions
from tests.thermal.files import room

SETTINGS = HotColdSettings()


def scene(celsius: float, ambient: float = 22.0, x: int = 40) -> np.ndarray:
    picture = room(celsius=ambient)
    picture[50:60, x : x + 12] = celsius
    return picture


def play(pictures: list[np.ndarray], ambient: float = 22.0, ignore: np.ndarray | None = None) -> list:
    watch = HotColdWatch(SETTINGS)
    return [event for n, picture in enumerate(pictures) for event in watch.update(picture, ambient, ignore, n / 9.0)]


def test_a_hot_thing_is_told_once_it_has_persisted_and_cleared_when_it_is_gone() -> None:
    events = play([scene(80.0)] * 40 + [room()] * 60)
    assert [(e.region.heat, e.raised, e.cause) for e in events] == [
        (Heat.HOT, True, "hot_object"), (Heat.HOT, False, "hot_object"),
    ]  # fmt: skip
    assert events[0].number == events[1].number
    assert events[0].region.celsius > 80.0  # emissivity below one


def test_a_flash_is_not_told() -> None:
    assert play([room()] * 5 + [scene(80.0)] * 5 + [room()] * 30) == []


def test_people_are_neither_hot_nor_cold_in_any_room() -> None:
    for ambient in (5.0, 15.0, 22.0, 33.0):
        assert play([scene(37.5, ambient)] * 40, ambient) == []


@pytest.mark.parametrize(("celsius", "cause"), [(-15.0, "frozen"), (4.0, "chilled")])
def test_cold_goods_are_told_with_their_kind(celsius: float, cause: str) -> None:
    events = play([scene(celsius)] * 40)
    assert [(e.region.heat, e.cause) for e in events] == [(Heat.COLD, cause)]


def test_a_warm_device_is_told_by_the_relative_rule_in_a_cool_room_only() -> None:
    assert len(play([scene(48.0, 20.0)] * 40, 20.0)) == 1
    assert play([scene(48.0, 33.0)] * 40, 33.0) == []
    assert play([scene(48.0)] * 40, float("nan")) == []


def test_what_gets_hotter_and_what_burns_is_said() -> None:
    rising = [scene(50.0 + n * 0.5) for n in range(60)]
    assert play(rising)[0].cause == "heating_up"
    assert play([scene(220.0)] * 40)[0].cause == "fire"


def test_masked_places_and_specks_are_not_told() -> None:
    ignore = np.zeros((120, 160), bool)
    ignore[45:65, 35:60] = True
    assert play([scene(80.0)] * 40, ignore=ignore) == []
    speck = room()
    speck[10:12, 10:12] = 90.0
    assert play([speck] * 40) == []


def test_a_value_that_flickers_about_the_limit_is_one_warning() -> None:
    limit = SETTINGS.limit(Heat.HOT, 22.0)
    flicker = [scene(limit + 0.5 + (-0.7 if n % 2 and n > 20 else 0.5)) for n in range(80)]
    assert len(play(flicker)) == 1


def test_regions_of_two_things_are_two() -> None:
    picture = scene(80.0)
    picture[90:100, 100:110] = 70.0
    assert len(find_regions(picture, 22.0, None, SETTINGS)) == 2


def test_a_linear_sweep_passes_and_one_pulled_to_normal_does_not() -> None:
    true = np.arange(35.0, 40.5, 0.5)
    good = judge_sweep(true, true + 1.7)
    assert good.slope == pytest.approx(1.0)
    assert good.offset_c == pytest.approx(1.7)
    assert faults(good, None) == []
    pulled = judge_sweep(true, 36.8 + 0.6 * (true - 36.8))
    assert faults(pulled, None) == ["slope", "error"]
    with pytest.raises(ValueError, match="three points"):
        judge_sweep(true[:2], true[:2])


def test_drift_noise_and_a_hidden_reference_are_told_apart() -> None:
    random = np.random.default_rng(0)
    t = np.arange(0, 120, 1 / 9)
    steady = 35.0 + random.normal(0, 0.03, t.size)
    assert faults(None, judge_stability(t, steady)) == []
    assert faults(None, judge_stability(t, steady + t * 0.5 / 60)) == ["drift"]
    assert faults(None, judge_stability(t, steady + random.normal(0, 0.3, t.size))) == ["noise"]
    hidden = np.where(t % 10 < 3, np.nan, steady)
    assert faults(None, judge_stability(t, hidden)) == ["reference_hidden"]
    with pytest.raises(ValueError, match="ten frames"):
        judge_stability(t[:5], steady[:5])
