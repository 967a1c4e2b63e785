"""Text as it comes from recognisers, keyboards and watch-lists, made fit to search and to speak."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
LATIN: Final = re.compile(r"[A-Za-z]")
MAXIMUM_LENGTH: Final = 400  # characters; a spoken question of a minute has about 250

_KEPT: Final = "，。！？：；（）《》“”‘’、…％"  # Chinese punctuation stays as people write it
_KEPT_MARK = re.compile(f"([{_KEPT}])")
_GROUPED = re.compile(r"(?<=\d)[,，](?=\d{3}(?!\d))")
_DIGITS: Final = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_UNITS: Final = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
_CHINESE_NUMBER = re.compile(r"[零〇一二两三四五六七八九十百千万]+")
_MIXED_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*(万|千|百)")
_ENGLISH_SMALL: Final = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {
    word: 10 * value
    for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_ENGLISH_LARGE: Final = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_ENGLISH_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?|[^\sa-z\d]+|\s+")


def clean(text: str, maximum_length: int = MAXIMUM_LENGTH) -> str:
    """Return ``text`` on one line, in compatibility form, without control, format or private characters.

    What watch-lists, documents and networks put into speech passes here: it can neither start a new line nor carry
    markup, escape sequences or direction marks. Longer text is cut.
    """
    text = "".join(
        piece if piece in _KEPT else unicodedata.normalize("NFKC", piece) for piece in _KEPT_MARK.split(text)
    )
    kept = (" " if unicodedata.category(c)[0] in "ZC" else c for c in text)
    return " ".join("".join(kept).split())[:maximum_length]


def language_of(text: str) -> Literal["zh", "en", "und"]:
    """Tell the language of a written question by its script.

    A question with brand names is Chinese as long as it has as many Han characters as Latin words.
    """
    han = len(HAN.findall(text))
    latin = len(re.findall(r"[A-Za-z]+", text))
    if han == 0 and latin == 0:
        return "und"
    return "zh" if han >= latin else "en"


def chinese_number(text: str) -> int | None:
    """Return the value of a Chinese numeral below 10⁸, such as 一万二千 or 两千零五; None when it is none.

    ``一万二`` means 12,000: a digit at the end counts in tenths of the unit before it.
    """
    if not text or any(c not in _DIGITS and c not in _UNITS for c in text):
        return None
    if all(c in _DIGITS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    total = section = digit = 0
    last_unit = 1
    zero = False
    for c in text:
        if c in _DIGITS:
            digit, zero = _DIGITS[c], zero or _DIGITS[c] == 0
        elif c == "万":
            total, section, digit, last_unit, zero = (total + section + digit) * 10_000, 0, 0, 10_000, False
        else:
            section += (digit or 1) * _UNITS[c]
            digit, last_unit, zero = 0, _UNITS[c], False
    if digit and last_unit > 10 and not zero:
        digit *= last_unit // 10
    return total + section + digit


def normalise(text: str) -> str:
    """Return cleaned, lower-case text whose numbers are plain digits: ``5,000``, ``五千`` and ``5千`` become ``5000``.

    Single Chinese digits stay words (一个 is rarely a number).
    """
    text = _GROUPED.sub("", clean(text).lower())
    text = _MIXED_UNIT.sub(lambda m: str(round(float(m[1]) * _UNITS[m[2]])), text)

    def digits(match: re.Match[str]) -> str:
        value = chinese_number(match[0]) if len(match[0]) > 1 else None
        return match[0] if value is None else str(value)

    return _english_numbers(_CHINESE_NUMBER.sub(digits, text))


def _english_numbers(text: str) -> str:
    """Replace runs of English number words that hold a large unit, as in "twenty thousand", by digits."""
    out: list[str] = []
    words: list[str] = []

    def flush() -> None:
        numeric = [w for w in words if not w.isspace()]
        if any(w in _ENGLISH_LARGE for w in numeric) and len(numeric) > 1:
            total = section = 0
            for w in numeric:
                if w == "hundred":
                    section = (section or 1) * 100
                elif w in _ENGLISH_LARGE:
                    total, section = total + (section or 1) * _ENGLISH_LARGE[w], 0
                else:
                    section += _ENGLISH_SMALL.get(w) if w in _ENGLISH_SMALL else round(float(w))  # type: ignore[operator]
            trailing = words[-1] if words[-1].isspace() else ""
            out.append(str(total + section) + trailing)
        else:
            out.extend(words)
        words.clear()

    for token in _ENGLISH_WORD.findall(text):
        number = token in _ENGLISH_SMALL or token in _ENGLISH_LARGE or (token[0].isdigit() and token.isascii())
        if number or (token.isspace() and words):
            words.append(token)
        else:
            flush()
            out.append(token)
    flush()
    return "".join(out)
