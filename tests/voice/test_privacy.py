from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.voice.privacy import TranscriptStore, without_personal_data


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("call me on +86 138 0013 8000 please", "138"), ("我的电话是13800138000", "13800138000"),
        ("my passport is E12345678", "E12345678"), ("身份证11010519491231002X", "11010519491231002X"),
        ("write to anna.li@example.org", "anna"), ("my name is Anna Schmidt", "Anna"), ("我叫王小明", "王小明"),
        ("幺三八零零幺三八零零零", "幺三八"), ("one three eight zero zero one three eight", "eight"),
    ],
)  # fmt: skip
def test_personal_data_leaves_the_transcript(text: str, gone: str) -> None:
    assert gone not in without_personal_data(text)


@pytest.mark.parametrize(
    "text", ["can I bring 5000 yuan", "call 12360", "可以带2万元人民币吗", "announcement 470 of 2021"]
)
def test_amounts_and_hotlines_stay(text: str) -> None:
    assert without_personal_data(text) == text


@given(st.from_regex(r"[1-9][0-9]{10}", fullmatch=True), st.sampled_from(["{}", "ring {} now", "电话{}"]))
def test_no_telephone_number_survives(number: str, around: str) -> None:
    assert number not in without_personal_data(around.format(number))


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 12, 0)

    def __call__(self) -> datetime:
        return self.now


def test_transcripts_are_private_and_deleted_after_their_retention(tmp_path: Path) -> None:
    clock = Clock()
    store = TranscriptStore(tmp_path / "t", retention_days=3, now=clock)
    store.add("s", "traveller", "en", "my name is Bob, may I bring fruit")
    (path,) = (tmp_path / "t").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert "Bob" not in path.read_text() and json.loads(path.read_text())["session"] == "s"
    clock.now = datetime(2026, 11, 3, 1, 0)
    assert store.purge() == []
    clock.now = datetime(2026, 11, 4, 1, 0)
    assert len(store.purge()) == 1 and not list((tmp_path / "t").iterdir())


def test_without_retention_nothing_is_written(tmp_path: Path) -> None:
    TranscriptStore(tmp_path / "t", retention_days=0).add("s", "robot", "en", "hello")
    assert not (tmp_path / "t").exists()


def test_a_session_is_forgotten_and_others_stay(tmp_path: Path) -> None:
    store = TranscriptStore(tmp_path, retention_days=3)
    for session in ("a", "b", "a"):
        store.add(session, "traveller", "zh", "可以带水果吗")
    assert store.forget("a") == 2
    (path,) = tmp_path.glob("*.jsonl")
    assert [json.loads(line)["session"] for line in path.read_text().splitlines()] == ["b"]
