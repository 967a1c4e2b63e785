"""Codes that stand on items themselves: a vehicle's identification number with its check digit, a lot, a serial."""

from __future__ import annotations

import re
from typing import Literal, get_args

ItemCodeKind = Literal["vin", "lot", "serial"]
ITEM_CODE_KINDS: tuple[str, ...] = get_args(ItemCodeKind)
# ISO 3779: 17 characters without I, O and Q.
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}", re.ASCII)
_LOT = re.compile(r"[A-Z0-9][A-Z0-9.-]{3,39}", re.ASCII)
# 49 CFR 565.15 (c): values of letters and weights of places; the check digit is the sum modulo 11, X for ten.
_VALUES = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", [*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True)
)
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK_PLACE = 8


def read_code(kind: str, text: str) -> str:
    """A code as it is kept: upper case, without blanks.

    Raises:
        ValueError: of no such form, or its check digit does not hold.
    """
    code = "".join(text.split()).upper()
    if kind == "vin":
        if _VIN.fullmatch(code) is None:
            raise ValueError("a VIN has 17 letters and digits, without I, O and Q")
        if code[_CHECK_PLACE] != vin_check_digit(code):
            raise ValueError("the VIN's check digit does not hold")
    elif kind in ITEM_CODE_KINDS:
        if _LOT.fullmatch(code) is None:
            raise ValueError(f"a {kind} has 4 … 40 letters, digits, . and -")
    else:
        raise ValueError(f"a code is one of {', '.join(ITEM_CODE_KINDS)}")
    return code


def vin_check_digit(code: str) -> str:
    """The ninth character that a VIN of 17 permitted characters must have (49 CFR 565.15)."""
    rest = sum(_VALUES[character] * weight for character, weight in zip(code, _WEIGHTS, strict=True)) % 11
    return "X" if rest == 10 else str(rest)
