"""To whom the robot listens: who stands near, who has called it, and whether one came and went."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from inspection_robot.voice.features import syllables
from inspection_robot.voice.knowledge import LANGUAGES, Language
from inspection_robot.voice.text import HAN, clean

Wake = Literal["near", "phrase", "always"]
"""What makes the robot listen besides its name: standing near, nothing, or anything it hears."""

TRACKER_SILENT_S = 3.0
"""Without a word from the people tracker for so long, the robot does not know who is there."""

UNKNOWN_PERSON = "at the robot"
"""In place of a track where there is no people tracker."""

_WORDS = re.compile(r"[a-z']+")


@dataclass
class Attention:
    """Who is near the robot.

    Args:
        near_m: farther people do not speak to the robot [m].
        clock: seconds, monotonic.
    """

    near_m: float
    clock: Callable[[], float]
    _distances: Mapping[str, float] = field(default_factory=dict)
    _seen_s: dict[str, float] = field(default_factory=dict)
    _heard_s: float = -TRACKER_SILENT_S

    def people(self, distances: Mapping[str, float]) -> None:
        """Take the tracks that are there, with their distances from the robot [m]."""
        self._heard_s = self.clock()
        self._distances = dict(distances)
        self._seen_s = {track: at for track, at in self._seen_s.items() if self._heard_s - at < 600.0}
        self._seen_s |= {track: self._heard_s for track, metres in distances.items() if metres <= self.near_m}

    @property
    def knows(self) -> bool:
        """Whether the people tracker tells who is there."""
        return self.clock() - self._heard_s < TRACKER_SILENT_S

    def nearest(self) -> str | None:
        """Track of the nearest person within reach; ``UNKNOWN_PERSON`` without a tracker, None when nobody is near."""
        if not self.knows:
            return UNKNOWN_PERSON
        near = [(metres, track) for track, metres in self._distances.items() if metres <= self.near_m]
        return min(near)[1] if near else None

    def away_s(self, track: str) -> float:
        """For how long a person has not been near; 0 when that is not known."""
        if not self.knows or track not in self._seen_s:
            return 0.0
        return self.clock() - self._seen_s[track]


class WakePhrase:
    """The robot's name, found at the beginning of what was heard, by sound in Chinese.

    Args:
        phrases: one text a language.
    """

    def __init__(self, phrases: Mapping[Language, str]) -> None:
        self._sounds = {language: _units(phrases[language], language) for language in LANGUAGES}

    def split(self, text: str, language: Language) -> str | None:
        """Return what follows the phrase (empty when nothing does), None when the text does not begin with it."""
        text = clean(text)
        units, wanted = _units(text, language), self._sounds[language]
        if not wanted or units[: len(wanted)] != wanted:
            return None
        pattern = HAN if language == "zh" else _WORDS
        last = [match.end() for match in pattern.finditer(text.lower())][len(wanted) - 1]
        return text[last:].strip(" ,，.。!！?？、")


def _units(text: str, language: Language) -> tuple[str, ...]:
    return syllables(text) if language == "zh" else tuple(_WORDS.findall(clean(text).lower()))
