"""Pictures for people: false colours, boxes and readings; and the crop that is kept as evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.thermal.decision import Stage
from inspection_robot.thermal.faces import Face
from inspection_robot.thermal.hot_cold import Region
from inspection_robot.thermal.reference import Disc
from inspection_robot.thermal.screening import FrameResult, PersonReading

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _GREY, _GREEN, _AMBER, _RED = (255, 255, 255), (170, 170, 170), (90, 200, 60), (0, 190, 255), (40, 40, 255)
_STAGE_COLOUR = {Stage.CLEAR: _GREEN, Stage.SECOND_LOOK: _AMBER, Stage.ALARM: _RED}
SMALLEST_WIDTH = 640
"""Pictures are enlarged to at least this, so that text on a Lepton's 160 px can be read [px]."""


@dataclass(frozen=True)
class ColourScale:
    """Temperatures of the ends of the palette [°C]."""

    low: float
    high: float

    @staticmethod
    def of(celsius: NDArray[np.float32]) -> ColourScale:
        """A scale that shows a picture's own contrast, but never noise alone."""
        low, high = np.percentile(celsius[::2, ::2], (1, 99.5))
        return ColourScale(float(low), float(max(high, low + 4.0)))

    def paint(self, celsius: NDArray[np.float32]) -> NDArray[np.uint8]:
        """False colours, BGR, shape (height, width, 3)."""
        grey = np.clip((celsius - self.low) * (255.0 / (self.high - self.low)), 0, 255).astype(np.uint8)
        return np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), np.uint8)


