"""Baggage licence plates, IATA Resolution 740: ten digits without any check digit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from inspection_contract.resources import share
from inspection_robot.documents.checked import Parsed, PayloadError

LEADING_DIGIT = {
    "0": "interline_or_online", "1": "fallback", "2": "rush", "3": "airline_use", "4": "airline_use",
    "5": "airline_use", "6": "airline_use", "7": "airline_use", "8": "airline_use", "9": "airline_use",
}  # fmt: skip


@cache
def airline_prefixes(path: Path | None = None) -> Mapping[str, str]:
    """Airline accounting codes (three digits) that tags may carry, with the airline's designator."""
    content = yaml.safe_load((path or share() / "config" / "airline_prefixes.yaml").read_text(encoding="utf-8"))
    return {str(code): str(designator) for code, designator in content.items()}


def parse_bag_tag(text: str, airlines: Mapping[str, str] | None = None) -> Parsed:
    """Parse a licence plate.

    The number has no check digit, so the airline's prefix must be a known one for it to be valid, and a reader must
    see it in agreeing frames.

    Raises:
        PayloadError: not ten ASCII digits.
    """
    if len(text) != 10 or not (text.isascii() and text.isdigit()):
        raise PayloadError("no bag tag: ten digits are needed")
    known = airline_prefixes() if airlines is None else airlines
    airline = text[1:4]
    return Parsed(
        "bag_tag",
        {
            "number": text,
            "use": LEADING_DIGIT[text[0]],
            "airline_code": airline,
            "airline": known.get(airline, ""),
            "serial": text[4:],
        },
        {"known_airline": airline in known},
        (("bag_tag", text),),
    )


def expand_licence_plate(field: str) -> tuple[str, ...]:
    """Bag tags of a boarding pass: the 13 characters are a first tag of ten digits and how many follow it in turn.

    Raises:
        PayloadError: not blank and not 13 digits, or more than 999 tags.
    """
    if not field.strip():
        return ()
    if len(field) != 13 or not (field.isascii() and field.isdigit()):
        raise PayloadError("bag tags of a boarding pass are 13 digits")
    first, serial, further = field[:4], int(field[4:10]), int(field[10:])
    return tuple(f"{first}{(serial + offset) % 1_000_000:06d}" for offset in range(further + 1))
