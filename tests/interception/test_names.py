from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.cli.__main__ import main
from inspection_robot.interception.name_index import NameIndex
from inspection_robot.interception.name_scores import area_under_curve, best_f1
from inspection_robot.interception.names import match_probability, prepare
from tests.data import need


def likeness(one: str, other: str) -> float:
    return match_probability(prepare(one), prepare(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("习近平", "Xi Jinping"),
        ("习近平", "JINPING XI"),
        ("Müller, Jürgen", "JUERGEN MUELLER"),
        ("Володимир Зеленський", "Volodymyr Zelenskyy"),
        ("Sergei Lavrov", "Sergey Viktorovich LAVROV"),
        ("JanDaniel Bothma", "Jan Daniel Bothma"),
        ("ERIKSSON, ANNA MARIA", "Anna Maria Eriksson"),
        ("Bob Miller", "Robert Miller"),
    ],
)
def test_one_persons_spellings_match(one: str, other: str) -> None:
    assert likeness(one, other) >= 0.7


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Olaf Scholz", "Angela Merkel"),
        ("Vicente Fox", "Roberto Fox"),
        ("ABDULLAH BIN OMAR", "OMAR BIN ABDULLAH"),
        ("王伟", "李娜"),
        ("Deutsche Bank AG", "Deutsche Bank GmbH"),
    ],
)
def test_other_bearers_do_not(one: str, other: str) -> None:
    assert likeness(one, other) < 0.7


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_have_a_probability(one: str, other: str) -> None:
    forth, back = likeness(one, other), likeness(other, one)
    assert 0.0 <= forth <= 1.0
    assert forth == pytest.approx(back, abs=0.02) or len(prepare(one).renditions[0]) == len(
        prepare(other).renditions[0]
    )


def test_the_index_finds_a_misspelt_name_among_many() -> None:
    rng = np.random.default_rng(4)
    syllables = ["ka", "mo", "ri", "ta", "ne", "su", "lo", "wi", "ba", "go"]
    names = [" ".join("".join(rng.choice(syllables, 3)).title() for _ in range(2)) for _ in range(3000)]
    names[1234] = "Friedrich Buchenberg"
    index = NameIndex(names)
    assert index.search("Fridrich Buchenbreg")[0].position == 1234
    assert index.search("BUCHENBERG, FRIEDRICH")[0].position == 1234
    assert NameIndex([]).search("Anna") == []


def test_figures_of_merit_count_ties_fairly() -> None:
    labels = np.array([True, False, True, False])
    assert area_under_curve(np.array([0.9, 0.1, 0.8, 0.2]), labels) == 1.0
    assert area_under_curve(np.zeros(4), labels) == 0.5
    assert best_f1(np.array([0.9, 0.1, 0.8, 0.2]), labels) == 1.0
    assert best_f1(np.zeros(4), labels) == pytest.approx(2 / 3)


def test_labelled_pairs_are_told_apart_as_the_model_card_says() -> None:
    path = need("interception/names/cases_dev.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    scores = np.array([likeness(row["name1"], row["name2"]) for row in rows])
    labels = np.array([row["is_match"] == "true" for row in rows])
    assert best_f1(scores, labels) > 0.86
    assert area_under_curve(scores, labels) > 0.90


def match(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, object]], str]:
    status = main(["match", *arguments])
    captured = capsys.readouterr()
    return status, [json.loads(line) for line in captured.out.splitlines()], captured.err


def test_the_command_grades_a_name_with_its_birth_date_above_a_name_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("id,name,birth_date\n7,Анна Эрикссон,1974-08-12\n8,Li Na,\n", encoding="utf-8")
    status, lines, _ = match(capsys, "Anna Eriksson", "--list", str(listed), "--birth-date", "1974-08-12")
    assert status == 0
    assert lines[0]["candidates"][0]["id"] == "7"  # type: ignore[index]
    assert lines[0]["candidates"][0]["grade"] == "C"  # type: ignore[index]
    _, lines, _ = match(capsys, "Anna Eriksson", "--list", str(listed))
    assert lines[0]["candidates"][0]["grade"] == "D"  # type: ignore[index]


@pytest.mark.parametrize("content", [b"", b"number\n1\n", b"name\n", b"\xff\xfe\x00name", b'name\n"a'])
def test_a_list_that_is_none_gives_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_bytes(content)
    status, lines, error = match(capsys, "Anna", "--list", str(listed))
    assert (status, lines) == (2, [])
    assert error.count("\n") == 1 and "list.csv" in error