def draw_overlay(celsius: NDArray[np.float32], result: FrameResult, turns: int) -> NDArray[np.uint8]:
    """The picture for the operator.

    Args:
        celsius: The frame, shape (height, width) [°C].
        result: What the chain made of it.
        turns: Quarter turns clockwise that make it upright.

    Returns:
        BGR picture, at least 640 px wide before turning.
    """
    scale = ColourScale.of(celsius)
    factor = max(1, math.ceil(SMALLEST_WIDTH / celsius.shape[1]))
    turned = np.ascontiguousarray(np.rot90(scale.paint(celsius), -turns))
    picture = cv2.resize(turned, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    size = (celsius.shape[0], celsius.shape[1])
    if result.reference.disc is not None:
        _draw_reference(picture, result.reference.disc, size, turns, factor)
    for person in result.persons:
        _draw_person(picture, person, size, turns, factor)
    if result.fault is not None:
        _text(picture, result.fault, (8, 24), _AMBER)
    elif not result.reference.usable:
        _text(picture, "no reference", (8, 24), _AMBER)
    return _with_scale(picture, scale, _offset(result))


def draw_evidence(
    celsius: NDArray[np.float32], person: PersonReading, result: FrameResult, turns: int
) -> NDArray[np.uint8]:
    """The face with some surroundings, its scale and its reading; the rest of the picture is not kept.

    Args:
        celsius: The frame [°C].
        person: Whose face.
        result: Of the frame, for the scale's offset.
        turns: Quarter turns clockwise that make it upright.
    """
    face = person.face
    margin = 0.35
    upper, lower = _span(face.y, face.height, margin, celsius.shape[0])
    left, right = _span(face.x, face.width, margin, celsius.shape[1])
    part = np.ascontiguousarray(celsius[upper:lower, left:right])
    scale = ColourScale.of(part)
    turned = np.ascontiguousarray(np.rot90(scale.paint(part), -turns))
    factor = max(240 / turned.shape[1], 1.0)
    picture = np.asarray(cv2.resize(turned, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)
    banner = np.full((34, picture.shape[1], 3), 24, np.uint8)
    cv2.putText(banner, label(person), (6, 23), _FONT, 0.6, _STAGE_COLOUR[person.stage], 1, cv2.LINE_AA)
    return _with_scale(np.vstack([picture, banner]), scale, _offset(result))


def draw_region(celsius: NDArray[np.float32], region: Region, turns: int) -> NDArray[np.uint8]:
    """The whole picture with a hot or cold place marked.

    Args:
        celsius: The frame, corrected for the camera's offset [°C].
        region: The place.
        turns: Quarter turns clockwise that make it upright.
    """
    scale = ColourScale.of(celsius)
    factor = max(1, math.ceil(SMALLEST_WIDTH / celsius.shape[1]))
    picture = np.asarray(cv2.resize(scale.paint(celsius), None, fx=factor, fy=factor), np.uint8)
    left, upper, width, height = (value * factor for value in region.box)
    cv2.rectangle(picture, (left - 3, upper - 3), (left + width + 3, upper + height + 3), _AMBER, 2)
    turned = np.ascontiguousarray(np.rot90(picture, -turns))
    _text(turned, f"{region.heat.value} {region.celsius:.1f} C", (8, 24), _AMBER)
    return _with_scale(turned, scale, 0.0)


def label(person: PersonReading) -> str:
    """What stands at a box: the reading with its uncertainty, or the reason there is none."""
    if person.reason is not None:
        return f"{person.track}: {person.reason.replace('_', ' ')}"
    return f"{person.track}: {person.core_celsius:.1f} +- {person.uncertainty_c:.1f} C"


def _span(start: float, length: float, margin: float, limit: int) -> tuple[int, int]:
    return max(int(start - margin * length), 0), min(math.ceil(start + (1 + margin) * length), limit)


def _offset(result: FrameResult) -> float:
    return result.reference.offset_c if result.reference.usable else 0.0


def _turn_box(face: Face, size: tuple[int, int], turns: int) -> tuple[float, float, float, float]:
    """A box of the frame in the frame turned clockwise by quarter turns."""
    x, y, width, height = face.x, face.y, face.width, face.height
    rows, columns = size
    for _ in range(turns % 4):
        x, y, width, height = rows - y - height, x, height, width
        rows, columns = columns, rows
    return x, y, width, height


def _draw_person(
    picture: NDArray[np.uint8], person: PersonReading, size: tuple[int, int], turns: int, factor: int
) -> None:
    x, y, width, height = (round(value * factor) for value in _turn_box(person.face, size, turns))
    colour = _STAGE_COLOUR[person.stage] if person.ok else _GREY
    cv2.rectangle(picture, (x, y), (x + width, y + height), colour, 2)
    _text(picture, label(person), (x, y - 8 if y > 24 else y + height + 20), colour)


def _draw_reference(picture: NDArray[np.uint8], disc: Disc, size: tuple[int, int], turns: int, factor: int) -> None:
    x, y = disc.x, disc.y
    rows, columns = size
    for _ in range(turns % 4):
        x, y = rows - 1 - y, x
        rows, columns = columns, rows
    centre = (round((x + 0.5) * factor), round((y + 0.5) * factor))
    cv2.circle(picture, centre, round(disc.radius * factor) + 3, _WHITE, 1, cv2.LINE_AA)


def _text(picture: NDArray[np.uint8], text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """Text on a dark plate, kept inside the picture."""
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.55, 1)
    x = int(np.clip(place[0], 2, max(picture.shape[1] - width - 2, 2)))
    y = int(np.clip(place[1], 16, picture.shape[0] - 4))
    cv2.rectangle(picture, (x - 3, y - height - 4), (x + width + 3, y + 5), (24, 24, 24), -1)
    cv2.putText(picture, text, (x, y), _FONT, 0.55, colour, 1, cv2.LINE_AA)


def _with_scale(picture: NDArray[np.uint8], scale: ColourScale, offset_c: float) -> NDArray[np.uint8]:
    """Put the palette with corrected temperatures at the right."""
    height = picture.shape[0]
    ramp = np.linspace(scale.high, scale.low, height, dtype=np.float32)[:, None].repeat(14, 1)
    bar = np.full((height, 56, 3), 24, np.uint8)
    bar[:, 4:18] = scale.paint(ramp)
    for value, y in ((scale.high, 14), ((scale.high + scale.low) / 2, height // 2), (scale.low, height - 6)):
        cv2.putText(bar, f"{value + offset_c:.1f}", (20, y), _FONT, 0.36, _WHITE, 1, cv2.LINE_AA)
    return np.hstack([np.asarray(picture, np.uint8), bar])
