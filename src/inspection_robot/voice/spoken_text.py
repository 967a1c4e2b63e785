"""Written text turned into what the synthesiser reads: sentences, language runs, pinyin with tones, numbers in words.

Debian 12's Mandarin voice reads Han text with its tones spelled out as English digits; its Latin-pinyin sister reads
``ni3 hao3`` properly, so Chinese is handed over as pinyin. Long digit strings (12360) are spelled digit by digit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pypinyin import Style, lazy_pinyin

from inspection_robot.voice.knowledge import Language
from inspection_robot.voice.text import HAN, LATIN, clean

VOICES: dict[Language, str] = {"zh": "cmn-latn-pinyin", "en": "en-us"}
SPOKEN_MAXIMUM = 2000
SENTENCE_MAXIMUM = 160

_SENTENCE_END = re.compile(r"(?<=[。！？；!?;])[”’\"')）]*\s*|(?<=\.)\s+(?=[A-Z\u3400-\u9fff\"“])")
_RUN = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff]+|[A-Za-z]+(?:['’.-][A-Za-z]+)*|\d+(?:,\d{3}(?!\d))*(?:\.\d+)?(?:\s?%)?|[^\w\s]+|\s+|_+|\w"
)
_DIGIT_WORDS_ZH = "零一二三四五六七八九"
_PAUSES_ZH = {"，": ",", "、": ",", "：": ",", "；": ".", "。": ".", "！": "!", "？": "?", "—": ","}
_SPELLED_FROM = 5


@dataclass(frozen=True)
class Part:
    """A stretch for one voice of the synthesiser."""

    voice: str
    text: str


def sentences(text: str) -> list[str]:
    """Split a text at sentence ends, the points at which speech can stop and resume; very long ones at commas."""
    text = clean(text, SPOKEN_MAXIMUM)
    found = [piece.strip() for piece in _SENTENCE_END.split(text)]
    return [piece for sentence in found for piece in _cut(sentence) if re.search(r"\w", piece)]


def parts(sentence: str, language: Language | None = None) -> list[Part]:
    """Return a sentence as stretches for the two voices.

    Args:
        sentence: one sentence, languages may mix.
        language: whose number words to use where the script does not tell; by the script when None.
    """
    text = clean(sentence, SPOKEN_MAXIMUM)
    main: Language = language or ("zh" if HAN.search(text) else "en")
    runs: list[tuple[Language, str]] = []
    for piece in _RUN.findall(text):
        if HAN.match(piece):
            runs.append(("zh", _pinyin(piece)))
        elif LATIN.match(piece):
            runs.append(("en", piece))
        elif piece[0].isdigit():
            near: Language = _neighbour(text, piece, main)
            year = near == "zh" and len(piece) == 4 and f"{piece}年" in text
            words = "".join(_DIGIT_WORDS_ZH[int(d)] for d in piece) if year else number_words(piece)
            runs.append((near, _pinyin(words) if near == "zh" else _english_number(piece)))
        else:
            spoken = "".join(_PAUSES_ZH.get(c, c if c in ",.!?;:' " else " ") for c in piece)
            runs.append((runs[-1][0] if runs else main, spoken))
    merged: list[tuple[Language, str]] = []
    for run_language, run in runs:
        if merged and merged[-1][0] == run_language:
            merged[-1] = (run_language, f"{merged[-1][1]} {run}")
        else:
            merged.append((run_language, run))
    tidy = [(k, re.sub(r"\s+([,.!?;:])", r"\1", " ".join(v.split()))) for k, v in merged]
    return [Part(VOICES[k], v) for k, v in tidy if re.search(r"[A-Za-z0-9]", v)]


def number_words(number: str) -> str:
    """Return a written number in Chinese words; five digits or more without a round value are spelled out.

    ``5000`` → 五千, ``0.5`` → 零点五, ``13%`` → 百分之十三, ``12360`` → 一二三六零.
    """
    percent = number.endswith("%")
    digits = number.rstrip("% ").replace(",", "")
    whole, _, fraction = digits.partition(".")
    fraction = fraction.replace(".", "")
    words = _spelled(whole) if _is_code(whole) else _chinese(int(whole))
    if fraction:
        words += "点" + _spelled(fraction)
    return f"百分之{words}" if percent else words


def _is_code(digits: str) -> bool:
    """Whether digits are a name rather than a quantity: hotlines, flight and document numbers, years."""
    return (
        len(digits) > 9 or (len(digits) >= _SPELLED_FROM and not digits.endswith("00")) or digits[:1] == "0" != digits
    )


def _spelled(digits: str) -> str:
    return "".join(_DIGIT_WORDS_ZH[int(d)] for d in digits)


def _chinese(value: int) -> str:
    if value < 10:
        return _DIGIT_WORDS_ZH[value]
    for size, word in ((100_000_000, "亿"), (10_000, "万"), (1000, "千"), (100, "百"), (10, "十")):
        if value >= size:
            head = "" if size == 10 and value < 20 else _head(value // size, size)
            rest = value % size
            zero = "零" if rest and rest < size // 10 else ""
            return f"{head}{word}{zero}{_tail(rest) if rest else ''}"
    raise AssertionError("unreachable: every value of ten or more has a unit")


def _head(count: int, size: int) -> str:
    return "两" if count == 2 and size >= 1000 else _tail(count)


def _tail(value: int) -> str:
    """Like :func:`_chinese`, but ten to nineteen after a larger unit keep their one: 一百一十."""
    words = _chinese(value)
    return f"一{words}" if words.startswith("十") else words


def _english_number(number: str) -> str:
    """Return digits for the English voice, which reads quantities itself; codes are spelled."""
    plain = number.replace(",", "")
    return " ".join(plain) if plain.isdigit() and _is_code(plain) else plain.replace(" ", "").replace("%", " percent")


def _pinyin(han: str) -> str:
    return " ".join(lazy_pinyin(han, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False))


def _neighbour(text: str, piece: str, main: Language) -> Language:
    """Language of the characters right beside a number; that of the sentence when they tell nothing."""
    at = text.find(piece)
    around = text[max(0, at - 2) : at] + text[at + len(piece) : at + len(piece) + 2]
    if HAN.search(around):
        return "zh"
    return "en" if LATIN.search(around) else main


def _cut(sentence: str) -> Iterator[str]:
    while len(sentence) > SENTENCE_MAXIMUM:
        at = max(sentence.rfind(mark, 20, SENTENCE_MAXIMUM) for mark in ",，、:： ")
        at = SENTENCE_MAXIMUM if at < 0 else at + 1
        yield sentence[:at].strip()
        sentence = sentence[at:].strip()
    if sentence:
        yield sentence
