"""Keep people apart over frames: one number each, through crossings and short absences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from inspection_robot.thermal.faces import Face

KEEP_S = 1.5
"""A track that is not seen for longer than this has ended."""

START_SCORE = 0.4
"""A face of this score at least begins a track; a weaker one only continues one (two thresholds, as in ByteTrack, Zhang
et al. 2022): a head that turns for a moment is not lost, and a shadow is nobody."""

_FAR = 1e6


@dataclass
class Track:
    """One person in the picture.

    Attributes:
        number: Counts up from 1; never used again.
        face: As last seen.
        seen_s: When that was [s].
        velocity: Of the face's middle, x and y [px/s].
        celsius: Median temperature of the face as last seen, to tell people apart; NaN when not read [°C].
        hits: Frames in which it was seen.
        score: Running mean of the faces' scores.
    """

    number: int
    face: Face
    seen_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    celsius: float = math.nan
    hits: int = 1
    score: float = 0.0

    def predicted(self, now_s: float) -> tuple[float, float]:
        """Where the face's middle should be now [px]; a person out of sight is not followed beyond half a second."""
        ahead = min(now_s - self.seen_s, 0.5)
        x, y = self.face.centre
        return x + self.velocity[0] * ahead, y + self.velocity[1] * ahead

    @property
    def speed(self) -> float:
        """Face widths a second [1/s]."""
        return math.hypot(*self.velocity) / max(self.face.across, 1.0)


class FaceTracker:
    """Assigns faces to tracks: the least total cost of distance, size and temperature (Kuhn 1955)."""

    GATE = 1.1
    """A face further from its prediction than this many face sizes is another person."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._next = 1

    def update(self, faces: list[Face], temperatures: list[float], now_s: float) -> list[Track | None]:
        """Take the faces of a frame with the median temperature of each; return their tracks in the same order.

        A weak face that continues no track has none. Tracks that have not been seen for :data:`KEEP_S` are dropped.
        """
        self.tracks = [track for track in self.tracks if 0 <= now_s - track.seen_s <= KEEP_S]
        assigned: dict[int, Track] = {}
        if faces and self.tracks:
            cost = np.array(
                [
                    [self._cost(track, f, c, now_s) for track in self.tracks]
                    for f, c in zip(faces, temperatures, strict=True)
                ]
            )
            for index, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[index, column] < _FAR:
                    track = self.tracks[column]
                    _follow(track, faces[index], temperatures[index], now_s)
                    assigned[index] = track
        for index, face in enumerate(faces):
            if index not in assigned and face.score >= START_SCORE:
                assigned[index] = Track(self._next, face, now_s, celsius=temperatures[index], score=face.score)
                self._next += 1
                self.tracks.append(assigned[index])
        return [assigned.get(index) for index in range(len(faces))]

    def _cost(self, track: Track, face: Face, celsius: float, now_s: float) -> float:
        x, y = track.predicted(now_s)
        size = math.sqrt(max(face.width * face.height, track.face.width * track.face.height))
        distance = math.hypot(face.centre[0] - x, face.centre[1] - y) / size
        # The longer out of sight, the further it may be.
        if distance > self.GATE + 1.0 * (now_s - track.seen_s):
            return _FAR
        ratio = abs(math.log(face.width * face.height / (track.face.width * track.face.height)))
        if ratio > 1.6:
            return _FAR
        warmth = abs(celsius - track.celsius) if math.isfinite(celsius - track.celsius) else 0.0
        return distance + 0.3 * ratio + 0.15 * min(warmth, 3.0) + 0.3 * (1.0 - face.score)


def _follow(track: Track, face: Face, celsius: float, now_s: float) -> None:
    elapsed = now_s - track.seen_s
    if elapsed > 0:
        step = [(new - old) / elapsed for new, old in zip(face.centre, track.face.centre, strict=True)]
        track.velocity = (0.5 * track.velocity[0] + 0.5 * step[0], 0.5 * track.velocity[1] + 0.5 * step[1])
    track.score = 0.85 * track.score + 0.15 * face.score
    track.face, track.seen_s, track.hits = face, now_s, track.hits + 1
    if math.isfinite(celsius):
        track.celsius = celsius if not math.isfinite(track.celsius) else 0.8 * track.celsius + 0.2 * celsius
