from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.interception.incident import OPEN_STATES, EventKind, State
from inspection_robot.interception.incidents_command import configure, run
from inspection_robot.interception.kinds import load_kinds
from inspection_robot.interception.texts import LANGUAGES, catalogue


def table(tmp_path: Path, change: Any) -> Path:
    content = yaml.safe_load((share() / "config" / "incident_kinds.yaml").read_text())
    change(content)
    path = tmp_path / "kinds.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_longest_prefix_decides() -> None:
    kinds = load_kinds()
    assert kinds.rule_of("thermal.fever").hypothesis == "fever"  # type: ignore[union-attr]
    assert kinds.rule_of("thermal.hot").hypothesis == "heat"  # type: ignore[union-attr]
    assert kinds.rule_of("odor.family.meat").prefix == "odor"  # type: ignore[union-attr]
    assert kinds.rule_of("thermals") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("version"),
        lambda c: c["kinds"]["odor"].update(colour="red"),
        lambda c: c["kinds"]["odor"].update(prior=1.0),
        lambda c: c["kinds"]["odor"].update(grade="F"),
        lambda c: c["kinds"]["thermal.fever"].update(grade="A"),
        lambda c: c["kinds"]["odor"].update(limits_s={"verifying": -1}),
        lambda c: c["kinds"]["odor"].update(limits_s={"sleeping": 5}),
        lambda c: c["kinds"]["odor"].pop("speech"),
    ],
)
def test_a_table_with_a_mistake_is_refused_with_the_files_name(tmp_path: Path, change: Any) -> None:
    path = table(tmp_path, change)
    with pytest.raises(InputError, match=r"kinds\.yaml"):
        load_kinds(path)


def test_everything_the_officers_read_exists_in_both_languages() -> None:
    texts = [catalogue(language) for language in LANGUAGES]
    assert texts[0].keys() == texts[1].keys()
    for rule in load_kinds().rules:
        assert rule.summary in texts[0]
    for state in State:
        assert f"state.{state.value}" in texts[0]


def test_everything_the_robot_says_at_contact_is_a_template_of_the_voice() -> None:
    from inspection_robot.voice.phrases import Phrases

    keys = Phrases().keys()
    said = {rule.speech for rule in load_kinds().rules} | {"interception.approach", "interception.thanks"}
    assert said <= keys


@pytest.mark.parametrize("name", ["table", "kinds", "grades"])
def test_the_command_prints_every_row_of_its_tables(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    configure(parser)
    assert run(parser.parse_args([name])) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = {
        "table": [e.value for e in EventKind],
        "kinds": [r.prefix for r in load_kinds().rules],
        "grades": list("ABCDE"),
    }
    assert [line.split()[0] for line in lines[1:]] == expected[name]
    if name == "table":
        assert lines[0].split() == ["event", *(state.value for state in OPEN_STATES)]
