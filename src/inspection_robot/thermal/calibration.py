"""Judge a camera and its reference before they are trusted: linearity over a sweep, stability over time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SLOPE_LIMITS = (0.97, 1.03)
"""A screening thermometer that pulls 35–40 °C targets to normal has a slope below (Healy et al. 2021)."""
LARGEST_ERROR_C = 0.3
LARGEST_DRIFT_C_PER_MIN = 0.2
LARGEST_NOISE_C = 0.15
SMALLEST_RANGE_C = 3.0


@dataclass(frozen=True)
class SweepResult:
    """Straight line through what was read against what was set.

    Attributes:
        slope: [K/K].
        offset_c: Reading minus set value in the middle of the sweep [K].
        largest_error_c: Largest deviation of a reading from its set value after the offset is taken out [K].
        nonlinearity_c: Largest deviation from the straight line [K].
        points: Number of set values.
    """

    slope: float
    offset_c: float
    largest_error_c: float
    nonlinearity_c: float
    points: int


@dataclass(frozen=True)
class StabilityResult:
    """How steady a reference reads over a recording.

    Attributes:
        drift_c_per_min: Slope of a line through the readings [K/min].
        noise_c: Standard deviation from one frame to the next, over √2 [K].
        span_c: Largest minus smallest of the 1 s means [K].
        duration_s: [s].
        seen: Share of frames in which the reference was found.
    """

    drift_c_per_min: float
    noise_c: float
    span_c: float
    duration_s: float
    seen: float


def judge_sweep(set_celsius: NDArray[np.float64], read_celsius: NDArray[np.float64]) -> SweepResult:
    """Fit readings against set values.

    The offset is not held against a camera: the reference in view removes it. What remains must be linear.

    Args:
        set_celsius: Temperatures of the blackbody, shape (n,), n ≥ 3 [°C].
        read_celsius: What the chain read, shape (n,) [°C].

    Raises:
        ValueError: Fewer than three points, or a sweep of less than 3 K: no slope can be told.
    """
    if len(set_celsius) < 3 or np.ptp(set_celsius) < SMALLEST_RANGE_C:
        raise ValueError(f"a sweep needs three points over {SMALLEST_RANGE_C:g} K at least")
    slope, intercept = (float(v) for v in np.polyfit(set_celsius, read_celsius, 1))
    middle = float(np.mean(set_celsius))
    offset = slope * middle + intercept - middle
    line = slope * set_celsius + intercept
    return SweepResult(
        slope=slope, offset_c=offset, largest_error_c=float(np.abs(read_celsius - offset - set_celsius).max()),
        nonlinearity_c=float(np.abs(read_celsius - line).max()), points=len(set_celsius),
    )  # fmt: skip


def judge_stability(time_s: NDArray[np.float64], celsius: NDArray[np.float64]) -> StabilityResult:
    """Drift and noise of a reference's readings.

    Args:
        time_s: Times of the frames, shape (n,) [s].
        celsius: Readings, NaN where the reference was not found, shape (n,) [°C].

    Raises:
        ValueError: Found in fewer than ten frames.
    """
    known = np.isfinite(celsius)
    if known.sum() < 10:
        raise ValueError("the reference was found in fewer than ten frames")
    t, c = time_s[known], celsius[known]
    drift = float(np.polyfit(t - t[0], c, 1)[0]) * 60.0
    seconds = np.floor(t - t[0]).astype(int)
    counts = np.bincount(seconds)
    means = np.bincount(seconds, c)[counts > 0] / counts[counts > 0]
    return StabilityResult(
        drift_c_per_min=drift, noise_c=float(np.std(np.diff(c)) / math.sqrt(2.0)), span_c=float(np.ptp(means)),
        duration_s=float(t[-1] - t[0]), seen=float(known.mean()),
    )  # fmt: skip


def faults(sweep: SweepResult | None, stability: StabilityResult | None) -> list[str]:
    """Codes of everything that speaks against using the camera; empty means that it may be used."""
    found = []
    if sweep is not None:
        if not SLOPE_LIMITS[0] <= sweep.slope <= SLOPE_LIMITS[1]:
            found.append("slope")
        if sweep.largest_error_c > LARGEST_ERROR_C:
            found.append("error")
    if stability is not None:
        if abs(stability.drift_c_per_min) > LARGEST_DRIFT_C_PER_MIN:
            found.append("drift")
        if stability.noise_c > LARGEST_NOISE_C:
            found.append("noise")
        if stability.seen < 0.9:
            found.append("reference_hidden")
    return found


def draw_sweep(
    set_celsius: NDArray[np.float64], read_celsius: NDArray[np.float64], result: SweepResult
) -> NDArray[np.uint8]:
    """A plot of error against set value with the allowed band, BGR 640 × 400."""
    width, height, left, bottom = 640, 400, 60, 350
    error = read_celsius - set_celsius - result.offset_c
    reach = max(1.2 * float(np.abs(error).max()), 2 * LARGEST_ERROR_C)
    low, high = float(set_celsius.min()) - 0.3, float(set_celsius.max()) + 0.3

    def place(x: float, y: float) -> tuple[int, int]:
        return round(left + (x - low) / (high - low) * (width - left - 20)), round(190 - y / reach * 150)

    picture = np.full((height, width, 3), 255, np.uint8)
    cv2.rectangle(picture, place(low, LARGEST_ERROR_C), place(high, -LARGEST_ERROR_C), (225, 245, 225), -1)
    cv2.line(picture, place(low, 0.0), place(high, 0.0), (120, 120, 120), 1)
    for x, y in zip(set_celsius, error, strict=True):
        cv2.circle(picture, place(float(x), float(y)), 4, (160, 60, 20), -1, cv2.LINE_AA)
    font = cv2.FONT_HERSHEY_SIMPLEX
    for x in np.unique(np.rint(set_celsius)):
        cv2.putText(
            picture, f"{x:.0f}", (place(float(x), 0)[0] - 8, bottom + 20), font, 0.45, (60, 60, 60), 1, cv2.LINE_AA
        )
    for y in (-LARGEST_ERROR_C, 0.0, LARGEST_ERROR_C):
        cv2.putText(picture, f"{y:+.1f}", (8, place(low, y)[1] + 5), font, 0.45, (60, 60, 60), 1, cv2.LINE_AA)
    title = f"error [K] over set value [C]   slope {result.slope:.3f}   offset {result.offset_c:+.2f} K"
    cv2.putText(picture, title, (left, 24), font, 0.5, (30, 30, 30), 1, cv2.LINE_AA)
    return picture
