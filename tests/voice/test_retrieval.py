"""Retrieval and conversation over the shipped knowledge base, on questions that it does not hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_contract.resources import share
from inspection_robot.voice.dialogue import Dialogue
from inspection_robot.voice.features import syllable
from inspection_robot.voice.phrases import Phrases
from inspection_robot.voice.recognition_noise import character_error_rate, misheard
from inspection_robot.voice.retrieval import Retriever


@pytest.fixture
def dialogue(retriever: Retriever) -> Dialogue:
    return Dialogue(retriever, Phrases(), clock=lambda: 0.0)


def unseen(language: str) -> list[tuple[str, str | None]]:
    path = share() / "benchmarks" / "data" / "retrieval.jsonl"
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(row["text"], row["answer_id"]) for row in rows if row["language"] == language]


@pytest.mark.parametrize(("language", "bar"), [("en", 0.85), ("zh", 0.90)])
def test_unseen_questions_find_their_answer(retriever: Retriever, language: str, bar: float) -> None:
    rows = [(text, answer) for text, answer in unseen(language) if answer]
    found = [retriever.find(text, language).entry for text, _ in rows]  # type: ignore[arg-type]
    assert np.mean([e is not None and e.id == answer for e, (_, answer) in zip(found, rows, strict=True)]) >= bar


def test_misheard_chinese_still_finds_its_answer(retriever: Retriever) -> None:
    generator = np.random.default_rng(11)
    rows = [(misheard(text, 0.38, generator), text, answer) for text, answer in unseen("zh") if answer]
    rate = np.mean([character_error_rate(text, heard) for heard, text, _ in rows])
    assert 0.33 < rate < 0.43
    found = [retriever.find(heard, "zh").entry for heard, _, _ in rows]
    assert np.mean([e is not None and e.id == answer for e, (_, _, answer) in zip(found, rows, strict=True)]) >= 0.78


def test_questions_off_topic_are_refused_and_those_on_topic_are_not(retriever: Retriever) -> None:
    refused = [
        (retriever.find(text, language).refused, answer is not None)
        for language in ("en", "zh")
        for text, answer in unseen(language)
    ]
    assert np.mean([r for r, on_topic in refused if not on_topic]) >= 0.95
    assert np.mean([r for r, on_topic in refused if on_topic]) <= 0.05


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120))
def test_any_text_gets_a_probability(retriever: Retriever, text: str) -> None:
    found = retriever.find(text)
    assert 0.0 <= found.probability <= 1.0
    assert found.refused or found.entry is not None


def test_nothing_and_noise_are_refused(retriever: Retriever) -> None:
    for text in ("", "…", "?!", "xq zvw kjh", "啊啊啊啊"):
        assert retriever.find(text).refused


def test_a_question_leans_on_the_one_before(retriever: Retriever) -> None:
    alone = retriever.find("and from Hong Kong?", "en")
    after = retriever.find("and from Hong Kong?", "en", before="how many cigarettes may I bring")
    assert after.in_context and after.entry is not None and after.entry.id == "cigarettes-hk"
    assert alone.entry is None or alone.entry.id != "cigarettes-hk"
    chinese = retriever.find("那从香港呢", "zh", before="香烟可以带几条")
    assert chinese.entry is not None and chinese.entry.id == "cigarettes-hk"


def test_a_new_subject_does_not_lean_on_the_question_before(retriever: Retriever) -> None:
    found = retriever.find("what about fresh fruit?", "en", before="how many cigarettes may I bring")
    assert found.entry is not None and found.entry.id == "fresh-fruit"


@pytest.mark.parametrize(
    "text",
    [
        "您好，请问可以带苹果吗？",
        "Hello, my name is Anna Schmidt, can I bring apples?",
        "Excuse me. May I bring apples?",
    ],
)
def test_greetings_do_not_hide_the_question(retriever: Retriever, text: str) -> None:
    found = retriever.find(text)
    assert not found.refused and found.entry is not None and found.entry.id == "fresh-fruit"


def test_confusable_sounds_are_one() -> None:
    assert syllable("zhang") == syllable("zan")
    assert syllable("lin") == syllable("ning")
    assert syllable("shi") != syllable("zhi")


def test_an_answer_comes_in_the_language_of_the_question_with_sources(dialogue: Dialogue) -> None:
    session = dialogue.session()
    english = dialogue.respond("Can I bring apples?", session)
    chinese = dialogue.respond("可以带苹果吗", session)
    assert (english.kind, english.language, english.answer_id) == ("answer", "en", "fresh-fruit")
    assert (chinese.kind, chinese.language, chinese.answer_id) == ("answer", "zh", "fresh-fruit")
    assert "470" in english.sources[0] and "470" in chinese.sources[0]
    assert dialogue.suggestions("fresh-fruit", "en")


def test_what_is_not_known_is_handed_to_a_person(dialogue: Dialogue) -> None:
    reply = dialogue.respond("who won the football match yesterday", dialogue.session())
    assert reply.refused and reply.hand_over and reply.kind == "refused" and not reply.answer_id


@pytest.mark.parametrize("text", ["I want to talk to a human", "我要人工服务", "9", "九", "nine"])
def test_a_person_can_be_asked_for(dialogue: Dialogue, text: str) -> None:
    reply = dialogue.respond(text, dialogue.session())
    assert reply.kind == "handed_over" and reply.hand_over


@pytest.mark.parametrize("digit", [str(d) for d in range(1, 9)])
def test_each_digit_of_the_menu_leads_to_questions(dialogue: Dialogue, digit: str) -> None:
    reply = dialogue.respond(digit, dialogue.session())
    assert reply.kind == "menu" and "？" in reply.text


def test_close_candidates_are_asked_back_and_picked_by_order(dialogue: Dialogue) -> None:
    entries = list(dialogue.retriever.base.entries.values())
    session = dialogue.session()
    session.language, session.choice = "en", (entries[0], entries[1])
    assert dialogue.respond("the second one", session).answer_id == entries[1].id
    session.choice = (entries[0], entries[1])
    assert dialogue.respond("can I bring apples", session).answer_id == "fresh-fruit"
    assert session.choice is None


def test_context_does_not_leak_between_languages_or_travellers(dialogue: Dialogue) -> None:
    first, second = dialogue.session(person="a"), dialogue.session(person="b")
    dialogue.respond("how many cigarettes may I bring", first)
    assert "zh" not in first.question
    assert not second.question and first.id != second.id


def test_a_conversation_ends_after_a_pause(retriever: Retriever) -> None:
    now = [0.0]
    dialogue = Dialogue(retriever, Phrases(), clock=lambda: now[0], time_out_s=30.0)
    session = dialogue.session(person="a")
    now[0] = 20.0
    assert dialogue.session(session.id).id == session.id
    now[0] = 60.0
    assert dialogue.session(session.id, person="a").id != session.id


def test_a_traveller_can_refuse_the_record(dialogue: Dialogue) -> None:
    session = dialogue.session()
    reply = dialogue.respond("please don't record me", session)
    assert reply.kind == "consent" and session.consent == "refused"
