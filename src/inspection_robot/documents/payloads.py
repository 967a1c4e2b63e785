"""From the payload of a code to the document it belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable

from inspection_robot.documents.bag_tag import parse_bag_tag
from inspection_robot.documents.boarding_pass import parse_boarding_pass
from inspection_robot.documents.checked import Parsed, PayloadError
from inspection_robot.documents.codes import Code
from inspection_robot.documents.container import parse_container
from inspection_robot.documents.mrz import document_of, parse_mrz
from inspection_robot.documents.payload_text import latin_identifier

_BAG_TAG_SYMBOLOGIES = ("ITF", "Code 128")
_INSPECTION = re.compile(r"(?:https?://[a-z0-9.-]{1,100}(?::\d{1,5})?/q/|INSPECTION:)([A-Z0-9-]{4,64})", re.IGNORECASE)
"""Codes of the center's paperless orders and goods: the last part is the registration number. Nothing is opened."""


def interpret(code: Code) -> Parsed:
    """Say what kind of document a code belongs to; what no parser knows is `other` and has no identifier."""
    parsers: list[Callable[[str], Parsed]] = [parse_boarding_pass, _parse_mrz_text, _parse_inspection, parse_container]
    if code.format.startswith(_BAG_TAG_SYMBOLOGIES):
        parsers.insert(0, parse_bag_tag)
    else:
        parsers.append(_parse_tag_of_known_airline)
    for parser in parsers:
        try:
            return parser(code.text)
        except PayloadError:
            continue
    _, look_alikes = latin_identifier(code.text)
    return Parsed("other", {}, {"no_look_alikes": not look_alikes})


def _parse_tag_of_known_airline(text: str) -> Parsed:
    """A licence plate in a two-dimensional code: ten digits there may be anything else, a telephone number say."""
    parsed = parse_bag_tag(text)
    if not parsed.checks["known_airline"]:
        raise PayloadError("no bag tag of an airline that is known")
    return parsed


def _parse_mrz_text(text: str) -> Parsed:
    lines = tuple(text.split())
    if len(lines) == 1:
        lines = next(
            (
                tuple(text[start : start + length] for start in range(0, len(text), length))
                for count, length in ((3, 30), (2, 36), (2, 44))
                if len(text) == count * length
            ),
            lines,
        )
    return document_of(parse_mrz(lines))


def _parse_inspection(text: str) -> Parsed:
    match = _INSPECTION.fullmatch(text)
    if match is None:
        raise PayloadError("no inspection code")
    return Parsed("inspection_qr", {"registration": match.group(1).upper()})
