"""One thermal picture, whatever camera or file it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELSIUS_ZERO_KELVIN = 273.15
SMALLEST_SIDE = 16
LARGEST_SIDE = 4096
"""Sides outside this range [px] are no thermal picture: the range keeps hostile headers from claiming memory."""

# Between the coldest place on earth and the top of a radiometric camera's high range; a screening camera's whole
# picture has its median far inside.
_PLAUSIBLE_MEDIAN_CELSIUS = (-60.0, 150.0)


@dataclass(frozen=True)
class ThermalFrame:
    """A radiometric picture with the camera's state at the time.

    Attributes:
        celsius: Apparent temperature, shape (height, width), float32 [°C].
        time_s: Time of acquisition on the source's own clock [s]; only differences mean anything.
        seconds_since_ffc: Time since the last flat-field correction [s]; NaN when the source does not tell.
        ffc_running: The camera says that a flat-field correction is imminent or running.
    """

    celsius: NDArray[np.float32]
    time_s: float
    seconds_since_ffc: float = math.nan
    ffc_running: bool = False


def celsius_from_centikelvin(raw: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Convert a picture in 0.01 K (Lepton TLinear, ``mono16`` on the topic) to °C, float32 of the same shape."""
    return (raw.astype(np.float32) - np.float32(CELSIUS_ZERO_KELVIN * 100)) * np.float32(0.01)


def centikelvin_from_celsius(celsius: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Convert °C to 0.01 K, uint16 of the same shape; values outside 0–655.35 K saturate."""
    return np.clip(np.rint((celsius.astype(np.float64) + CELSIUS_ZERO_KELVIN) * 100), 0, 65535).astype(np.uint16)


def size_fault(width: int, height: int) -> str | None:
    """Say what is wrong with a picture's size, or None."""
    if not (min(width, height) >= SMALLEST_SIDE and max(width, height) <= LARGEST_SIDE):
        return f"picture of {width} × {height} pixels; sides must be {SMALLEST_SIDE} to {LARGEST_SIDE}"
    return None


def centikelvin_fault(raw: NDArray[np.uint16]) -> str | None:
    """Say why a 16-bit picture cannot be in 0.01 K, or None.

    Tells apart the two usual mistakes: an 8-bit (or otherwise tone-mapped) picture sent as radiometric,
    and swapped bytes.
    """
    fault = size_fault(raw.shape[1], raw.shape[0])
    if fault is not None:
        return fault
    if raw.max() <= 255:
        return "an 8-bit picture, not radiometric (no value above 255)"
    low, high = ((limit + CELSIUS_ZERO_KELVIN) * 100 for limit in _PLAUSIBLE_MEDIAN_CELSIUS)
    if low <= np.median(raw) <= high:
        return None
    swapped = raw.byteswap()
    if low <= np.median(swapped) <= high and _roughness(swapped) < _roughness(raw):
        return "bytes are in the wrong order"
    return f"values are not in 0.01 K (median {np.median(raw):.0f})"


def _roughness(raw: NDArray[np.uint16]) -> float:
    """Mean step between neighbours: swapped bytes make a picture rough."""
    return float(np.abs(np.diff(raw.astype(np.int32), axis=1)).mean())


def celsius_fault(celsius: NDArray[np.floating]) -> str | None:
    """Say why a picture cannot be in °C, or None."""
    fault = size_fault(celsius.shape[1], celsius.shape[0])
    if fault is not None:
        return fault
    if not np.isfinite(celsius).all():
        return "holds values that are not finite (NaN or infinity)"
    low, high = _PLAUSIBLE_MEDIAN_CELSIUS
    median = float(np.median(celsius[::4, ::4]))
    if not low <= median <= high:
        return f"values are not in °C (median {median:.1f})"
    return None
