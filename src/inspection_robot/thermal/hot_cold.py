"""Patrol warnings: things too hot or too cold, by absolute and relative rule, with persistence and all-clear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.thermal.radiometry import Surroundings, object_celsius_from_apparent

RULE_VERSION = "1"


class Heat(Enum):
    """What kind of warning."""

    HOT = "hot"
    COLD = "cold"


@dataclass(frozen=True)
class HotColdSettings:
    """The rules.

    People are the reason for the middle range: skin and breath lie between 28 and 42 °C whatever the room, so the
    relative rules only speak above 45 °C and below 12 °C.

    Attributes:
        hot_c: From here on a thing is hot, whatever the room [°C].
        hot_above_ambient_c: A thing that much warmer than the room is hot, if above ``hot_relative_from_c`` [K].
        hot_relative_from_c: Least temperature for the relative rule [°C].
        cold_c: Up to here a thing is cold, whatever the room [°C].
        cold_below_ambient_c: A thing that much cooler than the room is cold, if below ``cold_relative_to_c`` [K].
        cold_relative_to_c: Highest temperature for the relative rule [°C].
        fire_c: From here on it is a fire or smoulders [°C].
        hysteresis_c: A region ends that far inside its limit [K].
        least_area_px: Of a region on a picture 160 px wide [px²].
        persistence_s: A region is told when it has been there for this long [s].
        clear_s: It is over when it has been gone for this long [s].
        emissivity: Of typical things: painted, plastic, cloth, cardboard (0.90–0.97) [1].
    """

    hot_c: float = 60.0
    hot_above_ambient_c: float = 22.0
    hot_relative_from_c: float = 45.0
    cold_c: float = 2.0
    cold_below_ambient_c: float = 10.0
    cold_relative_to_c: float = 12.0
    fire_c: float = 150.0
    hysteresis_c: float = 2.0
    least_area_px: float = 6.0
    persistence_s: float = 2.0
    clear_s: float = 4.0
    emissivity: float = 0.95

    def limit(self, heat: Heat, ambient_celsius: float) -> float:
        """The temperature from which on (hot) or up to which (cold) a thing is told in a room [°C]."""
        if not math.isfinite(ambient_celsius):
            return self.hot_c if heat is Heat.HOT else self.cold_c
        if heat is Heat.HOT:
            return min(self.hot_c, max(self.hot_relative_from_c, ambient_celsius + self.hot_above_ambient_c))
        return max(self.cold_c, min(self.cold_relative_to_c, ambient_celsius - self.cold_below_ambient_c))


@dataclass(frozen=True)
class Region:
    """A hot or cold place in one frame.

    Attributes:
        heat: Hot or cold.
        box: Left, upper, width, height [px].
        celsius: Its extreme temperature, corrected for emissivity [°C].
        area_px: [px²].
    """

    heat: Heat
    box: tuple[int, int, int, int]
    celsius: float
    area_px: float

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box [px]."""
        left, upper, width, height = self.box
        return left + width / 2, upper + height / 2


@dataclass(frozen=True)
class RegionEvent:
    """A warning that came up, or its all-clear.

    Attributes:
        number: Of the warning; the all-clear has the same.
        raised: Came up; False: is over.
        region: As last seen.
        cause: ``fire``, ``heating_up``, ``hot_object``, ``frozen`` or ``chilled``.
        ambient_celsius: Of the room [°C].
    """

    number: int
    raised: bool
    region: Region
    cause: str
    ambient_celsius: float


@dataclass
class _Watched:
    number: int
    region: Region
    first_s: float
    first_celsius: float
    seen_s: float
    raised: bool = False


def find_regions(
    celsius: NDArray[np.float32],
    ambient_celsius: float,
    ignore: NDArray[np.bool_] | None,
    settings: HotColdSettings,
    kept: dict[Heat, list[Region]] | None = None,
) -> list[Region]:
    """Regions beyond the limits.

    Args:
        celsius: Apparent temperatures, shape (height, width) [°C].
        ambient_celsius: Of the room; NaN leaves only the absolute rules [°C].
        ignore: True where nothing is to be told (people, known heaters, screens, chillers), same shape.
        settings: The rules.
        kept: Regions that are being watched: near them the limit is relaxed by the hysteresis.
    """
    room = ambient_celsius if math.isfinite(ambient_celsius) else 22.0
    surroundings = Surroundings(emissivity=settings.emissivity, reflected_celsius=room, atmosphere_celsius=room)
    least = settings.least_area_px * (celsius.shape[1] / 160.0) ** 2
    regions = []
    for heat in Heat:
        sign = 1.0 if heat is Heat.HOT else -1.0
        limit = settings.limit(heat, ambient_celsius)
        # Most frames hold nothing: look before correcting.
        if not (sign * (celsius - (limit - sign * 8.0)) > 0).any():
            continue
        corrected = object_celsius_from_apparent(celsius, surroundings)
        excess = sign * (corrected - limit)
        if kept:
            excess = excess + _relief(celsius.shape, kept.get(heat, []), settings.hysteresis_c)
        mask = excess >= 0
        if ignore is not None:
            mask &= ~ignore
        count, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        for index in range(1, count):
            left, upper, width, height, area = (int(value) for value in facts[index])
            if area < least:
                continue
            inside = corrected[upper : upper + height, left : left + width][
                labels[upper : upper + height, left : left + width] == index
            ]
            extreme = float(inside.max() if heat is Heat.HOT else inside.min())
            regions.append(Region(heat, (left, upper, width, height), extreme, float(area)))
    return regions


