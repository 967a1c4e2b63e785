"""Count what is moved across a line in view: containers, pallets, cartons on their way into a hold or a lorry.

Moving things are cut out of a still camera's pictures by background subtraction and followed from picture to picture.
Limits: the camera stands still, things move apart from each other, one at a time in the line's place. Two stacked or
touching things count as one, and a truck that carries a container counts with it as one; each count says how wide the
thing was, so that a merged pair can be seen in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Crossing:
    """One thing that crossed.

    Attributes:
        number: counts from 1.
        time_s: of the picture [s].
        forward: from the line's left side to its right, looking from its start to its end.
        box: left, upper, width, height when it crossed [px].
    """

    number: int
    time_s: float
    forward: bool
    box: tuple[int, int, int, int]


@dataclass
class _Thing:
    centre: NDArray[np.float64]
    side: float
    age: int
    missed: int
    counted: bool


@dataclass
class CargoLine:
    """Counts crossings of the line from `start` to `end`.

    Attributes:
        start: (x, y) [px].
        end: (x, y) [px].
        minimum_area: smaller moving things (hands, birds) are left out [px²].
        warm_up: pictures from which the background is learnt before anything is counted.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    minimum_area: float = 400.0
    warm_up: int = 10
    crossings: list[Crossing] = field(default_factory=list)
    _things: list[_Thing] = field(default_factory=list)
    _pictures: int = 0

    def __post_init__(self) -> None:
        self._background = cv2.createBackgroundSubtractorMOG2(history=200, varThreshold=25, detectShadows=True)

    @property
    def net(self) -> int:
        """Forward crossings less backward ones."""
        return sum(1 if crossing.forward else -1 for crossing in self.crossings)

    def add(self, picture: Picture, time_s: float) -> list[Crossing]:
        """Take in the next picture, (rows, columns) or (rows, columns, 3) uint8; the crossings it shows."""
        self._pictures += 1
        foreground = self._background.apply(picture)
        if self._pictures <= self.warm_up:
            return []
        mask = (foreground == 255).astype(np.uint8)  # shadows are 127
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
        count, _, statistics, centres = cv2.connectedComponentsWithStats(mask)
        big = [i for i in range(1, count) if statistics[i, cv2.CC_STAT_AREA] >= self.minimum_area]
        boxes = [tuple(int(value) for value in statistics[i, :4]) for i in big]
        return self._follow([np.asarray(centres[i], np.float64) for i in big], boxes, time_s)

    def _follow(
        self, centres: list[NDArray[np.float64]], boxes: list[tuple[int, ...]], time_s: float
    ) -> list[Crossing]:
        pairs = self._assigned(centres, boxes)
        found: list[Crossing] = []
        for thing_index, seen in pairs.items():
            thing, side = self._things[thing_index], self._side(centres[seen])
            if not thing.counted and thing.age >= 3 and side * thing.side < 0 and self._beside(centres[seen]):
                left, upper, width, height = boxes[seen]
                number = len(self.crossings) + 1
                crossing = Crossing(number, time_s, side > 0, (left, upper, width, height))
                self.crossings.append(crossing)
                found.append(crossing)
                thing.counted = True
            thing.centre, thing.age, thing.missed = centres[seen], thing.age + 1, 0
        for index, thing in enumerate(self._things):
            if index not in pairs:
                thing.missed += 1
        self._things = [thing for thing in self._things if thing.missed <= 5]
        taken = set(pairs.values())
        self._things += [
            _Thing(centre, self._side(centre), 1, 0, False)
            for index, centre in enumerate(centres)
            if index not in taken
        ]
        return found

    def _assigned(self, centres: list[NDArray[np.float64]], boxes: list[tuple[int, ...]]) -> dict[int, int]:
        if not self._things or not centres:
            return {}
        gaps = np.array([[np.linalg.norm(thing.centre - centre) for centre in centres] for thing in self._things])
        reach = np.array([0.8 * max(box[2], box[3]) + 20.0 for box in boxes])
        rows, columns = linear_sum_assignment(np.minimum(gaps, 1e4))
        return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if gaps[r, c] <= reach[c]}

    def _side(self, point: NDArray[np.float64]) -> float:
        along = np.array(self.end) - np.array(self.start)
        gap = point - np.array(self.start)
        return float(gap[0] * along[1] - gap[1] * along[0])

    def _beside(self, point: NDArray[np.float64]) -> bool:
        """Whether a point lies between the line's ends."""
        along = np.array(self.end) - np.array(self.start)
        part = float((point - np.array(self.start)) @ along / (along @ along))
        return 0.0 <= part <= 1.0
