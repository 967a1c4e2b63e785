"""The five layouts of machine readable zones as data (ICAO Doc 9303, parts 4 to 7, eighth edition)."""

from __future__ import annotations

from dataclasses import dataclass

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FILLER = "<"
ALPHABET = DIGITS + LETTERS + FILLER
"""Order of the classes of `models/mrz_reader.onnx` too."""

NUMERIC, ALPHABETIC, ANY, SEX, DATE, CHECK = "numeric", "alphabetic", "any", "sex", "date", "check"
ALLOWED = {
    NUMERIC: DIGITS,
    ALPHABETIC: LETTERS + FILLER,
    ANY: ALPHABET,
    SEX: "MFX" + FILLER,
    DATE: DIGITS + FILLER,
    CHECK: DIGITS,
}


@dataclass(frozen=True)
class Field:
    """A field: zero-based line, first column, column after its last, and what may stand in it."""

    name: str
    line: int
    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Check:
    """A check digit at (line, column) over spans (line, start, end) in this order."""

    name: str
    line: int
    column: int
    over: tuple[tuple[int, int, int], ...]
    filler_when_empty: bool = False


@dataclass(frozen=True)
class MrzFormat:
    """One layout: `lines` lines of `length` characters."""

    name: str
    lines: int
    length: int
    fields: tuple[Field, ...]
    checks: tuple[Check, ...]

    def allowed(self, line: int, column: int) -> str:
        """Characters that may stand at a place."""
        for entry in self.fields:
            if entry.line == line and entry.start <= column < entry.end:
                return ALLOWED[entry.kind]
        check = next(check for check in self.checks if (check.line, check.column) == (line, column))
        return DIGITS + FILLER if check.filler_when_empty or check.name == "document_number" else DIGITS

    def protected(self) -> frozenset[tuple[int, int]]:
        """Places that some check digit covers, check digits included."""
        places = {(check.line, check.column) for check in self.checks}
        for check in self.checks:
            places |= {(line, column) for line, start, end in check.over for column in range(start, end)}
        return frozenset(places)


def _second_line(optional_end: int) -> tuple[Field, ...]:
    return (
        Field("document_number", 1, 0, 9, ANY),
        Field("nationality", 1, 10, 13, ALPHABETIC),
        Field("birth_date", 1, 13, 19, DATE),
        Field("sex", 1, 20, 21, SEX),
        Field("expiry_date", 1, 21, 27, DATE),
        Field("optional", 1, 28, optional_end, ANY),
    )


_HEAD = (Field("document_code", 0, 0, 2, ALPHABETIC), Field("issuer", 0, 2, 5, ALPHABETIC))
_SECOND_LINE_CHECKS = (
    Check("document_number", 1, 9, ((1, 0, 9),)),
    Check("birth_date", 1, 19, ((1, 13, 19),)),
    Check("expiry_date", 1, 27, ((1, 21, 27),)),
)

TD1 = MrzFormat(
    "TD1",
    3,
    30,
    (
        Field("document_code", 0, 0, 2, ANY),
        Field("issuer", 0, 2, 5, ALPHABETIC),
        Field("document_number", 0, 5, 14, ANY),
        Field("optional", 0, 15, 30, ANY),
        Field("birth_date", 1, 0, 6, DATE),
        Field("sex", 1, 7, 8, SEX),
        Field("expiry_date", 1, 8, 14, DATE),
        Field("nationality", 1, 15, 18, ALPHABETIC),
        Field("optional_2", 1, 18, 29, ANY),
        Field("names", 2, 0, 30, ALPHABETIC),
    ),
    (
        Check("document_number", 0, 14, ((0, 5, 14),)),
        Check("birth_date", 1, 6, ((1, 0, 6),)),
        Check("expiry_date", 1, 14, ((1, 8, 14),)),
        Check("composite", 1, 29, ((0, 5, 30), (1, 0, 7), (1, 8, 15), (1, 18, 29))),
    ),
)
TD2 = MrzFormat(
    "TD2",
    2,
    36,
    (*_HEAD, Field("names", 0, 5, 36, ALPHABETIC), *_second_line(35)),
    (*_SECOND_LINE_CHECKS, Check("composite", 1, 35, ((1, 0, 10), (1, 13, 20), (1, 21, 35)))),
)
TD3 = MrzFormat(
    "TD3",
    2,
    44,
    (*_HEAD, Field("names", 0, 5, 44, ALPHABETIC), *_second_line(42)),
    (
        *_SECOND_LINE_CHECKS,
        Check("optional", 1, 42, ((1, 28, 42),), filler_when_empty=True),
        Check("composite", 1, 43, ((1, 0, 10), (1, 13, 20), (1, 21, 43))),
    ),
)
MRVA = MrzFormat(
    "MRVA", 2, 44, (*_HEAD, Field("names", 0, 5, 44, ALPHABETIC), *_second_line(44)), _SECOND_LINE_CHECKS
)  # fmt: skip
MRVB = MrzFormat(
    "MRVB", 2, 36, (*_HEAD, Field("names", 0, 5, 36, ALPHABETIC), *_second_line(36)), _SECOND_LINE_CHECKS
)  # fmt: skip
FORMATS = (TD1, TD2, TD3, MRVA, MRVB)


def format_of(lines: tuple[str, ...]) -> MrzFormat | None:
    """The layout that lines of this number, length and first letter have."""
    for layout in FORMATS:
        if len(lines) == layout.lines and all(len(line) == layout.length for line in lines):
            visa = lines[0][:1] == "V"
            if layout.lines == 3 or visa == (layout in (MRVA, MRVB)):
                return layout
    return None
