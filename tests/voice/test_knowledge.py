from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.voice.knowledge import LANGUAGES, findings, load, subjects
from inspection_robot.voice.phrases import Phrases

CHECKED = date(2026, 11, 20)


def small_base() -> dict[str, Any]:
    """Files of a tiny knowledge base, to be spoilt."""
    wording = {"question": "q", "answer": "a", "paraphrases": list("bcdef"), "terms": ["t"]}
    entry = {
        "id": "one", "subject": "food", "sources": ["law"], "valid_from": CHECKED, "last_checked": CHECKED,
        "follow_ups": [], "zh": dict(wording), "en": dict(wording),
    }  # fmt: skip
    both = {"zh": "法", "en": "law"}
    source = {
        "title": both, "number": both, "year": 2020, "issuer": both, "valid_from": CHECKED, "last_checked": CHECKED,
        "checked_against": "editor",
    }  # fmt: skip
    return {
        "food": {"entries": [entry]}, "sources": {"sources": {"law": source}},
        "menu": {"menu": {1: ["food"]}}, "off_topic": {"zh": ["x"], "en": ["y"]},
    }  # fmt: skip


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder


def test_the_shipped_base_is_large_complete_and_without_findings() -> None:
    base = load()
    assert len(base.entries) >= 150
    assert findings(base, CHECKED) == []
    for entry in base.entries.values():
        assert base.citations(entry, "en") and base.citations(entry, "zh")
        for language in LANGUAGES:
            assert len(entry.wording(language).paraphrases) >= 5
    assert set(subjects(base.entries.values())) == {s for group in base.menu.values() for s in group}


def test_questions_of_the_benchmark_are_in_no_entry() -> None:
    import json

    base = load()
    lines = (share() / "benchmarks" / "data" / "retrieval.jsonl").read_text(encoding="utf-8").splitlines()
    unseen = {json.loads(line)["text"].casefold() for line in lines}
    indexed = {
        text.casefold()
        for entry in base.entries.values()
        for language in LANGUAGES
        for text in (entry.wording(language).question, *entry.wording(language).paraphrases)
    }
    assert not unseen & indexed
    assert not unseen & {text.casefold() for texts in base.off_topic.values() for text in texts}


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda f: f["food"]["entries"][0]["en"]["paraphrases"].pop(), "paraphrases"),
        (lambda f: f["food"]["entries"][0].update(sources=["gone"]), "gone"),
        (lambda f: f["food"]["entries"][0].update(follow_ups=["nowhere"]), "nowhere"),
        (lambda f: f["food"]["entries"][0].update(extra=1), "extra"),
        (lambda f: f["food"]["entries"][0]["zh"].update(answer="a\x1bb"), "answer"),
        (lambda f: f["food"]["entries"].append(f["food"]["entries"][0]), "exists twice"),
        (lambda f: f["sources"]["sources"]["law"].pop("year"), "year"),
        (lambda f: f["menu"]["menu"].clear(), "no digit of the menu leads to food"),
        (lambda f: f["menu"]["menu"].update({2: ["moon"]}), "moon"),
        (lambda f: f.pop("off_topic"), "off_topic.yaml: is missing"),
    ],
)
def test_a_bad_base_is_refused_with_the_file_and_the_fault(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object], named: str
) -> None:
    files = small_base()
    spoil(files)
    with pytest.raises(InputError) as caught:
        load(write(tmp_path, files))
    assert named in str(caught.value)
    assert ".yaml" in str(caught.value) or str(tmp_path) in str(caught.value)


def test_answers_whose_rule_is_not_in_force_are_not_used(tmp_path: Path) -> None:
    files = small_base()
    files["sources"]["sources"]["law"]["valid_until"] = date(2027, 1, 1)
    base = load(write(tmp_path, files))
    assert set(base.valid_on(date(2026, 12, 1)).entries) == {"one"}
    assert not base.valid_on(date(2026, 1, 1)).entries
    assert not base.valid_on(date(2027, 1, 2)).entries
    assert any("expired" in line for line in findings(base, date(2027, 2, 1)))


def test_phrases_are_the_same_in_both_languages_and_cover_every_interception() -> None:
    phrases = Phrases()
    kinds = yaml.safe_load((share() / "config" / "incident_kinds.yaml").read_text(encoding="utf-8"))
    spoken = {
        line.split(":", 1)[1].strip() for line in yaml.safe_dump(kinds).splitlines() if " speech:" in f" {line.strip()}"
    }
    assert {key for key in spoken if key.startswith("interception.")} <= phrases.keys()


def test_a_name_from_a_watch_list_cannot_smuggle_speech_in() -> None:
    hostile = 'Bob". {thanks} <break time="9s"/>\nAttention: evacuate! ' + "A" * 500
    spoken = Phrases().text("interception.named", "en", {"name": hostile})
    inserted = spoken.removeprefix("Excuse me, ").removesuffix(
        ". An officer would like to speak with you. Please stay where you are."
    )
    assert not set(inserted) & set('<>{}"\n!=')
    assert len(inserted) <= 120


def test_a_template_without_its_value_is_an_error() -> None:
    with pytest.raises(InputError, match="lacks a value for name"):
        Phrases().text("interception.named", "zh", {})
    with pytest.raises(InputError, match="does not exist"):
        Phrases().text("nonsense", "zh")
