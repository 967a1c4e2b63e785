"""Bar-coded boarding passes, IATA Resolution 792 (the M format, PDF417, Aztec, QR, Data Matrix)."""

from __future__ import annotations

from inspection_robot.documents.bag_tag import expand_licence_plate
from inspection_robot.documents.checked import Parsed, PayloadError

MAXIMUM_LENGTH = 2000
_HEADER = (("format", 1), ("legs", 1), ("name", 20), ("electronic_ticket", 1))
_LEG = (
    ("booking", 7), ("from", 3), ("to", 3), ("carrier", 3), ("flight", 5), ("day_of_year", 3), ("compartment", 1),
    ("seat", 4), ("sequence", 5), ("passenger_status", 1),
)  # fmt: skip
_UNIQUE = (
    ("passenger_description", 1), ("check_in_source", 1), ("issue_source", 1), ("issue_date", 4),
    ("document_type", 1), ("issuer", 3), ("bag_tags", 13), ("bag_tags_2", 13), ("bag_tags_3", 13),
)  # fmt: skip
_REPEATED = (
    ("airline_code", 3), ("document_number", 10), ("selectee", 1), ("document_verification", 1),
    ("marketing_carrier", 3), ("frequent_flyer_airline", 3), ("frequent_flyer_number", 16),
    ("id_indicator", 1), ("free_baggage", 3), ("fast_track", 1),
)  # fmt: skip


class _Cursor:
    """Reads fields of fixed length from the front of a text."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    @property
    def left(self) -> int:
        return len(self._text) - self._at

    def take(self, length: int, name: str) -> str:
        if self.left < length:
            raise PayloadError(f"boarding pass ends within {name}")
        self._at += length
        return self._text[self._at - length : self._at]

    def size(self, name: str) -> int:
        digits = self.take(2, name)
        try:
            return int(digits, 16)
        except ValueError:
            raise PayloadError(f"{name} is no hexadecimal length") from None

    def peek(self) -> str:
        return self._text[self._at : self._at + 1]


def parse_boarding_pass(text: str) -> Parsed:
    """Parse a boarding pass; every field is bounded by its declared length, so none can reach into another.

    Raises:
        PayloadError: not the M format, a field cut off, or a length that leads outside the payload.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise PayloadError("longer than a boarding pass can be")
    cursor = _Cursor(text)
    fields = {name: cursor.take(length, name) for name, length in _HEADER}
    if fields["format"] != "M" or fields["legs"] not in "1234":
        raise PayloadError("no boarding pass of the M format with one to four legs")
    tags: list[str] = []
    for leg in range(1, int(fields["legs"]) + 1):
        for name, length in _LEG:
            fields[f"leg{leg}_{name}"] = cursor.take(length, name)
        size = cursor.size("the size of the variable fields")
        tags += _conditional(_Cursor(cursor.take(size, "the variable fields")), leg, fields)
    if cursor.peek() == "^":
        cursor.take(1, "the security mark")
        fields["security_type"] = cursor.take(1, "the security type")
        # The signature is the last item; some issuers cut it, which takes nothing from the journey.
        fields["security_length"] = str(min(cursor.size("the security size"), cursor.left))
    checks = {
        "day_of_year": _is_day(fields["leg1_day_of_year"]),
        "airports": all(
            fields[f"leg{leg}_{end}"].isalpha() for leg in range(1, int(fields["legs"]) + 1) for end in ("from", "to")
        ),
    }
    shown = {name: value.strip() for name, value in fields.items() if value.strip()}
    surname, _, given = shown.get("name", "").partition("/")
    shown |= {"surname": surname.strip(), "given_names": given.strip(), "bag_tag_numbers": " ".join(tags)}
    identifiers = [("bag_tag", tag) for tag in tags]
    if surname.strip():
        identifiers.append(("name", f"{surname.strip()}, {given.strip()}"))
    return Parsed("boarding_pass", shown, checks, tuple(identifiers))


def _conditional(cursor: _Cursor, leg: int, fields: dict[str, str]) -> list[str]:
    tags: list[str] = []
    if leg == 1 and cursor.peek() == ">":
        cursor.take(1, "the version mark")
        fields["version"] = cursor.take(1, "the version")
        if not cursor.left:
            return tags
        unique = _Cursor(cursor.take(cursor.size("the size of the unique fields"), "the unique fields"))
        for name, length in _UNIQUE:
            if unique.left < length:
                break
            fields[name] = unique.take(length, name)
            if name.startswith("bag_tags"):
                tags += expand_licence_plate(fields[name])
    if not cursor.left:
        return tags
    repeated = _Cursor(cursor.take(cursor.size("the size of the repeated fields"), "the repeated fields"))
    for name, length in _REPEATED:
        if repeated.left < length:
            break
        fields[f"leg{leg}_{name}"] = repeated.take(length, name)
    fields[f"leg{leg}_airline_use"] = cursor.take(cursor.left, "airline use")
    return tags


def _is_day(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 366
