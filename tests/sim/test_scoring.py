from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from inspection_contract.errors import InputError
from inspection_sim.scoring import Finding, Moment, score, score_run, table
from inspection_sim.truth import Planted, TrajectoryWriter, write_summary

FEVER = Planted("fever", "anna", "", "38.9 °C")


def moments(distance_m: float = 1.0, seconds: float = 20.0) -> list[Moment]:
    """Anna stands at (5, 0), the robot so far before her; Bert stands at (5, 8)."""
    return [
        Moment(t * 0.5, (5.0 - distance_m, 0.0), {"anna": (5.0, 0.0), "bert": (5.0, 8.0)}, 0)
        for t in range(int(seconds * 2))
    ]


def found(
    kind: str = "thermal.fever", at: tuple[float, float] | None = (5.2, 0.1), time_s: float = 10.0, severity: int = 3
) -> Finding:
    return Finding(time_s, "detection", kind, severity, at)


def test_a_finding_at_the_right_person_counts() -> None:
    result = score("s", [FEVER], moments(), [found(), Finding(12.0, "incident", "thermal.fever", 3, (5.1, 0.0))])
    assert result.outcomes[0].found_s == 10.0
    assert result.outcomes[0].incident_s == 12.0
    assert result.outcomes[0].error_m == pytest.approx(0.22, abs=0.01)
    assert result.false_alarms == ()
    assert result.as_dict()["missed"] == 0


def test_an_alarm_at_somebody_else_is_false_and_the_fever_missed() -> None:
    result = score("s", [FEVER], moments(), [found(at=(5.0, 8.0))])
    assert result.outcomes[0].found_s is None
    assert len(result.false_alarms) == 1
    assert result.as_dict()["missed"] == 1


def test_a_finding_of_another_kind_does_not_count() -> None:
    assert score("s", [FEVER], moments(), [found("radiation.rise")]).outcomes[0].found_s is None


def test_a_note_below_an_alarm_is_no_false_alarm() -> None:
    assert score("s", [], moments(), [found(severity=1)]).false_alarms == ()


def test_without_a_position_reach_decides() -> None:
    assert score("s", [FEVER], moments(), [found(at=None)]).outcomes[0].found_s == 10.0
    assert score("s", [FEVER], moments(distance_m=9.0), [found(at=None)]).outcomes[0].found_s is None


def test_what_never_came_near_is_not_held_against_the_robot() -> None:
    result = score("s", [FEVER], moments(distance_m=9.0), [])
    assert result.outcomes[0].encountered_s is None
    assert result.as_dict()["missed"] == 0
    assert score("s", [FEVER], moments(), []).outcomes[0].encountered_s == 3.0


def test_a_radiation_alarm_where_the_rate_is_really_raised_is_no_false_alarm_wherever_it_points() -> None:
    source = Planted("radiation", "anna", "", "Cs-137")
    quiet, loud = ([replace(m, cps=cps) for m in moments(distance_m=6.0)] for cps in (0.26, 2.0))
    elsewhere = found("radiation.source", at=(-5.0, 0.0))
    assert len(score("s", [source], quiet, [elsewhere]).false_alarms) == 1
    result = score("s", [source], loud, [elsewhere, found("radiation.source", at=(4.0, 0.0), time_s=12.0)])
    assert result.false_alarms == ()
    assert result.outcomes[0].error_m == pytest.approx(1.0)  # of the last position told


def test_the_table_names_everything_planted() -> None:
    text = table(score("s", [FEVER, Planted("odor", "bert", "luggage", "meat")], moments(), [found()]))
    assert "anna" in text and "bert (luggage)" in text and "found 1 of 2 planted" in text


def test_a_run_is_scored_from_its_files(tmp_path: Path) -> None:
    from inspection_sim.simulation import Simulation, load

    setting = load("morning_arrivals")
    simulation = Simulation(setting)
    write_summary(setting, tmp_path)
    with (tmp_path / "trajectory.jsonl").open("w") as file:
        writer = TrajectoryWriter(file)
        for _ in range(200):
            simulation.step()
            writer.write(simulation)
    (tmp_path / "found.jsonl").write_text(
        json.dumps({"t": 3.0, "type": "detection", "kind": "odor.family", "severity": 3, "x": None, "y": None}) + "\n"
    )
    result = score_run(tmp_path)
    assert result.duration_s == pytest.approx(4.0, abs=0.5)
    assert [o.planted.subject for o in result.outcomes] == ["feverish"]
    assert len(result.false_alarms) == 1
    json.dumps(result.as_dict(), allow_nan=False)


def test_an_incomplete_or_broken_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        score_run(tmp_path)
    (tmp_path / "truth.json").write_text("{}")
    with pytest.raises(InputError, match="not the files of a run"):
        score_run(tmp_path)
