"""What one picture holds, document by document, and when enough frames agree on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inspection_robot.documents.checked import Parsed
from inspection_robot.documents.codes import NO_CHECK, Code, read_codes
from inspection_robot.documents.images import Gray
from inspection_robot.documents.mrz import document_of
from inspection_robot.documents.mrz_reader import MrzReader, ZoneInPicture
from inspection_robot.documents.payloads import interpret
from inspection_robot.documents.voting import NEEDED_WITHOUT_CHECK, Agreed, FrameVotes


@dataclass(frozen=True)
class Sight:
    """One document seen in one picture.

    Attributes:
        format: of the code or zone.
        parsed: what it says.
        valid: whether it may be believed, once enough frames agree.
        checks: which checks were made and their outcome.
        needed: frames that must agree.
        corners: (4, 2), clockwise from the upper left, pixels.
        key: what makes two sights equal. Never leaves the process.
    """

    format: str
    parsed: Parsed
    valid: bool
    checks: str
    needed: int
    corners: NDArray[np.float32]
    key: str


def look(picture: Gray, reader: MrzReader | None, budget_s: float) -> list[Sight]:
    """Every document in a picture.

    Args:
        picture: (rows, columns) uint8.
        reader: of machine readable zones; none are looked for without it.
        budget_s: for the codes [s].
    """
    sights = [_of_code(code) for code in read_codes(picture, budget_s)]
    if reader is not None and (zone := reader.read(picture, any_way_up=False)) is not None and _is_zone(zone):
        sights.append(_of_zone(zone))
    return sights


def agreed(votes: FrameVotes[Sight], sights: Iterable[Sight], now_s: float) -> list[Agreed[Sight]]:
    """Count a picture's sights; those that have enough frames now."""
    found = (votes.add(sight.key, sight, sight.needed, now_s) for sight in sights)
    return [one for one in found if one is not None]


def _of_code(code: Code) -> Sight:
    parsed = interpret(code)
    unchecked = code.format in NO_CHECK
    checks = " ".join(filter(None, (code.checks, parsed.checks_text())))
    needed = NEEDED_WITHOUT_CHECK if unchecked else 1
    key = f"{code.format}\x1f{code.raw.hex()}"
    return Sight(code.format, parsed, parsed.valid, checks, needed, code.corners, key)


def _of_zone(zone: ZoneInPicture) -> Sight:
    mrz = zone.reading.mrz
    valid = zone.reading.certain
    document = document_of(mrz)
    # A number whose picture left doubt is to the watch-list what a failed check is.
    parsed = replace(document, checks={**document.checks, "read_clearly": valid})
    key = "\x1f".join((mrz.layout.name, *mrz.lines))
    return Sight(mrz.layout.name, parsed, valid, parsed.checks_text(), 1 if valid else 2, zone.corners, key)


def _is_zone(zone: ZoneInPicture) -> bool:
    """Lines that look like a zone but satisfy hardly a check are other print."""
    checks = zone.reading.mrz.checks
    return sum(checks.values()) >= 0.6 * len(checks) and zone.reading.likelihood > -1.2
