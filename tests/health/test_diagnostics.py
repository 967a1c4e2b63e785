from __future__ import annotations

from inspection_robot.health.diagnostics import ERROR, OK, STALE, WARNING, Aggregate, Status


def test_a_node_is_as_bad_as_its_worst_part() -> None:
    aggregate = Aggregate(5.0)
    aggregate.update(Status("thermal: camera", ERROR, "lost"), 0.0)
    aggregate.update(Status("thermal: node", OK, "active"), 0.0)
    aggregate.update(Status("voice: microphone", WARNING, "quiet"), 0.0)
    assert [(status.name, status.level, status.message) for status in aggregate.tree(1.0)] == [
        ("/thermal", ERROR, "lost"),
        ("/thermal/camera", ERROR, "lost"),
        ("/thermal/node", OK, "active"),
        ("/voice", WARNING, "quiet"),
        ("/voice/microphone", WARNING, "quiet"),
    ]


def test_only_the_newest_status_counts() -> None:
    aggregate = Aggregate(5.0)
    aggregate.update(Status("thermal: camera", ERROR, "lost"), 0.0)
    aggregate.update(Status("thermal: camera", OK, "fine"), 1.0)
    assert [status.level for status in aggregate.tree(1.0)] == [OK, OK]


def test_silence_is_worse_than_any_last_word() -> None:
    aggregate = Aggregate(5.0)
    aggregate.update(Status("thermal: camera", OK, "fine"), 0.0)
    assert {(status.level, status.message) for status in aggregate.tree(8.0)} == {(STALE, "no report for 8 s")}
