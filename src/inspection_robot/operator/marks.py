"""People and findings as marks on the map: what is drawn where, in which colour. The node makes messages of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Colour = tuple[float, float, float, float]

PERSON_COLOUR: Final[Colour] = (0.2, 0.6, 1.0, 0.8)
LUGGAGE_COLOUR: Final[Colour] = (0.7, 0.5, 0.2, 0.8)
SEVERITY_COLOURS: Final[tuple[Colour, ...]] = (
    (0.6, 0.6, 0.6, 0.8), (0.3, 0.8, 0.3, 0.9), (1.0, 0.8, 0.1, 0.9), (1.0, 0.4, 0.1, 1.0), (1.0, 0.0, 0.0, 1.0),
)  # fmt: skip
"""By Detection.severity: info, notice, warning, alarm, emergency."""
FINDING_LIFE_S: Final = 60.0
"""A finding stays on the map for this time [s]."""
MOST_FINDINGS: Final = 60
ARROW_S: Final = 1.0
"""The arrow of a person shows where the person will be in this time [s]."""


@dataclass(frozen=True)
class Mark:
    """One mark.

    Attributes:
        group: namespace of the marker.
        shape: cylinder, sphere, arrow or text.
        position: x, y, z in `map` [m].
        size: x, y, z [m]; of text the height in z; of an arrow length, width and height.
        colour: RGBA 0..1.
        yaw: heading [rad].
        text: only of text marks.
    """

    group: str
    shape: str
    position: tuple[float, float, float]
    size: tuple[float, float, float]
    colour: Colour
    yaw: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class Walker:
    """A track: id, whether it is luggage, position [m], heading [rad], speed [m/s], probability that it is real."""

    track: str
    luggage: bool
    x: float
    y: float
    yaw: float
    speed: float
    existence: float


@dataclass(frozen=True)
class Spot:
    """A finding with a place: kind, severity 0..4, position [m], time [s], the value as text."""

    kind: str
    severity: int
    x: float
    y: float
    time_s: float
    reading: str


def marks_of_people(walkers: Sequence[Walker]) -> list[Mark]:
    """Return a body, an arrow and a label for every track; doubtful tracks are pale."""
    marks: list[Mark] = []
    for walker in walkers:
        red, green, blue, alpha = LUGGAGE_COLOUR if walker.luggage else PERSON_COLOUR
        colour = (red, green, blue, alpha * min(max(walker.existence, 0.2), 1.0))
        height = 0.6 if walker.luggage else 1.7
        size = (0.4, 0.4, height)
        marks.append(Mark("people", "cylinder", (walker.x, walker.y, height / 2), size, colour))
        if walker.speed > 0.1:
            length = walker.speed * ARROW_S
            marks.append(Mark("motion", "arrow", (walker.x, walker.y, 0.1), (length, 0.08, 0.08), colour, walker.yaw))
        label = (walker.x, walker.y, height + 0.2)
        marks.append(Mark("tracks", "text", label, (0.0, 0.0, 0.2), (1.0, 1.0, 1.0, 0.9), text=walker.track))
    return marks


def marks_of_findings(spots: Sequence[Spot]) -> list[Mark]:
    """Return a ball and a line of text for every finding, in the colour of its severity."""
    marks: list[Mark] = []
    for spot in spots:
        colour = SEVERITY_COLOURS[min(max(spot.severity, 0), len(SEVERITY_COLOURS) - 1)]
        marks.append(Mark("findings", "sphere", (spot.x, spot.y, 1.0), (0.3, 0.3, 0.3), colour))
        text = f"{spot.kind} {spot.reading}".strip()
        marks.append(Mark("labels", "text", (spot.x, spot.y, 1.35), (0.0, 0.0, 0.22), colour, text=text))
    return marks


def still_shown(spots: Sequence[Spot], now_s: float) -> list[Spot]:
    """Return the findings that are young enough, the latest :data:`MOST_FINDINGS` of them."""
    return [spot for spot in spots if now_s - spot.time_s <= FINDING_LIFE_S][-MOST_FINDINGS:]


@dataclass(frozen=True)
class Handle:
    """Limits of driving by a dragged marker: speed per metre [1/s], largest speed [m/s] and turning rate [rad/s]."""

    gain: float = 1.0
    turn_gain: float = 1.0
    speed_m_s: float = 0.8
    turn_rad_s: float = 1.0

    def velocity(self, pulled_m: float, turned_rad: float) -> tuple[float, float]:
        """Return the speed and turning rate that a marker asks for that was pulled and turned away from the robot."""
        v = min(max(self.gain * pulled_m, -self.speed_m_s), self.speed_m_s)
        w = min(max(self.turn_gain * turned_rad, -self.turn_rad_s), self.turn_rad_s)
        return v, w
