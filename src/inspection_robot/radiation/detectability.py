"""What would have been detected: the smallest source beside the path that would have raised the alarm."""

from __future__ import annotations

import math

from inspection_robot.radiation.count_watch import WatchParameters, detectable_rate_cps

# Ambient dose equivalent rate of Cs-137 at 1 m [uSv/h for 1 MBq] (H*(10) constant; Otto, Health Physics 2019).
CS137_USV_H_PER_MBQ_1M = 0.0927


def cps_per_mbq_1m(cps_per_usv_h: float) -> float:
    """Counts per second for 1 MBq of Cs-137 at 1 m, from a detector's sensitivity [1/s for 1 uSv/h of Cs-137]."""
    return cps_per_usv_h * CS137_USV_H_PER_MBQ_1M


def detectable_activity_mbq(
    background: int,
    background_s: float,
    speed_m_s: float,
    distance_m: float,
    sensitivity_cps_per_mbq_1m: float,
    parameters: WatchParameters,
    interval_s: float = 1.0,
) -> float:
    """Cs-137 activity [MBq] that alarms with 50 % probability when passed; NaN before the background is known.

    The mean of 1/r² over a window centred on the closest approach is ``2 / (d v w) atan(v w / 2 d)``.

    Args:
        background: counts of the background.
        background_s: their live time [s].
        speed_m_s: speed of the robot [m/s].
        distance_m: closest distance to the source [m].
        sensitivity_cps_per_mbq_1m: counts per second for 1 MBq at 1 m.
        parameters: of the watch.
        interval_s: interval of the readings [s].
    """
    if background_s < parameters.background_least_s or not sensitivity_cps_per_mbq_1m > 0.0:
        return math.nan
    limit = parameters.false_alarms_per_hour * interval_s / 3600.0 / len(parameters.windows_s)
    best = math.inf
    for window_s, tolerance in zip(parameters.windows_s, parameters.drift_tolerance, strict=True):
        needed_cps = detectable_rate_cps(background, background_s, window_s, tolerance, limit)
        half = 0.5 * speed_m_s * window_s / distance_m
        mean_over_r2 = (math.atan(half) / half if half > 1e-6 else 1.0) / distance_m**2
        best = min(best, needed_cps / (sensitivity_cps_per_mbq_1m * mean_over_r2))
    return best
