from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.people.luggage import LuggageTies
from inspection_robot.people.tracking import Kind, Sighting, Track, Tracker, TrackingParameters, predict

STEP_S = 0.1
SPREAD = np.eye(2) * 0.05**2


def sighting(x: float, y: float, kind: Kind = Kind.PERSON, source: str = "lidar") -> Sighting:
    return Sighting(np.array([x, y]), SPREAD, kind, source)


def follow(tracker: Tracker, paths: list[np.ndarray], hidden_between: tuple[int, int] = (0, 0)) -> list[list[str]]:
    """Feed paths (n, 2) step by step; returns which track is nearest to each path at each step."""
    rng = np.random.default_rng(0)
    named = []
    for step in range(len(paths[0])):
        hide = hidden_between[0] <= step < hidden_between[1]
        seen = [
            sighting(*(path[step] + rng.normal(0, 0.03, 2))) for i, path in enumerate(paths) if not (hide and i == 0)
        ]
        hidden = [track.track for track in tracker.tracks] if hide else []
        confirmed = tracker.update(seen, step * STEP_S, hidden)
        named.append(
            [
                min(confirmed, key=lambda track, p=path: np.linalg.norm(track.position - p[step])).track
                if confirmed
                else ""
                for path in paths
            ]
        )
    return named


def nearest(tracks: Sequence[Track], place: np.ndarray) -> str:
    return min(tracks, key=lambda track: np.linalg.norm(track.position - place)).track if tracks else ""


def line(start: tuple[float, float], velocity: tuple[float, float], steps: int = 80) -> np.ndarray:
    return np.array(start) + np.arange(steps)[:, None] * STEP_S * np.array(velocity)


def test_a_walker_is_confirmed_within_a_second_and_the_velocity_is_right_within_its_spread() -> None:
    tracker = Tracker()
    named = follow(tracker, [line((0, 0), (1.2, 0.3))])
    assert named[10] != [""]
    assert len({name for names in named[10:] for name in names}) == 1
    track = tracker.confirmed()[0]
    spread = np.sqrt(np.diag(track.covariance)[2:])
    assert np.all(np.abs(track.velocity - [1.2, 0.3]) < 3 * spread)
    assert np.all(spread < 0.5)


def test_two_people_who_cross_keep_their_identities() -> None:
    tracker = Tracker()
    named = follow(tracker, [line((-4, 0.4), (1.0, 0.0)), line((4, -0.4), (-1.0, 0.0))])
    assert named[70] == named[15]
    assert len(set(named[70])) == 2


def test_a_person_who_passes_behind_a_column_keeps_the_identity() -> None:
    tracker = Tracker()
    named = follow(tracker, [line((0, 0), (1.0, 0.0)), line((0, 5), (1.0, 0.0))], hidden_between=(30, 55))
    assert named[79] == named[25]


def test_a_person_who_left_is_dropped_and_a_new_one_has_a_new_name() -> None:
    tracker = Tracker(TrackingParameters(maximum_unseen_s=2.0))
    first = follow(tracker, [line((0, 0), (0, 0), 20)])[-1][0]
    for step in range(20, 60):
        tracker.update([], step * STEP_S)
    assert tracker.confirmed() == ()
    for step in range(60, 80):
        tracker.update([sighting(0, 0)], step * STEP_S)
    assert tracker.confirmed()[0].track != first


def test_single_false_sightings_are_never_confirmed() -> None:
    tracker = Tracker()
    rng = np.random.default_rng(3)
    for step in range(100):
        tracker.update([sighting(*rng.uniform(-20, 20, 2))] if step % 5 == 0 else [], step * STEP_S)
        assert tracker.confirmed() == ()


def test_a_late_picture_corrects_the_track_and_brings_no_new_one() -> None:
    tracker = Tracker()
    follow(tracker, [line((0, 0), (1.0, 0.0), 20)])
    before = tracker.confirmed()[0]
    tracker.update([sighting(1.7, 0.1, source="thermal"), sighting(7, 7, source="thermal")], 1.7)
    (after,) = tracker.confirmed()
    assert after.track == before.track
    assert "thermal" in dict(after.sources)
    assert abs(after.position[0] - 1.9) < 0.1
    assert np.trace(after.covariance) < np.trace(before.covariance)


def test_a_scan_much_older_than_the_newest_changes_nothing() -> None:
    tracker = Tracker()
    follow(tracker, [line((0, 0), (0, 0), 20)])
    before = tracker.tracks
    tracker.update([sighting(0.1, 0)], 0.5)
    tracker.update([sighting(5, 5)], float("nan"))
    assert tracker.tracks == before


values = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(st.tuples(values, values, st.lists(values, min_size=4, max_size=4)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_broken_sightings_never_break_a_track(rows: list[tuple[float, float, list[float]]]) -> None:
    tracker = Tracker()
    follow(tracker, [line((0, 0), (0, 0), 15)])
    broken = [Sighting(np.array([x, y]), np.array(c).reshape(2, 2), Kind.PERSON, "lidar") for x, y, c in rows]
    tracker.update([*broken, sighting(0, 0)], 1.6)
    for track in tracker.tracks:
        assert np.isfinite(track.state).all() and np.isfinite(track.covariance).all()
        assert 0.0 <= track.existence <= 1.0


@given(st.floats(0.0, 10.0))
def test_prediction_keeps_covariance_positive_and_grows_uncertainty(seconds: float) -> None:
    tracker = Tracker()
    tracker.update([sighting(1, 2)], 0.0)
    before = tracker.tracks[0]
    after = predict(before, seconds, TrackingParameters())
    assert np.linalg.eigvalsh(after.covariance).min() >= 0
    assert np.trace(after.covariance) >= np.trace(before.covariance)


def test_luggage_is_tied_to_who_stays_with_it_and_let_go_when_left_behind() -> None:
    ties, tracker = LuggageTies(), Tracker()
    carried: dict[str, str] = {}
    for step in range(40):
        x = 0.1 * step
        tracker.update([sighting(x, 0), sighting(x - 0.6, 0.2, Kind.LUGGAGE), sighting(20, 20)], step * STEP_S)
        carried = ties.update(tracker.confirmed(), step * STEP_S)
    kinds = {track.track: track.kind for track in tracker.confirmed()}
    assert [(kinds[piece], kinds[owner]) for piece, owner in carried.items()] == [(Kind.LUGGAGE, Kind.PERSON)]
    for step in range(40, 90):
        x = 0.1 * step
        tracker.update([sighting(x, 0), sighting(3.3, 0.2, Kind.LUGGAGE), sighting(20, 20)], step * STEP_S)
        carried = ties.update(tracker.confirmed(), step * STEP_S)
    assert carried == {}


def test_luggage_of_two_people_stays_with_the_one_it_moves_with() -> None:
    ties, tracker = LuggageTies(), Tracker()
    for step in range(60):
        x = 0.1 * step
        seen = [sighting(x, 0), sighting(x - 0.5, 0.1, Kind.LUGGAGE), sighting(3.0, 0.6)]
        tracker.update(seen, step * STEP_S)
        carried = ties.update(tracker.confirmed(), step * STEP_S)
    owner = min(
        tracker.confirmed(), key=lambda t: np.linalg.norm(t.position - [5.9, 0]) + 10 * (t.kind is Kind.LUGGAGE)
    )
    assert list(carried.values()) == [owner.track]
