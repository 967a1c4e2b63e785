"""Machine readable zones: check digits, fields, and what a zone says (ICAO Doc 9303-3 section 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product

from inspection_robot.documents.checked import Parsed, PayloadError
from inspection_robot.documents.mrz_formats import (
    ALPHABET,
    DIGITS,
    FILLER,
    LETTERS,
    TD1,
    TD2,
    Check,
    MrzFormat,
    format_of,
)

_VALUE = {character: value for value, character in enumerate(DIGITS + LETTERS)} | {FILLER: 0}
_AS_DIGIT = {
    "O": "0", "D": "0", "Q": "0", "U": "0", "I": "1", "L": "1", "Z": "2", "A": "4", "S": "5", "G": "6", "T": "7",
    "B": "8",
}  # fmt: skip
_AS_LETTER = {"0": "O", "1": "I", "2": "Z", "4": "A", "5": "S", "6": "G", "7": "T", "8": "B"}
_LOOKS_LIKE = {
    "0": "OQD", "O": "0QD", "D": "0O", "Q": "0O", "1": "IL7", "I": "1L", "L": "1I", "2": "Z", "Z": "2", "5": "S",
    "S": "5", "8": "B", "B": "8", "6": "G", "G": "6C", "4": "A", "A": "4", "7": "1T", "T": "7", "C": "G<", "K": "<",
    "<": "KC",
}  # fmt: skip
_MAXIMUM_EXCHANGES = 2


@dataclass(frozen=True)
class Mrz:
    """A zone as text.

    Attributes:
        layout: which of the five formats.
        lines: its lines.
        fields: contents without fillers; `surname` and `given_names` apart.
        checks: each check digit and whether it holds.
        repaired: places (line, column) that were read otherwise and set right.
    """

    layout: MrzFormat
    lines: tuple[str, ...]
    fields: Mapping[str, str]
    checks: Mapping[str, bool]
    repaired: tuple[tuple[int, int], ...] = ()

    @property
    def valid(self) -> bool:
        """Whether every check digit holds and the dates can be dates."""
        return all(self.checks.values())


def check_digit(text: str) -> int:
    """Check digit of a span: digits count themselves, A…Z 10…35, fillers 0, weights 7 3 1 (Doc 9303-3, 4.9)."""
    return sum(_VALUE[character] * (7, 3, 1)[i % 3] for i, character in enumerate(text)) % 10


def parse_mrz(lines: tuple[str, ...]) -> Mrz:
    """Parse a zone whose lines are known exactly.

    Raises:
        PayloadError: the lines are no zone of any of the five formats.
    """
    layout = format_of(lines)
    if layout is None:
        raise PayloadError("no machine readable zone: neither 3×30, 2×36 nor 2×44 characters")
    if any(character not in ALPHABET for line in lines for character in line):
        raise PayloadError("a machine readable zone holds only A-Z, 0-9 and <")
    fields = {entry.name: lines[entry.line][entry.start : entry.end] for entry in layout.fields}
    number = fields["document_number"].rstrip(FILLER)
    checks = {check.name: _holds(check, lines) for check in layout.checks}
    if layout in (TD1, TD2) and (long_number := _long_number(layout, lines)) is not None:
        number, checks["document_number"] = long_number
    for name in ("birth_date", "expiry_date"):
        checks[f"{name}_plausible"] = is_plausible_date(fields[name])
    checks["characters"] = all(
        lines[line][column] in layout.allowed(line, column)
        for line in range(layout.lines)
        for column in range(layout.length)
    )
    surname, _, given = fields.pop("names").partition(FILLER * 2)
    contents = {name: _spaced(value) for name, value in fields.items()}
    contents |= {"document_number": number, "surname": _spaced(surname), "given_names": _spaced(given)}
    return Mrz(layout, lines, contents, checks)


def document_of(mrz: Mrz) -> Parsed:
    """What a zone means as a document, with the identifiers a watch-list can be asked for."""
    code = mrz.fields["document_code"]
    kind = "passport" if code.startswith("P") else "visa" if code.startswith("V") else "id_card"
    identifiers = [("document_number", f"{mrz.fields['issuer']}{mrz.fields['document_number']}")]
    identifiers.append(("document_number", mrz.fields["document_number"]))
    if mrz.fields["surname"]:
        identifiers.append(("name", f"{mrz.fields['surname']}, {mrz.fields['given_names']}"))
    return Parsed(kind, mrz.fields, mrz.checks, tuple(identifiers))


def repair_mrz(lines: tuple[str, ...]) -> Mrz:
    """Parse lines that were read with errors, and set right what the format and the check digits determine.

    Letters in numeric places and digits in alphabetic ones become their look-alikes. If a check still fails, up to
    two characters of its span are exchanged for look-alikes; that is kept only when exactly one exchange satisfies
    the span's own check digit and no other check gets worse, so that nothing is guessed.

    Raises:
        PayloadError: as :func:`parse_mrz`.
    """
    cleaned = tuple(re.sub(r"\s", "", line).upper().replace("«", "<<") for line in lines)
    layout = format_of(cleaned)
    if layout is None or any(character not in ALPHABET for line in cleaned for character in line):
        parse_mrz(cleaned)
        raise AssertionError("parse_mrz accepts what has no format")
    placed = tuple(
        "".join(_fit(character, layout.allowed(row, column)) for column, character in enumerate(line))
        for row, line in enumerate(cleaned)
    )
    mrz = parse_mrz(placed)
    for check in layout.checks:
        if not mrz.checks[check.name] and (better := _only_exchange(mrz, check)) is not None:
            mrz = better
    changed = tuple(
        (row, column)
        for row in range(layout.lines)
        for column in range(layout.length)
        if mrz.lines[row][column] != cleaned[row][column]
    )
    return Mrz(mrz.layout, mrz.lines, mrz.fields, mrz.checks, changed)


def is_plausible_date(text: str) -> bool:
    """Whether YYMMDD can be a date; month and day may be unknown (fillers, Doc 9303-3 section 4.8)."""
    if text == FILLER * 6:
        return True
    if not re.fullmatch(r"\d\d(\d\d|<<)(\d\d|<<)", text):
        return False
    month, day = text[2:4], text[4:6]
    if month == FILLER * 2:
        return day == FILLER * 2
    longest = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= int(month) <= 12 and (day == FILLER * 2 or 1 <= int(day) <= longest[int(month) - 1])


def _holds(check: Check, lines: tuple[str, ...]) -> bool:
    span = "".join(lines[line][start:end] for line, start, end in check.over)
    digit = lines[check.line][check.column]
    if digit == FILLER:
        return check.filler_when_empty and not span.strip(FILLER)
    return digit in DIGITS and check_digit(span) == int(digit)


def _long_number(layout: MrzFormat, lines: tuple[str, ...]) -> tuple[str, bool] | None:
    """A document number of more than nine characters goes on in the optional field (Doc 9303-5, note j)."""
    line, start = (0, 5) if layout is TD1 else (1, 0)
    text = lines[line]
    if text[start + 9] != FILLER:
        return None
    optional = text[15:30] if layout is TD1 else text[28:35]
    rest = optional.split(FILLER)[0]
    if len(rest) < 2 or rest[-1] not in DIGITS:
        return None
    span = f"{text[start : start + 9]}{FILLER}{rest[:-1]}"
    number = f"{text[start : start + 9]}{rest[:-1]}"
    return number, int(rest[-1]) in (check_digit(span), check_digit(number))


def _spaced(text: str) -> str:
    return re.sub(r"<+", " ", text).strip()


def _fit(character: str, allowed: str) -> str:
    if character in allowed:
        return character
    for table in (_AS_DIGIT, _AS_LETTER):
        if (other := table.get(character, "")) and other in allowed:
            return other
    return character


def _only_exchange(mrz: Mrz, check: Check) -> Mrz | None:
    layout = mrz.layout
    places = [(line, column) for line, start, end in check.over for column in range(start, end)]
    places.append((check.line, check.column))
    failing = {name for name, holds in mrz.checks.items() if not holds}
    for count in range(1, _MAXIMUM_EXCHANGES + 1):
        found: dict[tuple[str, ...], Mrz] = {}
        for chosen in combinations(places, count):
            options = [
                [other for other in _LOOKS_LIKE.get(mrz.lines[row][column], "") if other in layout.allowed(row, column)]
                for row, column in chosen
            ]
            for characters in product(*options):
                lines = _exchanged(mrz.lines, chosen, characters)
                if not _holds(check, lines):
                    continue
                candidate = parse_mrz(lines)
                still = {name for name, holds in candidate.checks.items() if not holds}
                if check.name not in still and still <= failing:
                    found[lines] = candidate
        fewest = min((sum(not holds for holds in mrz.checks.values()) for mrz in found.values()), default=0)
        best = [mrz for mrz in found.values() if sum(not holds for holds in mrz.checks.values()) == fewest]
        if best:
            return best[0] if len(best) == 1 else None
    return None


def _exchanged(
    lines: tuple[str, ...], places: tuple[tuple[int, int], ...], characters: tuple[str, ...]
) -> tuple[str, ...]:
    rows = [list(line) for line in lines]
    for (row, column), character in zip(places, characters, strict=True):
        rows[row][column] = character
    return tuple("".join(row) for row in rows)
