"""Adjudication: rules as data, verdicts for scenarios, texts in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.radiation.adjudicate import Situation, load_rules
from inspection_robot.radiation.identify import Identification, NamedNuclide
from inspection_robot.radiation.nuclides import by_name
from inspection_robot.radiation.spectrum import EnergyCorrection

RULES = load_rules(share() / "config" / "radiation_rules.yaml")


def found(*names: str) -> Identification:
    named = tuple(NamedNuclide(by_name(name), 0.99, 1000.0) for name in names)
    return Identification(named, "" if names else "ambiguous", 500.0, 0.1, None, EnergyCorrection(), (), 20.0)


@pytest.mark.parametrize(
    ("nuclides", "situation", "verdict", "rule"),
    [
        (["I-131"], Situation(carrier="person", moves_with_carrier=True), "green", "medical_patient"),
        (["Tc-99m"], Situation(carrier="person", moves_with_carrier=True), "amber", "medical_one_line"),
        (["I-131"], Situation(), "amber", "medical_unproven"),
        (["I-131"], Situation(moves_with_carrier=False), "red", "medical_in_goods"),
        (["I-131", "Co-60"], Situation(carrier="person", moves_with_carrier=True), "red", "masked"),
        (["Cs-137"], Situation(carrier="person", moves_with_carrier=True), "red", "industrial"),
        (["Co-57"], Situation(), "red", "industrial"),
        (["U-235"], Situation(), "red", "special_nuclear"),
        (["Th-232"], Situation(zone="cargo"), "green", "norm_goods"),
        (["K-40"], Situation(carrier="person"), "amber", "norm_on_person"),
        (["Ra-226"], Situation(), "amber", "norm_or_industrial"),
        ([], Situation(zone="xray_scanner", duration_s=8.0), "amber", "scanner"),
        ([], Situation(zone="xray_scanner", duration_s=300.0), "unidentified", "unidentified"),
        ([], Situation(), "unidentified", "unidentified"),
        (["K-40"], Situation(overload=True), "red", "overload"),
        (["I-131"], Situation(dose_rate_usv_h=150.0), "red", "high_dose_rate"),
    ],
)
def test_scenarios(nuclides: list[str], situation: Situation, verdict: str, rule: str) -> None:
    decision = RULES.decide(found(*nuclides), situation)
    assert (decision.verdict, decision.rule_id) == (verdict, f"radiation.{rule}")
    assert decision.rule_version


def test_an_alarm_without_a_spectrum_is_unidentified_and_an_alarm() -> None:
    decision = RULES.decide(None, Situation())
    assert (decision.verdict, decision.severity) == ("unidentified", "alarm")


def texts(language: str) -> dict[str, Any]:
    return dict(yaml.safe_load((share() / "config" / "text" / language / "radiation.yaml").read_text()))


def test_every_reason_has_its_text_in_both_languages() -> None:
    for language in ("en", "zh"):
        assert {rule.reason for rule in RULES.rules} <= set(texts(language)["reason"])
        assert {"no_energy_scale", "too_weak", "no_lines", "poor_fit", "ambiguous"} == set(
            texts(language)["unidentified"]
        )


def test_both_catalogues_have_the_same_keys() -> None:
    english, chinese = texts("en"), texts("zh")
    assert {k: set(v) for k, v in english.items()} == {k: set(v) for k, v in chinese.items()}


HEAD = "version: '1'\nhigh_dose_rate_usv_h: 100\nscanner_longest_s: 60\nsingle_line_below_kev: 200\nrules:\n"
LAST = "  - {id: z, when: {}, verdict: unidentified, severity: alarm, reason: unidentified}\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "needs `version`"),
        (":\n:", "YAML"),
        (
            HEAD + "  - {id: a, when: {moon: full}, verdict: red, severity: alarm, reason: x}\n" + LAST,
            "no condition 'moon'",
        ),
        (HEAD + "  - {id: a, when: {overload: 3}, verdict: red, severity: alarm, reason: x}\n" + LAST, "wrong type"),
        (HEAD + "  - {id: a, when: {}, verdict: blue, severity: alarm, reason: x}\n" + LAST, "verdict is one of"),
        (HEAD + "  - {id: a, verdict: red}\n" + LAST, "a rule needs"),
        (HEAD + "  - {id: a, when: {overload: true}, verdict: red, severity: alarm, reason: x}\n", "last rule"),
        (HEAD.replace("100", "-1") + LAST, "positive"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        load_rules(path)
