"""A thermal test pattern that makes findings at a known rate: spots that get hot and cool down, one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROOM_CENTIKELVIN = 29_515  # 22 °C
SPOT_CENTIKELVIN = 36_315  # 90 °C
CYCLE_S = 8.0
HOT_S = 3.0
COLUMNS, ROWS = 4, 3
SPOTS = COLUMNS * ROWS


def hot_spots(time_s: float, rng: np.random.Generator, shape: tuple[int, int] = (120, 160)) -> NDArray[np.uint16]:
    """One frame of the pattern.

    Twelve spots, each hot for 3 s of every 8 s, evenly staggered: 1.5 warnings and 1.5 all-clears a second once the
    first cycle is over.

    Args:
        time_s: time of the frame [s].
        rng: source of the sensor noise (50 mK).
        shape: height and width [px].

    Returns:
        Radiometric frame, shape ``shape`` [0.01 K].
    """
    height, width = shape
    phase = (time_s + np.arange(SPOTS) * CYCLE_S / SPOTS) % CYCLE_S
    hot = (phase < HOT_S).reshape(ROWS, COLUMNS)
    side = height // 15
    cell = np.zeros((height // ROWS, width // COLUMNS), bool)
    top, left = (cell.shape[0] - side) // 2, (cell.shape[1] - side) // 2
    cell[top : top + side, left : left + side] = True
    frame = rng.normal(ROOM_CENTIKELVIN, 5.0, shape)
    pattern = np.kron(hot, cell)
    frame[: pattern.shape[0], : pattern.shape[1]][pattern] = SPOT_CENTIKELVIN
    return frame.astype(np.uint16)
