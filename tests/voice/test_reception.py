"""Who is answered, consent and transcript, hand-over and ends of conversations, on a clock that the test turns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from inspection_robot.voice.attention import UNKNOWN_PERSON, Attention, Wake, WakePhrase
from inspection_robot.voice.dialogue import Dialogue
from inspection_robot.voice.phrases import Phrases
from inspection_robot.voice.privacy import TranscriptStore
from inspection_robot.voice.reception import CALLED_S, LEFT_S, Reception
from inspection_robot.voice.retrieval import Retriever


@dataclass
class Hall:
    """A robot, who stands where, and the time."""

    reception: Reception
    folder: Path
    now: list[float]

    def stand(self, **metres: float) -> None:
        self.reception.attention.people(metres)

    def wait(self, seconds: float) -> None:
        """Time passes; the tracker goes on telling that nobody has moved."""
        for _ in range(int(seconds)):
            self.now[0] += 1.0
            if self.reception.attention.knows:
                self.stand(**self.reception.attention._distances)

    def kept(self) -> list[dict[str, object]]:
        return [json.loads(line) for p in self.folder.glob("*.jsonl") for line in p.read_text().splitlines()]


@pytest.fixture
def make(retriever: Retriever, tmp_path: Path):  # type: ignore[no-untyped-def]  # a factory of halls
    def hall(wake: Wake = "near", retention_days: int = 7) -> Hall:
        now = [0.0]

        def clock() -> float:
            return now[0]

        phrases = Phrases()
        dialogue = Dialogue(retriever, phrases, clock, time_out_s=60.0, officer_wait_s=300.0)
        store = TranscriptStore(tmp_path / "transcripts", retention_days)
        reception = Reception(dialogue, Attention(2.0, clock), store, phrases, wake, clock)
        return Hall(reception, tmp_path / "transcripts", now)

    return hall


FRUIT = "can I bring apples"


def test_who_stands_near_is_answered_and_who_passes_is_not(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    hall.stand(a=5.0)
    assert hall.reception.hear(FRUIT, "en") is None
    hall.stand(a=1.5)
    outcome = hall.reception.hear(FRUIT, "en")
    assert outcome is not None and outcome.reply.answer_id == "fresh-fruit"


def test_calling_the_robot_opens_a_conversation_from_afar(make) -> None:  # type: ignore[no-untyped-def]
    hall = make("phrase")
    hall.stand(a=1.0)
    assert hall.reception.hear(FRUIT, "en") is None
    greeting = hall.reception.hear("Hello, robot!", "en")
    assert greeting is not None and greeting.reply.kind == "greeting"
    answered = hall.reception.hear(FRUIT, "en")
    assert answered is not None and answered.reply.session == greeting.reply.session


def test_a_question_may_follow_the_name_at_once(make) -> None:  # type: ignore[no-untyped-def]
    hall = make("phrase")
    for text, language in (("hello robot can I bring apples", "en"), ("你好机器人，可以带苹果吗", "zh")):
        outcome = hall.reception.hear(text, language)
        assert outcome is not None and outcome.reply.answer_id == "fresh-fruit"


def test_the_name_is_known_by_sound_in_chinese_and_only_at_the_beginning() -> None:
    name = WakePhrase({"zh": "你好机器人", "en": "hello robot"})
    assert name.split("你好鸡器人，可以带水果吗", "zh") == "可以带水果吗"
    assert name.split("hello robot", "en") == ""
    assert name.split("I said hello robot", "en") is None and name.split("hello", "en") is None


def test_an_incident_makes_the_robot_listen_for_a_while(make) -> None:  # type: ignore[no-untyped-def]
    hall = make("phrase")
    hall.reception.call()
    hall.now[0] = CALLED_S - 1
    assert hall.reception.hear(FRUIT, "en") is not None
    hall = make("phrase")
    hall.reception.call()
    hall.now[0] = CALLED_S + 1
    assert hall.reception.hear(FRUIT, "en") is None


def test_talk_that_was_overheard_calls_no_officer_but_a_person_near_does(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    football = "who won the football match yesterday"
    assert hall.reception.hear(football, "en") is None  # without a tracker nobody knows whom it was said to
    assert hall.reception.expire() == []
    hall.stand(a=1.0)
    outcome = hall.reception.hear(football, "en")
    assert outcome is not None and outcome.hand_over is not None
    assert (outcome.hand_over.person, outcome.hand_over.reason) == ("a", "not_known")


def test_each_person_has_his_own_conversation_and_a_lost_track_is_taken_over(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    hall.stand(a=1.0)
    first = hall.reception.hear(FRUIT, "en")
    hall.stand(a=1.5, b=1.0)
    second = hall.reception.hear(FRUIT, "en")
    assert first and second and first.reply.session != second.reply.session
    hall.stand(b=1.0)
    hall.wait(LEFT_S + 5)
    hall.reception.expire()
    hall.now[0] += 1.0
    hall.stand(c=1.0)  # the tracker lost b and found the same person again
    third = hall.reception.hear(FRUIT, "en")
    assert third and third.reply.session == second.reply.session


def test_a_conversation_ends_when_the_traveller_has_gone_or_is_silent(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    hall.stand(a=1.0)
    hall.reception.hear(FRUIT, "en")
    hall.stand(a=9.0)
    hall.wait(LEFT_S + 1)
    (shown,) = hall.reception.expire()
    assert "end this conversation" in shown.text and not hall.reception.dialogue.sessions
    hall.stand(b=1.0)
    hall.reception.hear(FRUIT, "en")
    hall.wait(61)
    assert len(hall.reception.expire()) == 1


def test_nothing_is_kept_before_the_traveller_was_told_and_went_on(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    first = hall.reception.hear("my name is Anna Schmidt, can I bring apples", "en")
    assert first is not None and "7 days" in first.notice
    assert hall.kept() == []
    again = hall.reception.hear("what about cheese", "en")
    assert again is not None and again.notice and hall.kept() == []  # not told yet: he spoke over it
    hall.reception.told(again.reply.session)
    last = hall.reception.hear("how much cash may I carry", "en")
    assert last is not None and not last.notice
    assert [line["speaker"] for line in hall.kept()] == ["traveller", "robot"] * 3
    assert "Schmidt" not in json.dumps(hall.kept())


@pytest.mark.parametrize(
    ("text", "language"), [("no", "en"), ("no thank you", "en"), ("不同意", "zh"), ("不用了", "zh")]
)
def test_who_says_no_has_nothing_kept(make, text: str, language: str) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    first = hall.reception.hear(FRUIT, "en")
    hall.reception.told(first.reply.session)
    refused = hall.reception.hear(text, language)
    assert refused.reply.kind == "consent"
    hall.reception.hear("can I bring cheese", "en")
    hall.wait(61)
    hall.reception.expire()
    assert hall.kept() == []


def test_who_was_told_and_leaves_without_a_word_has_it_kept(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    first = hall.reception.hear(FRUIT, "en")
    hall.reception.told(first.reply.session)
    hall.wait(61)
    hall.reception.expire()
    assert len(hall.kept()) == 2


def test_without_retention_nobody_is_asked(make) -> None:  # type: ignore[no-untyped-def]
    hall = make(retention_days=0)
    assert hall.reception.hear(FRUIT, "en").notice == ""


def test_an_officer_is_called_once_waited_for_and_his_answer_goes_to_who_waits(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    called = hall.reception.hear("I want to talk to an officer, my number is 13800138000", "en")
    assert called.hand_over is not None and "138" not in called.hand_over.question
    assert hall.reception.hear("please call an officer", "en").hand_over is None
    hall.wait(200)
    assert hall.reception.expire() == []
    assert hall.reception.officer({"en": "I am on my way."}) == called.reply.session
    assert hall.reception.officer({"en": "Attention please."}) == ""
    assert hall.reception.hear("please call an officer", "en").hand_over is not None


def test_an_officer_who_never_answers_is_told_of(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    hall.reception.hear("please call an officer", "en")
    hall.wait(301)
    (shown,) = hall.reception.expire()
    assert "counter" in shown.text


def test_small_talk_is_no_question(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    first = hall.reception.hear(FRUIT, "en")
    assert hall.reception.hear("repeat that please", "en").reply == first.reply
    assert hall.reception.hear("Thank you very much!", "en").reply.kind == "farewell"
    assert not hall.reception.dialogue.sessions and hall.reception.expire() == []


def test_only_who_is_in_conversation_is_told_that_he_was_not_understood_and_once(make) -> None:  # type: ignore[no-untyped-def]
    hall = make()
    assert hall.reception.not_understood(-60.0) is None
    hall.reception.hear("可以带苹果吗", "zh")
    again = hall.reception.not_understood(-60.0)
    assert again is not None and again.language == "zh" and "没有听清" in again.text
    assert hall.reception.not_understood(-60.0) is None
    hall.reception.hear("可以带苹果吗", "zh")
    loud = hall.reception.not_understood(-20.0)
    assert loud is not None and "太吵" in loud.text


def test_without_a_tracker_everybody_is_the_same_person() -> None:
    now = [0.0]
    attention = Attention(2.0, lambda: now[0])
    assert attention.nearest() == UNKNOWN_PERSON
    attention.people({"a": 1.0, "b": 0.5})
    assert attention.nearest() == "b"
    attention.people({})
    assert attention.nearest() is None
    now[0] = 10.0
    assert attention.nearest() == UNKNOWN_PERSON
