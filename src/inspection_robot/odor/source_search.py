"""The search for a source during one exposure: whiffs, particles, surge-cast and tracks, in map coordinates."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inspection_robot.odor import localization, surge_cast
from inspection_robot.odor.localization import FilterSettings, Particles, SourceEstimate, Whiff
from inspection_robot.odor.surge_cast import Phase, SearchState

Floats = NDArray[np.float64]

WHIFF = 0.3  # concentration of a whiff, relative to the half concentration of the strongest channel [1]
BEFORE = 20  # observations before the first whiff that count: clean air tells where the source is not
LONGEST = 400  # observations kept


class SourceSearch:
    """State of the search; forget it when the exposure is over.

    Args:
        seed: of the particle filter.
        settings: of the particle filter; defaults when None.
    """

    def __init__(self, seed: int, settings: FilterSettings | None = None) -> None:
        self._generator = np.random.default_rng(seed)
        self._settings = settings or FilterSettings()
        self._whiffs: deque[Whiff] = deque(maxlen=LONGEST)
        self._strongest: deque[float] = deque(maxlen=4)
        self._particles: Particles | None = None
        self._search: SearchState | None = None

    def observe(
        self, time_s: float, nose: Floats, response: Floats, exposed: bool, period_s: float, wind: Floats | None
    ) -> None:
        """Take one sample: nose (2,) [m] in map, responses (C,), measured wind (2,) [m/s] or None."""
        self._strongest.append(float(response.max()))
        smelt = False
        if exposed and len(self._strongest) > 1:
            smelt = bool(localization.air_concentration(np.array(self._strongest), period_s)[-1] > WHIFF)
        self._whiffs.append(Whiff(time_s, nose, smelt))
        if self._particles is None and smelt:
            self._particles = localization.start(nose, wind, self._generator, self._settings)
            for past in list(self._whiffs)[-BEFORE - 1 : -1]:
                self._update(past.nose, past.smelt)
            self._search = surge_cast.begin(nose, self.wind(wind))
        if self._particles is not None:
            self._update(nose, smelt)
        if self._search is not None:
            self._search = surge_cast.advance(self._search, nose, smelt, self.wind(wind))

    def reset(self) -> None:
        """Forget the source, keep the last observations of clean air."""
        self._particles = None
        self._search = None

    def estimate(self) -> SourceEstimate | None:
        """Where the source is; None before the first whiff."""
        return localization.estimate(self._particles) if self._particles is not None else None

    def wind(self, measured: Floats | None) -> Floats:
        """The measured wind, else the filter's (2,) [m/s], else none."""
        if measured is not None:
            return measured
        return localization.estimate(self._particles).wind if self._particles is not None else np.zeros(2)

    def waypoint(self) -> tuple[Phase, Floats] | None:
        """What surge-cast proposes: its phase and the next place (2,) [m]."""
        return (self._search.phase, self._search.goal) if self._search is not None else None

    def layer(self, estimate: SourceEstimate, cell_m: float, cells: int) -> tuple[Floats, NDArray[np.int8]]:
        """Map layer around the estimate: its corner (2,) [m] and a square of cells, 100 for the likeliest place."""
        assert self._particles is not None  # there is an estimate
        origin = np.floor(estimate.place / cell_m) * cell_m - 0.5 * cells * cell_m
        share = localization.grid(self._particles, origin, cell_m, (cells, cells))
        return origin, np.rint(100.0 * share / max(float(share.max()), 1e-12)).astype(np.int8)

    def carriers(self, tracks: Mapping[str, tuple[Floats, Floats]], measured: Floats | None) -> dict[str, float]:
        """Probability that each track carries the source; see :func:`localization.carriers`."""
        return localization.carriers(list(self._whiffs), tracks, self.wind(measured), self._settings)

    def _update(self, nose: Floats, smelt: bool) -> None:
        assert self._particles is not None
        self._particles = localization.update(self._particles, nose, smelt, self._generator, self._settings)


class TrackHistory:
    """Where people and luggage were in the last minute."""

    def __init__(self, span_s: float = 60.0) -> None:
        self._span_s = span_s
        self._places: dict[str, deque[tuple[float, float, float]]] = {}

    def add(self, time_s: float, places: Mapping[str, tuple[float, float]]) -> None:
        """Add the places (x, y) [m] of tracks at a time [s], and forget those not seen for the span."""
        for name, (x, y) in places.items():
            self._places.setdefault(name, deque(maxlen=600)).append((time_s, x, y))
        self._places = {
            name: history for name, history in self._places.items() if time_s - history[-1][0] <= self._span_s
        }

    def arrays(self) -> dict[str, tuple[Floats, Floats]]:
        """Times (T,) [s] and places (T, 2) [m] of each track."""
        stacked = {name: np.array(history) for name, history in self._places.items()}
        return {name: (history[:, 0], history[:, 1:]) for name, history in stacked.items()}
