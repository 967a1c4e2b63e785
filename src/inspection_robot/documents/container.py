"""Freight container numbers, ISO 6346:2022: owner code, category, serial number and check digit."""

from __future__ import annotations

import re
from itertools import combinations, product

from inspection_contract.container_number import check_digit
from inspection_robot.documents.checked import Parsed, PayloadError
from inspection_robot.documents.payload_text import latin_identifier

_NUMBER = re.compile(r"([A-Z]{3})([UJZ])\s*(\d{6})\s*-?\s*\[?(\d)\]?")
_LOOKS_LIKE_LETTER = {"0": "OD", "1": "IL", "2": "Z", "5": "S", "6": "G", "8": "B", "4": "A", "7": "T"}
_LOOKS_LIKE_DIGIT = {"O": "0", "D": "0", "Q": "0", "I": "1", "L": "1", "Z": "2", "S": "5", "G": "6", "B": "8", "A": "4"}
_READ_FOR_ANOTHER = {"0": "8", "8": "03", "1": "7", "7": "1", "3": "8", "5": "6", "6": "58", "9": "0"}


def parse_container(text: str) -> Parsed:
    """Parse a container number as it is written or coded.

    Raises:
        PayloadError: not of the form of a container number.
    """
    folded, _ = latin_identifier(text)
    match = _NUMBER.fullmatch(folded.strip())
    if match is None:
        raise PayloadError("no container number: four letters, six digits and a check digit are needed")
    owner, category, serial, digit = match.groups()
    number = f"{owner}{category}{serial}{digit}"
    return Parsed(
        "container",
        {"number": number, "owner": owner, "category": category, "serial": serial},
        {"check_digit": check_digit(number[:10]) == int(digit)},
        (("container", number),),
    )


def repair_container(text: str) -> str | None:
    """The only valid number that eleven characters read from a picture can be, or nothing.

    Letters and digits that look alike are set right by their place; if the check digit still fails, up to two digits
    are exchanged for ones they are often taken for. An answer is given only when exactly one candidate is valid.
    """
    folded = re.sub(r"[^A-Z0-9]", "", latin_identifier(text)[0])
    if len(folded) != 11:
        return None
    prefixes = ["".join(p) for p in product(*[_LOOKS_LIKE_LETTER.get(c, c) for c in folded[:4]])]
    prefixes = [prefix for prefix in prefixes if prefix.isalpha() and prefix[3] in "UJZ"]
    digits = "".join(_LOOKS_LIKE_DIGIT.get(c, c) for c in folded[4:])
    if not prefixes or not digits.isdigit():
        return None
    for changes in range(3):
        valid = {
            prefix + candidate
            for prefix in prefixes
            for candidate in _exchanged(digits, changes)
            if check_digit(prefix + candidate[:6]) == int(candidate[6])
        }
        if valid:
            return valid.pop() if len(valid) == 1 else None
    return None


def _exchanged(digits: str, changes: int) -> set[str]:
    results = set()
    for places in combinations(range(len(digits)), changes):
        for chosen in product(*[_READ_FOR_ANOTHER.get(digits[place], "") for place in places]):
            characters = list(digits)
            for place, character in zip(places, chosen, strict=True):
                characters[place] = character
            results.add("".join(characters))
    return results
