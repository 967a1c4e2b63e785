"""Who carries it: does the source move with a tracked person, or does it stay where it is?

For every track the counts are fitted as those of a source at the track's place of each moment, and compared with the
best source that does not move. The difference of the log-likelihoods is the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.localise import LocaliseParameters, Measurements, kernels
from inspection_robot.radiation.source_fit import background_log_likelihood, fit_sources
from inspection_robot.radiation.walls import Walls

Floats = NDArray[np.float64]
CONVINCING = 4.0  # log-likelihood; odds of 55 to 1
LEAST_SEEN = 0.6  # share of the counts during which a track must have been seen
MOVED_M = 1.0


@dataclass(frozen=True)
class Carrier:
    """Whose track explains the counts.

    Attributes:
        track: id of the best track; empty when there is none that explains them.
        moves_with_track: True when the source moves with it, False when it stays, None when that cannot be told.
        log_odds: log-likelihood of the best track less that of the best place.
    """

    track: str
    moves_with_track: bool | None
    log_odds: float


def find_carrier(
    measurements: Measurements,
    tracks: dict[str, Floats],
    places_m: Floats,
    walls: Walls,
    parameters: LocaliseParameters,
) -> Carrier:
    """Compare tracks and places.

    Args:
        measurements: counts of the seconds around the alarm, n of them.
        tracks: position (n, 2) [m] of each track at each measurement; NaN where it was not seen.
        places_m: places (p, 2) [m] where a source that stays may be.
        walls: attenuators.
        parameters: of the localisation.
    """
    data = measurements
    nothing = background_log_likelihood(data.counts, data.live_s)
    places = fit_sources(data.counts, data.live_s, kernels(places_m, data, walls, parameters))
    # A source that stays cannot make the counts of a standing robot vary; its place would only fit noise of the pose.
    stood = float(np.ptp(data.positions_m, axis=0).max()) < MOVED_M
    stays = nothing if stood else float(places.log_likelihood.max())
    best, best_value, best_moved = "", -np.inf, 0.0
    for name, path in tracks.items():
        seen = np.isfinite(path).all(axis=1)
        if data.counts[seen].sum() < LEAST_SEEN * data.counts.sum():
            continue
        kernel = np.zeros(len(data.counts))
        squared = ((path[seen] - data.positions_m[seen]) ** 2).sum(axis=1) + parameters.height_difference_m**2
        kernel[seen] = parameters.cps_per_mbq_1m * data.live_s[seen] / squared
        value = float(fit_sources(data.counts, data.live_s, kernel[None, :]).log_likelihood[0])
        if value > best_value:
            best, best_value = name, value
            best_moved = float(np.ptp(path[seen], axis=0).max())
    # A place has two free coordinates more than a track, and each costs one unit (Akaike 1974).
    odds = best_value - (stays if stood else stays - 2.0)
    if not best or best_value - nothing < CONVINCING:
        return Carrier("", False if stays - nothing > CONVINCING else None, float(odds))
    if odds > CONVINCING and best_moved > MOVED_M:
        return Carrier(best, True, odds)
    if odds < -CONVINCING:
        return Carrier("", False, odds)
    return Carrier(best, None, odds)
