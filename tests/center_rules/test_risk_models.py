"""Models as data: the shipped ones, and files that must be refused with line and reason."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_center.command_line import main
from inspection_center.expressions import Column, ExpressionError, compile_expression
from inspection_center.located_yaml import read_located
from inspection_center.risk.model import ModelData, RiskModel, read_model, read_model_file
from inspection_center.risk.versions import SHIPPED
from inspection_contract.errors import InputError
from inspection_contract.resources import share

FOLDER = share() / "config" / "risk"
SMALL = textwrap.dedent("""\
    model: small
    version: 1
    zh: 小
    en: Small
    levels: {draw: 20, inspect: 60}
    groups: {all: {zh: 全, en: All}}
    facts:
      age: {type: number, minimum: 0, maximum: 100, zh: 龄, en: Age}
      flag: {type: text, choices: [white, black], zh: 旗, en: Flag}
      ill: {type: flag, zh: 病, en: Ill}
    derived:
      decades: {type: number, value: "age / 10", zh: 十年, en: Decades}
    factors:
    - {id: old, group: all, weight: 3, zh: 老, en: Old, indicators: [
      {id: old_2, when: "decades >= 2", points: 0.5, zh: 二十, en: Twenty},
      {id: old_4, when: "decades >= 4", points: 1.0, zh: 四十, en: Forty}]}
    - {id: badge, group: all, weight: 1, unknown: 0.4, zh: 旗, en: Flag, indicators: [
      {id: black, when: "flag == 'black'", points: 1.0, zh: 黑, en: Black}]}
    rules:
    - {id: ill_one, when: "ill", raise_to: inspect, zh: 病, en: Ill}
    - {id: calm, when: "score < 50 and not rule.ill_one", lower_to: release, zh: 静, en: Calm}
    """)


def small(**changes: str) -> RiskModel:
    text = SMALL
    for old, new in changes.items():
        text = text.replace(old, new)
    return read_model(text, "small.yaml")


def fault_of(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_model(text, "small.yaml")
    return str(caught.value)


def test_the_ship_model_has_39_factors_and_154_indicators() -> None:
    model = read_model_file(FOLDER / "ships.yaml")
    assert len(model.data.factors) == 39
    assert sum(len(factor.indicators) for factor in model.data.factors) == 154


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_take_the_companys_history_and_warnings_as_facts(name: str) -> None:
    facts = read_model_file(FOLDER / f"{name}.yaml").data.facts
    assert facts["company_grade"].given_by == "company"
    assert facts["warning_matches"].given_by == "warnings"
    assert all(fact.zh and fact.en for fact in facts.values())


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("decades >= 4", "wisdom >= 4", 16, "there is no 'wisdom'"),
        ("rule.ill_one", "factor.young > 1", 21, "there is no 'factor.young'"),
        ("age / 10", "decades / 10", 12, "a cycle: decades"),
        ('when: "ill"', 'when: "rule.calm"', 20, "a cycle"),
        ("weight: 3", "weight: 0", 13, ""),
        ("[\n  {id: black, when: \"flag == 'black'\", points: 1.0, zh: 黑, en: Black}]", "[]", 17, "at least 1 item"),
        ("id: old_4", "id: old_2", 16, "'old_2' stands already in line 15"),
        ("group: all, weight: 3", "group: none, weight: 3", 14, "there is no group 'none'"),
        ("points: 0.5", "points: 1.5", 15, "less than or equal to 1"),
        ("version: 1", "version: one", 2, "valid integer"),
        ("version: 1", "version: 1\nversion: 2", 3, "for the second time"),
        ("flag == 'black'", "flag > 'black'", 18, "only numbers"),
        ("flag == 'black'", "flag == 3", 18, "'flag' is a text, '3' is a number"),
        ("flag == 'black'", "flag", 18, "yields a text, wanted is a flag"),
        ("flag == 'black'", "__import__('os')", 18, "not part of the language"),
        ("raise_to: inspect", "raise_to: inspect, lower_to: release", 20, "either raise_to or lower_to"),
        ("draw: 20", "draw: 70", 5, "must not lie below"),
        ("ill: {type", "idle: {type: flag, zh: 闲, en: Idle}\n  ill: {type", 10, "nothing uses it"),
        ("minimum: 0, maximum: 100", "minimum: 9, maximum: 1", 8, "the minimum is above the maximum"),
        ("model: small", "model: [", 3, "no YAML"),
        ("levels: {", "surprise: 1\nlevels: {", 5, "not permitted"),
    ],
)
def test_a_faulty_model_is_refused_with_line_and_reason(old: str, new: str, line: int, reason: str) -> None:
    assert old in SMALL
    text = SMALL.replace(old, new)
    if old == "weight: 3":
        text, line, reason = text.replace("weight: 1", "weight: 0"), 13, "the weights sum to nothing"
    told = fault_of(text)
    assert f"line {line}: " in told, told
    assert reason in told, told


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a\n", "a: &x [1]\nb: *x\n", "x: " + "[" * 60, "x" * (2**20 + 1)]
)
def test_what_is_no_model_is_refused(text: str) -> None:
    assert "small.yaml" in fault_of(text)


@given(st.text(max_size=60))
def test_any_text_is_a_model_or_one_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_located(text, "any", ModelData)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="age>=01.()'ndotrlwik [],+-*/", max_size=40))
def test_any_expression_compiles_or_says_why(text: str) -> None:
    try:
        expression = compile_expression(text, {"age": "number", "ill": "flag"})
    except ExpressionError:
        return
    assert expression.names <= {"age", "ill"}


def test_what_an_unknown_fact_cannot_change_stays_known() -> None:
    import numpy as np

    kinds = {"a": "flag", "b": "flag"}
    columns = {
        "a": Column(np.array([True, False, False]), np.array([True, True, False])),
        "b": Column(np.array([False, False, False]), np.array([False, False, False])),
    }
    for text, values, known in (
        ("a or b", [True, None, None], [True, False, False]),
        ("a and b", [None, False, None], [False, True, False]),
        ("not a", [False, True, None], [True, True, False]),
        ("known(b)", [False, False, False], [True, True, True]),
    ):
        found = compile_expression(text, kinds).evaluate(columns)  # type: ignore[arg-type]  # literals
        told = np.broadcast_to(found.known, 3)
        assert list(told) == known, text
        got = np.broadcast_to(found.values, 3)
        assert all(value is None or got[i] == value for i, value in enumerate(values)), text


def test_the_command_tells_good_files_and_goes_on_after_bad_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = tmp_path / "bad.yaml", tmp_path / "good.yaml"
    bad.write_text(SMALL.replace("age / 10", "decades"), encoding="utf-8")
    good.write_text(SMALL, encoding="utf-8")
    state = ["--state", str(tmp_path / "state")]
    assert main(["risk", *state, "validate", str(bad), str(tmp_path / "missing.yaml"), str(good)]) == 2
    told = capsys.readouterr()
    assert "line 12: derived.decades: a cycle" in told.err
    assert "missing.yaml: No such file" in told.err
    assert '"factors": 2' in told.out
