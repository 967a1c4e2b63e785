"""Payloads of codes as text that is safe to log and to show: they are written by anybody."""

from __future__ import annotations

import unicodedata

MAXIMUM_SHOWN = 512
CONFUSABLE = str.maketrans(
    "АВСЕНІЈКМОРЅТХУΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "ABCEHIJKMOPSTXYABEZHIKMNOPTYX",
)
"""Cyrillic and Greek capitals that look like Latin ones (a subset of Unicode UTS #39's table of confusables)."""


def shown(text: str, limit: int = MAXIMUM_SHOWN) -> str:
    """The text with control, format, surrogate and private characters written as escapes, cut to `limit` characters."""
    safe = "".join(
        character if unicodedata.category(character)[0] != "C" else f"\\u{ord(character):04x}"
        for character in text[:limit]
    )
    return safe if len(text) <= limit else safe[:limit] + "…"


def latin_identifier(text: str) -> tuple[str, bool]:
    """Fold an identifier to Latin capitals and digits.

    Full-width and compatibility forms are normalised (NFKC) and look-alikes of other scripts replaced.

    Returns:
        The folded text and whether look-alike characters of another script stood in it.
    """
    upper = unicodedata.normalize("NFKC", text).upper()
    folded = upper.translate(CONFUSABLE)
    return folded, folded != upper
