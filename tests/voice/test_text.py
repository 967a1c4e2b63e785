from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.voice.spoken_text import VOICES, number_words, parts, sentences
from inspection_robot.voice.text import chinese_number, clean, language_of, normalise


@given(st.text(max_size=500))
def test_cleaned_text_is_one_short_line_without_control_characters(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= 400
    assert cleaned == " ".join(cleaned.split())
    assert not any((c.isspace() and c != " ") or ord(c) < 32 or ord(c) == 127 for c in cleaned)


def test_escape_sequences_and_direction_marks_do_not_reach_speech() -> None:
    assert clean("Wang\x1b[31m\n\u202eLi\u2066\x00") == "Wang [31m Li"


@pytest.mark.parametrize(
    ("written", "value"),
    [("五千", 5000), ("一万二", 12000), ("一万二千", 12000), ("两千零五", 2005), ("二十", 20),
     ("十五", 15), ("二零二三", 2023), ("一百一十", 110), ("三万", 30000), ("苹果", None), ("", None)],
)  # fmt: skip
def test_chinese_numerals_have_their_value(written: str, value: int | None) -> None:
    assert chinese_number(written) == value


@given(st.integers(1, 99_999_999))
def test_a_number_spoken_in_chinese_reads_back_as_itself(value: int) -> None:
    words = number_words(str(value))
    assert chinese_number(words) == value


@pytest.mark.parametrize(
    ("text", "same"),
    [("5,000 yuan", "5000 yuan"), ("五千块", "5000块"), ("5千", "5000"), ("1.5万元", "15000元"),
     ("twenty thousand dollars", "20000 dollars"), ("one cat", "one cat"), ("一个人", "一个人")],
)  # fmt: skip
def test_numbers_are_compared_as_digits(text: str, same: str) -> None:
    assert normalise(text) == same


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("can I bring fruit", "en"),
        ("可以带水果吗", "zh"),
        ("iPhone 可以带吗", "zh"),
        ("12360", "und"),
        ("what does 海关 mean here", "en"),
    ],
)
def test_the_script_tells_the_language(text: str, language: str) -> None:
    assert language_of(text) == language


def test_mixed_sentences_go_to_the_voice_of_each_script() -> None:
    assert [(p.voice, p.text) for p in parts("请看passport，谢谢")] == [
        (VOICES["zh"], "qing3 kan4"), (VOICES["en"], "passport,"), (VOICES["zh"], "xie4 xie4"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "spoken"),
    [("请拨打12360", "qing3 bo1 da3 yi1 er4 san1 liu4 ling2"), ("5000元", "wu3 qian1 yuan2"),
     ("13%", "bai3 fen1 zhi1 shi2 san1"), ("2023年", "er4 ling2 er4 san1 nian2"),
     ("0.5毫升", "ling2 dian3 wu3 hao2 sheng1")],
)  # fmt: skip
def test_numbers_in_chinese_are_read_as_people_read_them(text: str, spoken: str) -> None:
    (part,) = parts(text, "zh")
    assert (part.voice, part.text) == (VOICES["zh"], spoken)


def test_hotlines_are_spelled_in_english_and_amounts_are_not() -> None:
    (part,) = parts("Call 12360 about 5,000 yuan.")
    assert part.text == "Call 1 2 3 6 0 about 5000 yuan."


def test_text_is_cut_where_speech_can_resume() -> None:
    assert sentences("您好！请稍等。No. 5 of 2019. Wait here; thanks") == [
        "您好！", "请稍等。", "No. 5 of 2019.", "Wait here;", "thanks",
    ]  # fmt: skip


@given(st.text(max_size=3000))
def test_any_text_can_be_prepared_for_speech(text: str) -> None:
    for sentence in sentences(text):
        assert len(sentence) <= 160
        assert all(part.text.isprintable() and part.text.strip() for part in parts(sentence))


def test_punctuation_alone_holds_nothing_to_say() -> None:
    assert sentences("… !? ——") == []