def _relief(shape: tuple[int, ...], regions: list[Region], hysteresis_c: float) -> NDArray[np.float32]:
    relief = np.zeros(shape, np.float32)
    for region in regions:
        left, upper, width, height = region.box
        relief[max(upper - 2, 0) : upper + height + 2, max(left - 2, 0) : left + width + 2] = hysteresis_c
    return relief


def ignored(shape: tuple[int, int], boxes: tuple[float, ...]) -> NDArray[np.bool_] | None:
    """Mask of known things (screens, heaters, chillers): True where nothing is to be told; None without boxes.

    Args:
        shape: Height and width of the picture [px].
        boxes: Left, upper, right, lower of each, relative to the picture (0..1), one after the other.

    Raises:
        ValueError: Not four numbers a box, or a box that is none.
    """
    if not boxes:
        return None
    if len(boxes) % 4:
        raise ValueError("masks are four numbers each: left, upper, right, lower")
    mask = np.zeros(shape, bool)
    for left, upper, right, lower in np.array(boxes).reshape(-1, 4):
        if not (0.0 <= left < right <= 1.0 and 0.0 <= upper < lower <= 1.0):
            raise ValueError(f"{left:g}, {upper:g}, {right:g}, {lower:g} is no box within the picture (0..1)")
        rows = slice(int(upper * shape[0]), math.ceil(lower * shape[0]))
        mask[rows, int(left * shape[1]) : math.ceil(right * shape[1])] = True
    return mask


class HotColdWatch:
    """Follows regions over frames and tells each when it has persisted and when it is over."""

    def __init__(self, settings: HotColdSettings) -> None:
        self._settings = settings
        self._watched: list[_Watched] = []
        self._next = 1

    def update(
        self, celsius: NDArray[np.float32], ambient_celsius: float, ignore: NDArray[np.bool_] | None, now_s: float
    ) -> list[RegionEvent]:
        """Take a frame (temperatures corrected for the camera's offset) and return what changed."""
        kept = {heat: [w.region for w in self._watched if w.region.heat is heat] for heat in Heat}
        for region in find_regions(celsius, ambient_celsius, ignore, self._settings, kept):
            watched = self._match(region)
            if watched is None:
                watched = _Watched(self._next, region, now_s, region.celsius, now_s)
                self._next += 1
                self._watched.append(watched)
            watched.region, watched.seen_s = region, now_s
        events = []
        for watched in list(self._watched):
            if now_s - watched.seen_s > (
                self._settings.clear_s if watched.raised else self._settings.persistence_s / 2
            ):
                self._watched.remove(watched)
                if watched.raised:
                    events.append(self._event(watched, False, ambient_celsius, now_s))
            elif not watched.raised and watched.seen_s - watched.first_s >= self._settings.persistence_s:
                watched.raised = True
                events.append(self._event(watched, True, ambient_celsius, now_s))
        return events

    def _match(self, region: Region) -> _Watched | None:
        """The watched region whose middle is nearest, if it is within the regions' own extent."""
        best: tuple[float, _Watched] | None = None
        for watched in self._watched:
            if watched.region.heat is not region.heat:
                continue
            distance = math.dist(watched.region.centre, region.centre)
            reach = 0.75 * max(*region.box[2:], *watched.region.box[2:]) + 4
            if distance <= reach and (best is None or distance < best[0]):
                best = (distance, watched)
        return best[1] if best else None

    def _event(self, watched: _Watched, raised: bool, ambient_celsius: float, now_s: float) -> RegionEvent:
        return RegionEvent(watched.number, raised, watched.region, self._cause(watched, now_s), ambient_celsius)

    def _cause(self, watched: _Watched, now_s: float) -> str:
        """Simple rules: how hot, and whether it is getting hotter; frozen goods are below -5 °C, chilled ones above."""
        region = watched.region
        if region.heat is Heat.COLD:
            return "frozen" if region.celsius < -5.0 else "chilled"
        if region.celsius >= self._settings.fire_c:
            return "fire"
        rise_c_per_s = (region.celsius - watched.first_celsius) / max(now_s - watched.first_s, 1.0)
        return "heating_up" if rise_c_per_s > 0.5 else "hot_object"
