"""The heated reference in the picture: found by its shape, followed, and used to correct the camera's drift.

An uncooled camera is wrong by kelvins and drifts by tenths a minute; a disc of known temperature in view turns that
into a known offset (ISO/TR 13154: the reference stays in the picture). A Lepton is specified to ±5 °C.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.thermal.frames import ThermalFrame


@dataclass(frozen=True)
class ReferenceSettings:
    """What the reference is and how far a camera may be off.

    Attributes:
        celsius: Temperature the reference is held at [°C].
        standard_uncertainty_c: Of that temperature, from its certificate and surface [K].
        camera_error_c: The camera's own error that is believed before the disc is doubted [K].
        contrast_c: The disc is this much above everything around it [K].
        uniformity_c: Largest standard deviation inside the disc [K].
        smallest_radius: Of the disc, relative to the picture's longer side [1].
        largest_radius: Of the disc, relative to the picture's longer side [1].
    """

    celsius: float = 37.0
    standard_uncertainty_c: float = 0.1
    camera_error_c: float = 9.0
    contrast_c: float = 2.0
    uniformity_c: float = 0.45
    smallest_radius: float = 0.018
    largest_radius: float = 0.06


@dataclass(frozen=True)
class Disc:
    """A reference in one frame: centre and radius [px], mean and standard deviation of its inner part [°C, K]."""

    x: float
    y: float
    radius: float
    celsius: float
    deviation_c: float


@dataclass(frozen=True)
class ReferenceState:
    """What the reference says now.

    Attributes:
        disc: The disc in this frame; None while it is hidden or not found.
        offset_c: To add to the camera's °C; NaN while there is none [K].
        standard_uncertainty_c: Of the offset [K].
        drift_c_per_s: Rate of change of the offset [K/s]; NaN until it is known.
        settled: The offset is steady enough to read by.
        lost: There was a reference, and it has been out of view for too long.
        out_of_range: Something uniform is in its place whose temperature no working camera and reference could give.
    """

    disc: Disc | None
    offset_c: float
    standard_uncertainty_c: float
    drift_c_per_s: float
    settled: bool
    lost: bool
    out_of_range: bool = False

    @property
    def usable(self) -> bool:
        """Readings may be corrected by it."""
        return self.settled and not self.lost and not self.out_of_range and math.isfinite(self.offset_c)


NO_REFERENCE = ReferenceState(None, math.nan, math.nan, math.nan, False, False)


def find_disc(celsius: NDArray[np.float32], settings: ReferenceSettings) -> Disc | None:
    """Find the most reference-like disc: round, uniform, and warmer than everything around it.

    Args:
        celsius: Picture, shape (height, width) [°C].
        settings: What to look for.

    Returns:
        The best disc, or None. A face is rejected by its uneven temperature and by the neck that joins it.
    """
    height, width = celsius.shape
    scale = 160.0 / max(height, width)
    # Work at about 160 px: the disc's shape needs no more, and the cost stays the same for any camera.
    small = cv2.resize(celsius, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 0.99 else celsius
    scale = min(scale, 1.0)
    longer = max(small.shape)
    low, high = settings.smallest_radius * longer, settings.largest_radius * longer
    best: tuple[float, Disc] | None = None
    level_low = max(settings.celsius - settings.camera_error_c, float(np.median(small)) + settings.contrast_c)
    level_high = min(settings.celsius + settings.camera_error_c, float(small.max()))
    for level in np.arange(level_low, level_high, max(settings.contrast_c * 0.6, 0.5)):
        count, labels, facts, centres = cv2.connectedComponentsWithStats(
            (small > level).astype(np.uint8), connectivity=4
        )
        for index in range(1, count):
            candidate = _judge(small, labels, facts[index], centres[index], index, (low, high), settings)
            if candidate is not None and (best is None or candidate[0] > best[0]):
                best = candidate
    if best is None:
        return None
    disc = best[1]
    return Disc(disc.x / scale, disc.y / scale, disc.radius / scale, disc.celsius, disc.deviation_c)


def _judge(
    picture: NDArray[np.float32],
    labels: NDArray[np.int32],
    facts: NDArray[np.int32],
    centre: NDArray[np.float64],
    index: int,
    radii: tuple[float, float],
    settings: ReferenceSettings,
) -> tuple[float, Disc] | None:
    """Score of one connected region as a disc, or None."""
    left, upper, width, height, area = (int(value) for value in facts)
    if not (2 * radii[0] * 0.8 <= max(width, height) <= 2 * radii[1] * 1.2) or min(width, height) < 0.62 * max(
        width, height
    ):
        return None
    # π/4 = 0.785 for an ellipse; a disc of four pixels' radius may have 0.6 of its square.
    if not 0.58 <= area / (width * height) <= 0.92:
        return None
    radius = math.sqrt(area / math.pi)
    inner, deviation = _inner(picture, centre[0], centre[1], radius * 0.6)
    if not abs(inner - settings.celsius) <= settings.camera_error_c or deviation > settings.uniformity_c:
        return None
    margin = max(int(radius), 2)
    rows = slice(max(upper - margin, 0), upper + height + margin)
    columns = slice(max(left - margin, 0), left + width + margin)
    around = picture[rows, columns][
        cv2.dilate((labels[rows, columns] == index).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    ]
    if around.size < 4 or inner - float(np.percentile(around, 98)) < settings.contrast_c:
        return None
    contrast = inner - float(around.mean())
    return contrast / (0.2 + deviation), Disc(float(centre[0]), float(centre[1]), radius, inner, deviation)


def _inner(picture: NDArray[np.float32], x: float, y: float, radius: float) -> tuple[float, float]:
    """Mean and standard deviation within a circle [°C, K]."""
    reach = math.ceil(radius)
    rows = slice(max(round(y) - reach, 0), round(y) + reach + 1)
    columns = slice(max(round(x) - reach, 0), round(x) + reach + 1)
    part = picture[rows, columns]
    ys = np.arange(rows.start, rows.start + part.shape[0])[:, None]
    xs = np.arange(columns.start, columns.start + part.shape[1])
    values = part[(xs - x) ** 2 + (ys - y) ** 2 <= max(radius, 1.0) ** 2]
    if values.size == 0:
        return math.nan, math.nan
    return float(values.mean()), float(values.std())


class ReferenceTracker:
    """Follows the reference over frames. The reference is fixed to the camera: it may be hidden, it does not move."""

    CONFIRM_FRAMES = 3
    WINDOW_S = 2.0
    LOST_AFTER_S = 3.0
    SETTLED_C_PER_S = 0.12
    """The offset changes by less than this [K/s]: a flat-field correction steps by 0.9–1.4 K over 2 s."""

    def __init__(self, settings: ReferenceSettings) -> None:
        self._settings = settings
        self._place: Disc | None = None
        self._candidate: Disc | None = None
        self._confirmed = 0
        self._history: deque[tuple[float, float]] = deque(maxlen=256)
        self._seen_s = -math.inf
        self._searched_s = -math.inf
        self._out_of_range = False
        self.state = NO_REFERENCE

    def update(self, frame: ThermalFrame) -> ReferenceState:
        """Take a frame and say what the reference tells."""
        if self._place is None:
            disc = self._search(frame)
        else:
            disc = self._measure(frame.celsius)
            # A reference that was moved, or a wrong one: look again when it has been away for long.
            if (
                disc is None
                and frame.time_s - self._seen_s > 2 * self.LOST_AFTER_S
                and frame.time_s - self._searched_s > 1.0
            ):
                disc = self._search(frame)
        if disc is not None:
            self._seen_s = frame.time_s
            self._history.append((frame.time_s, self._settings.celsius - disc.celsius))
        self.state = self._state(frame.time_s, disc)
        return self.state

    def _search(self, frame: ThermalFrame) -> Disc | None:
        self._searched_s = frame.time_s
        found = find_disc(frame.celsius, self._settings)
        if found is None:
            self._confirmed = 0
            return None
        known = self._candidate
        if known is not None and math.hypot(found.x - known.x, found.y - known.y) < 0.5 * known.radius:
            self._confirmed += 1
        else:
            self._confirmed = 1
            self._history.clear()
        self._candidate = found
        if self._confirmed >= self.CONFIRM_FRAMES:
            self._place = found
        return found

    def _measure(self, celsius: NDArray[np.float32]) -> Disc | None:
        """Read the disc at its place; None when something stands before it."""
        assert self._place is not None
        place = self._place
        mean, deviation = _inner(celsius, place.x, place.y, 0.6 * place.radius)
        self._out_of_range = False
        if not deviation <= self._settings.uniformity_c:
            return None
        # What hides the disc hides its edge too: it is no longer warmer than its surroundings on most sides.
        angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        xs = np.rint(place.x + 1.9 * place.radius * np.cos(angles)).astype(int)
        ys = np.rint(place.y + 1.9 * place.radius * np.sin(angles)).astype(int)
        inside = (xs >= 0) & (xs < celsius.shape[1]) & (ys >= 0) & (ys < celsius.shape[0])
        ring = celsius[ys[inside], xs[inside]]
        if ring.size and float((mean - ring > 0.5 * self._settings.contrast_c).mean()) < 0.5:
            return None
        self._out_of_range = abs(mean - self._settings.celsius) > self._settings.camera_error_c
        return None if self._out_of_range else Disc(place.x, place.y, place.radius, mean, deviation)

    def _state(self, now_s: float, disc: Disc | None) -> ReferenceState:
        recent = np.array([(t, offset) for t, offset in self._history if now_s - t <= self.WINDOW_S])
        lost = bool(self._place is not None and now_s - self._seen_s > self.LOST_AFTER_S)
        if len(recent) == 0:
            last = self._history[-1][1] if self._history else math.nan
            return ReferenceState(disc, last, math.nan, math.nan, False, lost, self._out_of_range)
        offset, spread = float(np.median(recent[:, 1])), float(recent[:, 1].std())
        drift, settled = math.nan, True
        if len(recent) >= 4 and np.ptp(recent[:, 0]) > 0.3:
            times = recent[:, 0] - recent[:, 0].mean()
            drift = float(times @ (recent[:, 1] - offset) / (times @ times))
            settled = abs(drift) < self.SETTLED_C_PER_S
        uncertainty = math.hypot(self._settings.standard_uncertainty_c, spread)
        return ReferenceState(disc, offset, uncertainty, drift, settled, lost, self._out_of_range)
