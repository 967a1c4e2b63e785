"""Check digit of freight container numbers (ISO 6346:2022, annex A)."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[A-Z]{3}[UJZ][0-9]{7}")
_VALUES = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (v for v in range(10, 39) if v % 11), strict=True))


def check_digit(code: str) -> int:
    """Check digit of the ten characters before it.

    Letters count 10…38 without multiples of 11, position i weighs 2^i, the sum modulo 11; a remainder of 10 counts 0.
    """
    total = sum((_VALUES.get(character) or int(character)) << position for position, character in enumerate(code))
    return total % 11 % 10


def is_container_number(text: str) -> bool:
    """Whether eleven characters are a container number with its right check digit."""
    return _NUMBER.fullmatch(text) is not None and check_digit(text[:10]) == int(text[10])
