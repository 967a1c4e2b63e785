"""The alarm on counts: never without cause, at once with cause, overload and silence never clear."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, poisson

from inspection_robot.radiation.count_logs import read_count_log
from inspection_robot.radiation.count_watch import (
    CountState,
    CountStatus,
    CountWatch,
    WatchParameters,
    alarms_of,
    conditional_p,
    detectable_rate_cps,
    detection_probability,
    significance,
)
from inspection_robot.radiation.counts import (
    UINT32_SPAN,
    CountInterval,
    CumulativeCounter,
    Discontinuity,
    true_rate_cps,
)
from inspection_robot.radiation.watch_command import replay, summarise
from tests.data import need


def run(rates: list[float] | np.ndarray, seed: int = 1, watch: CountWatch | None = None) -> list[CountState]:
    watch = watch or CountWatch()
    random = np.random.default_rng(seed)
    return [
        watch.update(CountInterval(float(second + 1), 1.0, int(random.poisson(rate))))
        for second, rate in enumerate(rates)
    ]


def kinds(states: list[CountState]) -> list[str]:
    return [alarm.kind for alarm in alarms_of(states)]


@pytest.mark.parametrize("rate", [0.2, 2.5, 30.0])
def test_ten_hours_of_constant_background_raise_no_alarm(rate: float) -> None:
    assert kinds(run([rate] * 36000)) == []


def test_a_slow_doubling_of_the_background_raises_no_alarm() -> None:
    assert kinds(run(np.geomspace(5.0, 20.0, 3600))) == []


def test_a_strong_source_alarms_within_a_second_and_ends_with_the_background() -> None:
    states = run([2.5] * 300 + [60.0] * 10 + [2.5] * 120)
    (alarm,) = alarms_of(states)
    assert alarm.kind == "rise"
    assert alarm.start_s == 301.0
    assert 310.0 <= alarm.end_s <= 360.0
    assert alarm.peak_cps > 40.0
    assert alarm.significance > 5.0


def test_an_alarm_is_never_learnt_as_background() -> None:
    states = run([2.5] * 300 + [25.0] * 1800)
    assert all(state.status is CountStatus.ALARM for state in states[310:])
    assert states[-1].background_cps == pytest.approx(2.5, rel=0.3)


def test_an_operator_can_accept_a_new_level() -> None:
    watch = CountWatch()
    run([2.5] * 300 + [25.0] * 60, watch=watch)
    watch.accept()
    states = run([25.0] * 120, watch=watch)
    assert states[0].status is CountStatus.WARMING_UP
    assert states[-1].status is CountStatus.OK


def test_silence_after_a_steep_rise_is_an_overload_and_not_clear() -> None:
    states = run([2.5] * 120 + [1000.0, 20000.0, 90000.0] + [0.0] * 9 + [50000.0] + [2.5] * 60)
    assert [s.status for s in states[123:132]] == [CountStatus.OVERLOAD] * 9
    assert sorted(kinds(states)) == ["overload", "rise"]
    assert states[132].status is CountStatus.ALARM
    assert states[-1].status is CountStatus.OK


@pytest.mark.parametrize(("background", "source"), [(0.3, 60.0), (2.5, 100.0), (5.0, 100.0)])
def test_a_source_taken_away_at_once_is_no_overload(background: float, source: float) -> None:
    for seed in range(10):
        states = run([background] * 120 + [source] * 10 + [background] * 60, seed=seed)
        assert kinds(states) == ["rise"]


def test_a_silent_detector_has_failed_and_recovers_by_learning_anew() -> None:
    states = run([2.5] * 120 + [0.0] * 60 + [2.5] * 60)
    assert states[179].status is CountStatus.FAILED
    assert states[181].status is CountStatus.WARMING_UP
    assert states[-1].status is CountStatus.OK


def test_a_detector_that_never_counts_is_never_clear() -> None:
    states = run([0.0] * 300)
    assert states[-1].status is CountStatus.FAILED
    assert all(state.status is not CountStatus.ALARM for state in states)


def test_saturation_is_an_overload() -> None:
    watch = CountWatch(WatchParameters(saturation_cps=1000.0))
    assert run([2.5] * 60 + [5000.0], watch=watch)[-1].status is CountStatus.OVERLOAD


@given(st.integers(0, 200), st.integers(0, 2000), st.floats(0.1, 60.0), st.floats(1.0, 600.0))
def test_the_conditional_test_is_the_exact_binomial_tail(n: int, b: int, window_s: float, background_s: float) -> None:
    share = window_s / (window_s + background_s)
    expected = float(binom.sf(n - 1, n + b, share))
    assert conditional_p(n, window_s, b, background_s) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.integers(0, 500), st.integers(1, 5000), st.floats(0.5, 30.0), st.floats(10.0, 600.0))
def test_significance_has_the_sign_of_the_excess(n: int, b: int, window_s: float, background_s: float) -> None:
    value = significance(n, window_s, b, background_s)
    assert math.isfinite(value)
    assert value == 0.0 or (value > 0.0) == (n / window_s > b / background_s) or abs(value) < 1e-6


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=200), st.integers(1, 20))
def test_any_counts_keep_the_state_finite(counts: list[int], interval_s: int) -> None:
    watch = CountWatch()
    for number, value in enumerate(counts):
        state = watch.update(CountInterval(float(number * interval_s), float(interval_s), value))
        assert 0.0 <= state.p_value <= 1.0
        assert math.isfinite(state.rate_cps)
        assert math.isfinite(state.significance)


def test_detectable_rate_is_where_half_of_the_windows_alarm() -> None:
    rate = detectable_rate_cps(750, 300.0, 3.0, 1.3, 1e-7)
    assert detection_probability(rate, 2.5, 3.0, 300.0, 1.3, 1e-7) == pytest.approx(0.5, abs=0.1)
    needed = next(n for n in range(1000) if conditional_p(n, 3.0, 750, 300.0, 1.3) < 1e-7)
    expected = float(poisson.sf(needed - 1, (2.0 * rate + 2.5) * 3.0))
    assert detection_probability(2.0 * rate, 2.5, 3.0, 300.0, 1.3, 1e-7) == pytest.approx(expected, rel=1e-9)


class TestCumulativeCounter:
    def test_a_wrap_at_32_bits_is_counted_through(self) -> None:
        counter = CumulativeCounter(wrap=UINT32_SPAN)
        counter.update(0.0, UINT32_SPAN - 3)
        step = counter.update(1.0, 4)
        assert isinstance(step, CountInterval)
        assert (step.counts, step.cumulative_counts, step.epoch) == (7, 7, 0)

    def test_a_reset_is_a_new_epoch(self) -> None:
        counter = CumulativeCounter()
        counter.update(0.0, 1000)
        assert isinstance(counter.update(1.0, 3), Discontinuity)
        step = counter.update(2.0, 5)
        assert isinstance(step, CountInterval)
        assert (step.counts, step.epoch) == (2, 1)

    @pytest.mark.parametrize(
        ("time_s", "reason"), [(-5.0, "clock"), (0.0, "clock"), (100.0, "no reading"), (math.nan, "clock")]
    )
    def test_clocks_that_jump_make_no_interval(self, time_s: float, reason: str) -> None:
        counter = CumulativeCounter()
        counter.update(0.0, 10)
        step = counter.update(time_s, 20)
        assert isinstance(step, Discontinuity)
        assert reason in step.reason

    @given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 2**33)), max_size=50))
    def test_no_reading_makes_negative_counts_or_time(self, readings: list[tuple[float, int]]) -> None:
        counter = CumulativeCounter(wrap=UINT32_SPAN)
        for time_s, total in readings:
            step = counter.update(time_s, total)
            if isinstance(step, CountInterval):
                assert step.counts >= 0
                assert step.duration_s > 0.0


def test_dead_time_is_corrected_and_saturation_is_infinite() -> None:
    assert true_rate_cps(1000.0, 1e-4) == pytest.approx(1111.11, abs=0.01)
    assert true_rate_cps(10000.0, 1e-4) == math.inf


class TestRealLogs:
    @pytest.mark.parametrize(
        "path",
        [
            "safecast/drive_007-0601.LOG",
            "safecast/drive_101-0530.LOG",
            "safecast/spec_fixtures_bgeigie_with_corruption.log",
            "safecast/spec_fixtures_malformed_bgeigie.log",
            "gmc_geigerlog/300E-Log-5k-CPS0.32-background-darkness-CPS.log",
            "radiacode_tools/data/broken_arrow_errrr_airplane.ndjson",
        ],
    )
    def test_real_background_raises_no_alarm(self, path: str) -> None:
        log = read_count_log(need(f"radiation/{path}"))
        assert kinds(replay(log)) == []

    def test_the_x_ray_burst_alarms_within_a_second_and_overload_is_named(self) -> None:
        path = need("radiation/radiacode_tools/data/xray.ndjson")
        log = read_count_log(path)
        result = summarise(str(path), log, replay(log))
        rise, overload = result["alarms"]
        assert (rise["kind"], overload["kind"]) == ("rise", "overload")
        burst_s = next(i.end_s for i in log.intervals if i.counts > 15)
        assert rise["start"] <= burst_s + 1.0
        silent = [i.end_s for i in log.intervals if i.counts == 0]
        assert overload["start"] <= silent[0] + 1.0
        assert overload["end"] >= silent[-1]
        assert rise["end"] > overload["end"]
