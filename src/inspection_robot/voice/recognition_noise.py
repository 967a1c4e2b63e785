"""Recognition errors put into Chinese text, to measure retrieval under a known character error rate.

Recognisers of Mandarin confuse sounds, not shapes. Of the errors made here, 80 % are substitutions (half by a character
of the same syllable in any tone, a third by one of a confusable syllable, the rest by any character), 12 % deletions
and 8 % insertions. Characters come from the 3,755 of GB 2312 level 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from pypinyin import Style, lazy_pinyin
from rapidfuzz.distance import Levenshtein

from inspection_robot.voice.features import syllable
from inspection_robot.voice.text import HAN

SUBSTITUTED, DELETED = 0.80, 0.12
SAME_SOUND, LIKE_SOUND = 0.5, 0.33


@cache
def _level_one() -> tuple[Sequence[str], dict[str, list[str]], dict[str, list[str]]]:
    """Characters of GB 2312 level 1 (rows 16–55), and by exact and by merged toneless syllable."""
    codes = [bytes((0xA0 + row, 0xA0 + cell)) for row in range(16, 56) for cell in range(1, 95)]
    characters = [c for c in (code.decode("gb2312", errors="ignore") for code in codes) if c]
    exact: dict[str, list[str]] = {}
    merged: dict[str, list[str]] = {}
    for character in characters:
        sound = lazy_pinyin(character, style=Style.NORMAL)[0]
        exact.setdefault(sound, []).append(character)
        merged.setdefault(syllable(sound), []).append(character)
    return characters, exact, merged


def misheard(text: str, error_rate: float, generator: np.random.Generator) -> str:
    """Return ``text`` with each Han character in error with probability ``error_rate``."""
    characters, exact, merged = _level_one()

    def other(choices: Sequence[str], but: str) -> str:
        left = [c for c in choices if c != but] or [c for c in characters if c != but]
        return left[int(generator.integers(len(left)))]

    out = []
    for character in text:
        if not HAN.match(character) or generator.random() >= error_rate:
            out.append(character)
            continue
        kind, how = generator.random(), generator.random()
        if kind < SUBSTITUTED:
            sound = lazy_pinyin(character, style=Style.NORMAL)[0]
            if how < SAME_SOUND:
                out.append(other(exact.get(sound, characters), character))
            elif how < SAME_SOUND + LIKE_SOUND:
                out.append(other(merged.get(syllable(sound), characters), character))
            else:
                out.append(other(characters, character))
        elif kind >= SUBSTITUTED + DELETED:
            out += [character, other(characters, character)]
    return "".join(out)


def character_error_rate(truth: str, heard: str) -> float:
    """Return the edit distance over the Han characters, relative to the length of the truth."""
    a, b = "".join(HAN.findall(truth)), "".join(HAN.findall(heard))
    return Levenshtein.distance(a, b) / max(1, len(a))
