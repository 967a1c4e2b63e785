from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from inspection_contract.commands import KnowledgeUpdate
from inspection_contract.errors import InputError
from inspection_robot.voice.knowledge import load
from inspection_robot.voice.knowledge_update import apply_update, held_update, knowledge_in_use, update_path
from inspection_robot.voice.retrieval import Retriever


def update(version: int, answer: str = "Apples stay outside.", **fields: object) -> KnowledgeUpdate:
    """An update that answers a shipped question anew."""
    entry = json.loads(load().entries["fresh-fruit"].model_dump_json())
    entry["en"]["answer"] = answer
    return KnowledgeUpdate.model_validate_json(json.dumps({"version": version, "entries": [entry], **fields}))


def test_an_update_answers_in_place_of_the_shipped_entry(tmp_path: Path) -> None:
    apply_update(tmp_path, update(1))
    base = knowledge_in_use(tmp_path)
    found = Retriever(base, date(2026, 11, 20), languages=["en"]).find("can I bring apples", "en")
    assert base.version == 1 and len(base.entries) == len(load().entries)
    assert found.entry is not None and found.entry.en.answer == "Apples stay outside."


def test_a_later_update_replaces_the_one_before_and_an_older_one_is_refused(tmp_path: Path) -> None:
    apply_update(tmp_path, update(3))
    apply_update(tmp_path, update(3))
    with pytest.raises(InputError, match="older than 3"):
        apply_update(tmp_path, update(2))
    with pytest.raises(InputError, match="differs"):
        apply_update(tmp_path, update(3, "Something else."))
    apply_update(tmp_path, KnowledgeUpdate(version=4))
    assert knowledge_in_use(tmp_path).entries["fresh-fruit"] == load().entries["fresh-fruit"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"removed": ["no-such-entry"]}, "removes unknown no-such-entry"),
        ({"entries": [{"sources": ["nobody"]}]}, "cites unknown sources nobody"),
        ({"entries": [{"follow_ups": ["nothing"]}]}, "follows up on unknown nothing"),
        ({"entries": [{"subject": "weather"}]}, "no digit of the menu leads to weather"),
    ],
)
def test_an_update_that_does_not_fit_changes_nothing(
    tmp_path: Path, change: dict[str, list[object]], fault: str
) -> None:
    apply_update(tmp_path, update(1))
    before = update_path(tmp_path).read_bytes()
    content = json.loads(update(2).model_dump_json())
    for place, entry in enumerate(change.get("entries", [])):
        content["entries"][place] |= entry
    content["removed"] = change.get("removed", [])
    with pytest.raises(InputError, match=fault):
        apply_update(tmp_path, KnowledgeUpdate.model_validate_json(json.dumps(content)))
    assert update_path(tmp_path).read_bytes() == before


def test_a_removed_entry_is_no_longer_answered_or_suggested(tmp_path: Path) -> None:
    apply_update(tmp_path, KnowledgeUpdate(version=1, removed=("fresh-fruit",)))
    base = knowledge_in_use(tmp_path)
    assert "fresh-fruit" not in base.entries
    assert all("fresh-fruit" not in entry.follow_ups for entry in base.entries.values())


def test_a_damaged_update_is_named(tmp_path: Path) -> None:
    path = update_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text('{"version": 0}')
    with pytest.raises(InputError, match=r"knowledge\.json"):
        held_update(tmp_path)
