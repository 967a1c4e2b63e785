"""Surge-cast search: run upwind while it smells, sweep crosswind with growing width when it does not.

Source: Lochmatter and Martinoli, "Tracking odor plumes in a laminar wind field with bio-inspired algorithms"
(Experimental Robotics, 2009). Only the next waypoint is proposed; who drives decides whether it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Phase(StrEnum):
    """What the search is doing."""

    SURGE = "surge"
    CAST = "cast"
    LOST = "lost"


@dataclass(frozen=True)
class SearchSettings:
    """Lengths of the search [m] and its end."""

    surge_m: float = 0.6
    first_cast_m: float = 0.5
    cast_growth: float = 1.6  # each sweep is this much wider than the last [1]
    widest_cast_m: float = 4.0
    reached_m: float = 0.15
    calm_m_s: float = 0.03  # below this wind speed there is no upwind [m/s]


@dataclass(frozen=True)
class SearchState:
    """Where the search stands. ``anchor`` (2,) is where it smelt last, ``side`` +1 is left of upwind."""

    phase: Phase
    anchor: Floats
    goal: Floats
    side: float
    width_m: float


def begin(position: Floats, wind: Floats, settings: SearchSettings | None = None) -> SearchState:
    """Start at the first whiff at ``position`` (2,) [m] in a wind (2,) [m/s]."""
    chosen = settings or SearchSettings()
    goal = position + chosen.surge_m * _upwind(wind, chosen)
    return SearchState(Phase.SURGE, position.copy(), goal, 1.0, chosen.first_cast_m)


def advance(
    state: SearchState, position: Floats, smells: bool, wind: Floats, settings: SearchSettings | None = None
) -> SearchState:
    """Decide on the next waypoint from where the robot is and whether it smells there now."""
    chosen = settings or SearchSettings()
    upwind = _upwind(wind, chosen)
    if smells:
        return SearchState(
            Phase.SURGE, position.copy(), position + chosen.surge_m * upwind, state.side, chosen.first_cast_m
        )
    if np.linalg.norm(state.goal - position) > chosen.reached_m:
        return state
    if state.phase is Phase.LOST:
        return state
    if state.phase is Phase.SURGE:
        # The plume was lost on this leg: sweep across from where it was last smelt.
        width, side = chosen.first_cast_m, state.side
    else:
        width, side = state.width_m * chosen.cast_growth, -state.side
    if width > chosen.widest_cast_m:
        return SearchState(Phase.LOST, state.anchor, state.anchor, side, width)
    across = np.array([-upwind[1], upwind[0]])
    return SearchState(Phase.CAST, state.anchor, state.anchor + side * width * across, side, width)


def _upwind(wind: Floats, settings: SearchSettings) -> Floats:
    """Unit vector against the wind; along +x when it is calm, as good as any other direction."""
    speed = float(np.linalg.norm(wind))
    return -wind / speed if speed >= settings.calm_m_s else np.array([1.0, 0.0])
