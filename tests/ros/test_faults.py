from __future__ import annotations

from itertools import pairwise

from inspection_robot.ros.faults import FaultBook, Severity


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def book() -> tuple[FaultBook, Clock]:
    clock = Clock()
    return FaultBook(clock), clock


def test_a_fault_is_told_when_it_appears_and_when_it_clears() -> None:
    faults, _ = book()
    appeared = faults.occurred("thermal.camera_lost", Severity.ERROR, "camera", "no\nframe")
    assert (appeared.publish, appeared.log, appeared.fault.text) == (True, True, "no frame")
    assert [fault.code for fault in faults.active()] == ["thermal.camera_lost"]
    cleared = faults.cleared("thermal.camera_lost")
    assert cleared is not None and cleared.publish and not cleared.fault.active
    assert faults.active() == []
    assert faults.cleared("thermal.camera_lost") is None


def test_a_repeated_fault_is_logged_ever_more_rarely_and_published_once() -> None:
    faults, clock = book()
    logged = []
    published = 0
    for tick in range(10 * 300):
        clock.now_s = tick / 10
        report = faults.occurred("thermal.tick_failed", Severity.ERROR, "timer", "boom")
        published += report.publish
        if report.log:
            logged.append(clock.now_s)
    assert published == 1
    assert logged[:5] == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert max(later - earlier for earlier, later in pairwise(logged)) <= 60.1
    assert faults.active()[0].count == 3000


def test_a_changed_text_or_severity_is_published_again() -> None:
    faults, _ = book()
    faults.occurred("odor.board", Severity.WARNING, "board", "slow")
    assert faults.occurred("odor.board", Severity.WARNING, "board", "slow").publish is False
    assert faults.occurred("odor.board", Severity.WARNING, "board", "silent").publish is True
    worse = faults.occurred("odor.board", Severity.ERROR, "board", "silent")
    assert worse.publish and worse.log


def test_a_flickering_fault_does_not_log_at_every_flicker() -> None:
    faults, clock = book()
    lines = 0
    for tick in range(100):
        clock.now_s = tick / 10
        report = faults.occurred("x.y", Severity.ERROR, "p", "t")
        cleared = faults.cleared("x.y")
        assert report.publish and cleared is not None and cleared.publish
        lines += report.log + cleared.log
    assert lines <= 10


def test_the_worst_fault_comes_first() -> None:
    faults, _ = book()
    faults.occurred("a.a", Severity.WARNING, "p", "t")
    faults.occurred("b.b", Severity.ERROR, "p", "t")
    assert [fault.code for fault in faults.active()] == ["b.b", "a.a"]
