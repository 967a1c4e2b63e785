"""Who carries which piece of luggage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from inspection_robot.people.tracking import Kind, Track

REACH_M = 1.3
"""A trolley case trails its owner by no more than an arm and a handle [m]."""
LEFT_M = 3.0
"""Beyond this the owner has left the piece behind [m]."""
TIE_S = 1.5
"""Together this long ties a piece to a person [s]."""


@dataclass(frozen=True)
class _Bond:
    carrier: str
    since_s: float
    tied: bool


@dataclass
class LuggageTies:
    """Ties luggage to the person it stays near and moves with.

    A tied piece keeps its carrier until that person is more than three metres away; then it is nobody's: left behind.
    """

    _bonds: dict[str, _Bond] = field(default_factory=dict)

    def update(self, tracks: Sequence[Track], time_s: float) -> dict[str, str]:
        """Take in the tracks of this instant; returns luggage → carrier of the tied pieces."""
        people = {track.track: track for track in tracks if track.kind is Kind.PERSON}
        pieces = [track for track in tracks if track.kind is Kind.LUGGAGE]
        bonds = {}
        for piece in pieces:
            bond = self._bonds.get(piece.track)
            carrier = people.get(bond.carrier) if bond is not None else None
            if bond is not None and bond.tied and carrier is not None:
                if float(np.linalg.norm(carrier.position - piece.position)) <= LEFT_M:
                    bonds[piece.track] = bond
                continue
            nearest = _companion(piece, people.values())
            if nearest is None:
                continue
            if bond is None or bond.carrier != nearest:
                bond = _Bond(nearest, time_s, False)
            bonds[piece.track] = _Bond(nearest, bond.since_s, time_s - bond.since_s >= TIE_S)
        self._bonds = bonds
        return {piece: bond.carrier for piece, bond in bonds.items() if bond.tied}


def _companion(piece: Track, people: Iterable[Track]) -> str | None:
    best: tuple[float, str] | None = None
    for person in people:
        distance = float(np.linalg.norm(person.position - piece.position))
        apart = float(np.linalg.norm(person.velocity - piece.velocity))
        cost = distance + 0.5 * apart
        if distance <= REACH_M and (best is None or cost < best[0]):
            best = (cost, person.track)
    return None if best is None else best[1]
