"""Scores, contributions, levels; compliance history; warnings; what-if; learning."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_center.command_line import main
from inspection_center.problems import Unfit
from inspection_center.risk.compliance import history_of
from inspection_center.risk.learning import learn
from inspection_center.risk.model import LEVELS, Fact, read_model, read_model_file
from inspection_center.risk.scoring import FactError, score
from inspection_center.risk.warnings import Goods, GoodsWarning, Matcher, read_warnings, warning_facts
from inspection_center.risk.whatif import compare
from inspection_contract.resources import share
from tests.center_rules.test_risk_models import SMALL, small

SHIPS = read_model_file(share() / "config" / "risk" / "ships.yaml")
HEADER = "id,source,kind,severity,hs_code,origin,producer,lot,words,text,until\n"


def value_of(fact: Fact) -> st.SearchStrategy[Any]:
    if fact.type == "flag":
        return st.booleans()
    if fact.type == "text":
        return st.sampled_from(fact.choices) if fact.choices else st.text(max_size=20).filter(lambda t: "\x00" not in t)
    low = 0.0 if fact.minimum is None else fact.minimum
    return st.floats(low, 1e6 if fact.maximum is None else fact.maximum)


SHIP = st.fixed_dictionaries({}, optional={name: value_of(fact) for name, fact in SHIPS.data.facts.items()})


def test_a_score_is_the_weighted_mean_of_its_factors() -> None:
    scores = score(small(), [{"age": 45, "flag": "white"}, {"age": 25.0, "flag": "black"}, {"age": 3}, {}])
    # Weights 3 and 1: 45 years make 1.0 of the first factor, 25 years 0.5; an unknown flag makes 0.4 of the second.
    assert scores.score == pytest.approx([75.0, 62.5, 10.0, 10.0])
    assert scores.known == pytest.approx([1.0, 1.0, 0.75, 0.0])
    assert scores.contributions == pytest.approx(np.array([[75, 0], [37.5, 25], [0, 10], [0, 10]]))
    assert [scores.level_of(n) for n in range(4)] == ["inspect", "inspect", "release", "release"]


def test_rules_raise_and_lower_and_raising_wins() -> None:
    scores = score(small(), [{"ill": True}, {"ill": False}, {"age": 45, "ill": None}, {"age": 25, "ill": None}])
    assert [scores.level_of(n) for n in range(4)] == ["inspect", "release", "inspect", "draw"]
    assert scores.rules_of(0) == ("ill_one",)
    assert scores.rules_of(3) == (), "whether somebody is ill is not known, so nothing may be lowered"


@settings(max_examples=60, deadline=None)
@given(cases=st.lists(SHIP, min_size=1, max_size=6))
def test_contributions_always_sum_to_the_score_and_one_by_one_is_the_same(cases: list[dict[str, Any]]) -> None:
    scores = score(SHIPS, cases)
    assert np.allclose(scores.contributions.sum(axis=1), scores.score)
    assert ((scores.score >= 0) & (scores.score <= 100)).all()
    for index, case in enumerate(cases):
        alone = score(SHIPS, [case])
        assert alone.score[0] == pytest.approx(scores.score[index])
        assert alone.level_of(0) == scores.level_of(index)
        listed = scores.contributions_of(index)
        assert sum(row["points"] for row in listed) == pytest.approx(scores.score[index], abs=0.01)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"age": 101}, "age: 101 is not a number within 0 … 100"),
        ({"age": -1.0}, "age: -1.0"),
        ({"age": math.nan}, "age: nan"),
        ({"age": "7"}, "age: must be a number"),
        ({"age": True}, "age: must be a number"),
        ({"age": 10**400}, "age: is too large"),
        ({"flag": "pink"}, "flag: 'pink' is none of white, black"),
        ({"flag": 1}, "flag: must be a text"),
        ({"ill": 1}, "ill: must be a flag"),
        ({"color": 1}, "color: there is no such fact"),
    ],
)
def test_a_fact_that_does_not_fit_is_refused_by_name(facts: dict[str, Any], reason: str) -> None:
    with pytest.raises(FactError) as caught:
        score(small(), [{}, facts])
    assert caught.value.index == 1
    assert reason in str(caught.value)


def test_a_ship_with_a_death_on_board_is_inspected_whatever_its_score() -> None:
    scores = score(SHIPS, [{"deaths": 1}, dict.fromkeys(SHIPS.data.facts)])
    assert scores.level_of(0) == "inspect"
    assert "grave_health" in scores.rules_of(0)
    assert scores.level_of(1) == "draw", "of whom nothing is known takes part in the draw"


@pytest.mark.parametrize(
    ("results", "grade"),
    [
        ([], "new"),
        ([(False, 10.0)] * 20, "A"),
        ([(False, 10.0)] * 5, "B"),
        ([(False, 400.0)] * 20 + [(True, 30.0)], "C"),
        ([(False, 400.0)] * 20 + [(True, 30.0)] * 2, "D"),
        ([(True, 400.0)] * 3 + [(False, 400.0)] * 3, "D"),
        ([(True, 2000.0)] * 9, "new"),
    ],
)
def test_the_compliance_grade_follows_from_results(results: list[tuple[bool, float]], grade: str) -> None:
    history = history_of(results)
    assert history.grade == grade
    assert 0 < history.failure_rate < 1


def test_warnings_match_goods_that_agree_with_all_they_name() -> None:
    listed = read_warnings(
        HEADER
        + "R1,EU RASFF,recall,4,0203.29,BR,,,,salmonella,2030-01-01\n"
        + "R2,GACC,failed_inspection,2,,,EST 123,,,,\n"
        + "R3,GACC,alert,,,,,,frozen pork,,\n"
        + "R4,GACC,recall,3,,,,L-77,,,\n"
    )
    find = Matcher(listed)

    def ids(**goods: str) -> list[str]:
        return [warning.id for warning in find.match(Goods.from_mapping(goods))]

    assert ids(hs_code="020329", origin="BR") == ["R1"]
    assert ids(hs_code="02032900", origin="BR", name="FROZEN boneless Ｐｏｒｋ") == ["R1", "R3"]
    assert ids(hs_code="0203", origin="BR") == [], "a shorter code does not say that it is this product"
    assert ids(hs_code="020329", origin="AR") == []
    assert ids(producer="est  123") == ["R2"]
    assert ids(lot="l-77") == ["R4"]
    assert ids() == []
    several = find.match_any([Goods(lot="L-77"), Goods(hs_code="020329", origin="BR"), Goods(lot="L-77")])
    assert [warning.id for warning in several] == ["R1", "R4"]
    assert warning_facts(several) == {"warning_matches": 2.0, "warning_severity": 4.0}


@settings(max_examples=50)
@given(
    st.lists(
        st.builds(
            dict,
            hs_code=st.sampled_from(["", "02", "0203", "1006"]),
            origin=st.sampled_from(["", "BR"]),
            producer=st.sampled_from(["", "P"]),
            words=st.sampled_from(["x", "pork"]),
        ),
        max_size=8,
    ),
    st.sampled_from(["0203", "10", ""]),
    st.sampled_from(["BR", "CN"]),
)
def test_the_index_finds_what_looking_through_all_finds(rows: list[dict[str, str]], hs_code: str, origin: str) -> None:
    warnings = [GoodsWarning(id=f"W{n}", source="s", kind="alert", **row) for n, row in enumerate(rows)]  # type: ignore[arg-type]  # texts of the right kind
    goods = Goods(hs_code, origin, "p", "", "pork x")
    assert {w.id for w in Matcher(warnings).match(goods)} == {w.id for w in warnings if Matcher([w]).match(goods)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "line 1: columns"),
        (HEADER, "there is no warning"),
        (HEADER + "R1,EU,recall,2,,,,,,,\n", "line 2: "),
        (HEADER + "R1,EU,rumour,2,02,,,,,,\n", "line 2: kind"),
        (HEADER + "R1,EU,recall,9,02,,,,,,\n", "line 2: severity"),
        (HEADER + "R1,EU,recall,2,02x,,,,,,\n", "line 2: hs_code"),
        (HEADER + "R1,EU,recall,2,02,,,,,,\nR1,EU,recall,2,03,,,,,,\n", "line 3: R1 stands already in line 2"),
        (HEADER + "R1,EU,recall,2,02,,,,,,,,\n", "line 2: more fields"),
        ("id,source,kind,color\n", "line 1: columns"),
        ("[{", "no JSON"),
        ('[{"id": "R1"}]', "entry 1: "),
        ("[1]", "entry 1: "),
    ],
)
def test_a_faulty_list_of_warnings_is_refused_with_its_line(content: str, reason: str) -> None:
    with pytest.raises(Unfit) as caught:
        read_warnings(content)
    assert reason in str(caught.value)


def test_what_if_shows_the_decisions_that_change_and_what_would_have_been_caught() -> None:
    old, new = (
        small(),
        read_model(SMALL.replace("decades >= 2", "decades >= 3").replace("version: 1", "version: 2"), "new"),
    )
    past = [
        (1, "a", {"age": 25, "ill": None}, "failed"),
        (2, "b", {"age": 45, "ill": None}, "failed"),
        (3, "c", {"age": 1, "ill": None}, "passed"),
        (4, "d", {"age": "old"}, ""),
    ]
    found = compare(old, new, past)
    assert found.compared == 3
    assert list(found.refused) == [4]
    assert [(change.reference, change.before, change.after) for change in found.changes] == [("a", "draw", "release")]
    assert found.caught == {"release": (0, 1), "draw": (1, 0), "inspect": (1, 1)}
    assert compare(old, old, past).changes == []


def results(n: int, seed: int) -> tuple[list[dict[str, Any]], list[bool]]:
    """Inspections in which black flags fail often, and age tells nothing."""
    random = np.random.default_rng(seed)
    black, age = random.random(n) < 0.4, random.uniform(0, 60, n)
    failed = random.random(n) < np.where(black, 0.5, 0.05)
    cases = [{"age": float(a), "flag": "black" if b else "white"} for a, b in zip(age, black, strict=True)]
    return cases, [bool(value) for value in failed]


def test_learning_finds_what_matters_and_predicts_cases_it_never_saw() -> None:
    text, report = learn(small(), *results(2000, 1))
    learnt = read_model(text, "learnt")
    assert learnt.data.version == 2
    assert report.auc > report.auc_before + 0.1
    assert report.weights["badge"][1] > 90
    assert abs(sum(after for _, after in report.weights.values()) - 100) < 0.1
    for predicted, observed, cases in report.calibration:
        # Three standard errors of a share of so many cases, and a little for the fit.
        assert abs(predicted - observed) < 3 * math.sqrt(max(predicted * (1 - predicted), 0.01) / cases) + 0.02
    fresh, failed = results(2000, 2)
    probability = score(learnt, fresh).probability()
    assert probability is not None
    black = np.array([case["flag"] == "black" for case in fresh])
    assert probability[black].mean() == pytest.approx(0.5, abs=0.06)
    assert probability[~black].mean() == pytest.approx(0.05, abs=0.03)
    assert np.mean(failed) == pytest.approx(probability.mean(), abs=0.03)


def test_factors_that_never_differed_keep_their_share_and_the_calibration_holds() -> None:
    cases, failed = results(1500, 6)
    blind = [{**case, "age": 45.0} for case in cases]
    text, report = learn(small(), blind, failed)
    assert report.unused == ("old",)
    assert report.weights["old"] == (75.0, 75.0)
    probability = score(read_model(text, "learnt"), blind).probability()
    assert probability is not None
    assert probability.mean() == pytest.approx(np.mean(failed), abs=0.01)


def test_learning_keeps_everything_but_weights_number_and_calibration() -> None:
    text, _ = learn(small(), *results(500, 3))
    kept = [line for line in text.splitlines() if not line.startswith(("version", "calibration"))]
    given = [line for line in SMALL.splitlines() if not line.startswith("version")]
    assert len(kept) == len(given)
    assert sum(a != b for a, b in zip(kept, given, strict=True)) == 2, "the lines of two factors"
    again, _ = learn(read_model(text, "learnt"), *results(500, 3))
    assert again.count("calibration:") == 1


def test_every_shipped_model_can_be_learnt() -> None:
    for path in sorted((share() / "config" / "risk").glob("*.yaml")):
        model = read_model_file(path)
        flags = [name for name, fact in model.data.facts.items() if fact.type == "flag"]
        random = np.random.default_rng(5)
        cases = [{name: bool(random.random() < 0.3) for name in flags} for _ in range(300)]
        scores = score(model, cases).score
        text, report = learn(model, cases, [bool(value) for value in scores > np.quantile(scores, 0.7)])
        assert read_model(text, "learnt").data.version == 2
        assert report.auc > 0.9


def test_too_few_or_telling_nothing_is_refused() -> None:
    with pytest.raises(Unfit, match="at least 30 failed"):
        learn(small(), [{"age": 1}] * 100, [True] * 29 + [False] * 71)
    with pytest.raises(Unfit, match="sum to nothing"):
        learn(small(), [{"age": 1.0, "flag": "white"}] * 100, [True] * 50 + [False] * 50)


def test_learning_on_the_command_line_writes_and_never_puts_in_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, cases, output = tmp_path / "small.yaml", tmp_path / "cases.jsonl", tmp_path / "new.yaml"
    model.write_text(SMALL, encoding="utf-8")
    rows = [
        {"reference": f"c{n}", "facts": facts, "outcome": "failed" if failed else "passed"}
        for n, (facts, failed) in enumerate(zip(*results(400, 4), strict=True))
    ]
    cases.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    state = ["--state", str(tmp_path / "state")]
    report = tmp_path / "report.json"
    learning = ["learn", str(model), str(cases), "--output", str(output), "--report", str(report)]
    assert main(["risk", *state, *learning]) == 0
    assert json.loads(report.read_text())["failed"] > 30
    assert model.read_text(encoding="utf-8") == SMALL
    assert main(["risk", *state, "score", str(output), str(cases)]) == 0
    last = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert (last["model"], last["level"] in LEVELS, 0 < last["probability"] < 1) == ("small#2", True, True)
    assert main(["risk", *state, "whatif", str(model), str(output), str(cases)]) == 0
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["compared"] == 400
    cases.write_text('{"facts": {"age": 7}}\n{"facts": {"age": "x"}, "outcome": "passed"}\n', encoding="utf-8")
    assert main(["risk", *state, "score", str(model), str(cases)]) == 2
    assert "cases.jsonl: line 2: age" in capsys.readouterr().err
    assert main(["risk", *state, "learn", str(model), str(cases)]) == 2
    assert "line 1: outcome" in capsys.readouterr().err
