"""Tracks of people and luggage in `map`: constant-velocity Kalman filters and gated global assignment.

The state of a track is (x, y, vx, vy). Motion noise is white acceleration (Bar-Shalom, Li and Kirubarajan, "Estimation
with applications to tracking and navigation", 2001, section 6.2.2). Measurements of one scan are assigned to tracks
all at once (minimum total Mahalanobis cost, Hungarian algorithm); existence is a probability that grows with hits and
falls with misses, slower while the place is hidden, so that a person who passes behind a column keeps the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

GATE = 13.8
"""Squared Mahalanobis distance of a 2-D Gaussian at 99.9 % (chi-square, 2 degrees of freedom)."""
MAXIMUM_LAG_S = 0.5


class Kind(IntEnum):
    """What a track is (Person.msg)."""

    PERSON = 0
    LUGGAGE = 1
    VEHICLE = 2


@dataclass(frozen=True)
class Sighting:
    """One sensor's position of one person or thing.

    Attributes:
        position: (x, y) in `map` [m].
        covariance: (2, 2) [m²].
        kind: what it looks like.
        source: thermal, rgb or lidar.
        height_m: of the body, NaN when the sensor does not tell [m].
    """

    position: Vector
    covariance: Matrix
    kind: Kind
    source: str
    height_m: float = float("nan")


@dataclass(frozen=True)
class Track:
    """One person or thing over time.

    Attributes:
        track: identity.
        kind: what it is.
        state: (4,) x, y [m], vx, vy [m/s] in `map`.
        covariance: (4, 4).
        existence: probability that it is real.
        time_s: of the state [s].
        seen_s: last sighting [s].
        born_s: first sighting [s].
        hits: sightings so far.
        sources: sensor → its last sighting [s].
        height_m: mean height, NaN when no sensor told [m].
        carrier: track of the person who carries it, or empty.
    """

    track: str
    kind: Kind
    state: Vector
    covariance: Matrix
    existence: float
    time_s: float
    seen_s: float
    born_s: float
    hits: int = 1
    sources: tuple[tuple[str, float], ...] = ()
    height_m: float = float("nan")
    carrier: str = ""

    @property
    def position(self) -> Vector:
        """(x, y) [m]."""
        return self.state[:2]

    @property
    def velocity(self) -> Vector:
        """(vx, vy) [m/s]."""
        return self.state[2:]


@dataclass(frozen=True)
class TrackingParameters:
    """How tracks live.

    Attributes:
        acceleration_m_s2: standard deviation of a walker's acceleration.
        speed_m_s: standard deviation of the speed of a new track.
        detection: probability that a visible person is sighted in a scan.
        clutter: probability that a sighting is of nothing.
        birth_existence: of a new track.
        confirm_existence: a track is told about from here on.
        drop_existence: below it a track ends.
        maximum_unseen_s: a track ends after this long without a sighting.
        hidden_detection: probability of a sighting at a hidden place.
        merge_distance_m: two tracks of one kind this near for long are one.
    """

    acceleration_m_s2: float = 1.0
    speed_m_s: float = 1.0
    detection: float = 0.85
    clutter: float = 0.05
    birth_existence: float = 0.35
    confirm_existence: float = 0.8
    drop_existence: float = 0.05
    maximum_unseen_s: float = 6.0
    hidden_detection: float = 0.05
    merge_distance_m: float = 0.25


@dataclass
class Tracker:
    """All tracks.

    Args:
        parameters: how tracks live.
        prefix: begins every identity, unique to the robot's run.
    """

    parameters: TrackingParameters = field(default_factory=TrackingParameters)
    prefix: str = "t"
    _tracks: list[Track] = field(default_factory=list)
    _count: int = 0
    _time_s: float = float("-inf")

    @property
    def tracks(self) -> Sequence[Track]:
        """All tracks, the unconfirmed too."""
        return tuple(self._tracks)

    def confirmed(self) -> Sequence[Track]:
        """Tracks that are likely enough to be told about."""
        return tuple(track for track in self._tracks if track.existence >= self.parameters.confirm_existence)

    def update(self, sightings: Sequence[Sighting], time_s: float, hidden: Sequence[str] = ()) -> Sequence[Track]:
        """Take in one scan of one sensor.

        Args:
            sightings: of this instant; sightings that are not finite are left out.
            time_s: of the scan, node's clock [s]. A scan up to half a second older than the newest only corrects known
                tracks (a camera's pictures take longer than a laser's scan); an older one is left out.
            hidden: tracks whose place the sensor cannot see now.

        Returns:
            The confirmed tracks.
        """
        usable = [sighting for sighting in sightings if _is_usable(sighting)]
        if not np.isfinite(time_s) or time_s < self._time_s - MAXIMUM_LAG_S:
            return self.confirmed()
        if time_s < self._time_s:
            self._correct_late(usable, self._time_s - time_s)
            return self.confirmed()
        self._time_s = time_s
        tracks = [predict(track, time_s, self.parameters) for track in self._tracks]
        pairs = assign(tracks, usable)
        taken = {index for _, index in pairs}
        matched = dict(pairs)
        grown = []
        for number, track in enumerate(tracks):
            if number in matched:
                grown.append(correct(track, usable[matched[number]], time_s, self.parameters))
            else:
                grown.append(self._missed(track, usable, hidden))
        alive = [
            track
            for track in grown
            if track.existence >= self.parameters.drop_existence
            and time_s - track.seen_s <= self.parameters.maximum_unseen_s
        ]
        for index, sighting in enumerate(usable):
            if index not in taken:
                alive.append(self._born(sighting, time_s))
        self._tracks = self._merged(alive)
        return self.confirmed()

    def tie_luggage(self, carriers: dict[str, str]) -> None:
        """Set who carries what: luggage track → person track."""
        self._tracks = [
            replace(track, carrier=carriers.get(track.track, "")) if track.kind is Kind.LUGGAGE else track
            for track in self._tracks
        ]

    def _correct_late(self, sightings: Sequence[Sighting], lag_s: float) -> None:
        """Correct tracks with sightings that were made `lag_s` before the present state."""
        past = [replace(track, state=_moved(track.state, -lag_s)) for track in self._tracks]
        drift = np.eye(2) * (0.5 * self.parameters.acceleration_m_s2 * lag_s**2) ** 2
        for number, index in assign(past, sightings):
            track, sighting = self._tracks[number], sightings[index]
            now = replace(
                sighting,
                position=sighting.position + track.velocity * lag_s,
                covariance=sighting.covariance + drift,
            )
            self._tracks[number] = correct(track, now, self._time_s, self.parameters)

    def _missed(self, track: Track, sightings: Sequence[Sighting], hidden: Sequence[str]) -> Track:
        parameters = self.parameters
        detection = parameters.hidden_detection if track.track in hidden else parameters.detection
        if sightings and all(sighting.kind is not track.kind for sighting in sightings):
            detection = parameters.hidden_detection  # this scan is of a sensor that does not see such things
        remaining = track.existence * (1.0 - detection)
        existence = remaining / (remaining + 1.0 - track.existence)
        if track.existence >= parameters.confirm_existence and track.hits >= 5:
            # A well-known person does not vanish in one scan; the clock of maximum_unseen_s ends the track.
            existence = max(existence, parameters.confirm_existence)
        return replace(track, existence=existence)

    def _born(self, sighting: Sighting, time_s: float) -> Track:
        self._count += 1
        covariance = np.zeros((4, 4))
        covariance[:2, :2] = sighting.covariance
        covariance[2:, 2:] = np.eye(2) * self.parameters.speed_m_s**2
        return Track(
            track=f"{self.prefix}{self._count}", kind=sighting.kind, state=np.array([*sighting.position, 0.0, 0.0]),
            covariance=covariance, existence=self.parameters.birth_existence,
            time_s=time_s, seen_s=time_s, born_s=time_s,
            sources=((sighting.source, time_s),), height_m=sighting.height_m,
        )  # fmt: skip

    def _merged(self, tracks: list[Track]) -> list[Track]:
        kept: list[Track] = []
        for track in sorted(tracks, key=lambda track: (track.born_s, track.track)):
            double = any(
                other.kind is track.kind
                and track.existence < self.parameters.confirm_existence
                and np.linalg.norm(other.position - track.position) < self.parameters.merge_distance_m
                for other in kept
            )
            if not double:
                kept.append(track)
        return kept


def predict(track: Track, time_s: float, parameters: TrackingParameters) -> Track:
    """The track at a later time, moved on with constant velocity."""
    step = time_s - track.time_s
    if step <= 0:
        return track
    motion = np.eye(4)
    motion[0, 2] = motion[1, 3] = step
    power = parameters.acceleration_m_s2**2
    noise = np.zeros((4, 4))
    noise[:2, :2] = np.eye(2) * power * step**3 / 3.0
    noise[:2, 2:] = noise[2:, :2] = np.eye(2) * power * step**2 / 2.0
    noise[2:, 2:] = np.eye(2) * power * step
    state = motion @ track.state
    if time_s - track.seen_s > 1.5:
        # Nobody is known to walk on for long: an unseen walker slows down in our mind.
        state = state.copy()
        state[2:] *= np.exp(-0.5 * step)
    return replace(track, state=state, covariance=motion @ track.covariance @ motion.T + noise, time_s=time_s)


def correct(track: Track, sighting: Sighting, time_s: float, parameters: TrackingParameters) -> Track:
    """The track after a sighting at its time (Joseph form of the covariance, which stays positive definite)."""
    observe = np.zeros((2, 4))
    observe[0, 0] = observe[1, 1] = 1.0
    innovation = sighting.position - track.position
    spread = observe @ track.covariance @ observe.T + sighting.covariance
    gain = np.linalg.solve(spread, observe @ track.covariance).T
    keep = np.eye(4) - gain @ observe
    covariance = keep @ track.covariance @ keep.T + gain @ sighting.covariance @ gain.T
    sighted = track.existence * parameters.detection
    existence = sighted / (sighted + (1.0 - track.existence) * parameters.clutter * 2.0)
    sources = tuple(sorted({**dict(track.sources), sighting.source: time_s}.items()))
    height = sighting.height_m
    if np.isfinite(track.height_m):
        height = track.height_m if not np.isfinite(height) else 0.9 * track.height_m + 0.1 * height
    return replace(
        track, state=track.state + gain @ innovation, covariance=(covariance + covariance.T) / 2, seen_s=time_s,
        existence=min(existence, 0.9999), hits=track.hits + 1, sources=sources, height_m=height,
    )  # fmt: skip


def assign(tracks: Sequence[Track], sightings: Sequence[Sighting]) -> list[tuple[int, int]]:
    """Pairs (track, sighting) of least total cost among those within the gate and of one kind."""
    if not tracks or not sightings:
        return []
    positions = np.array([track.position for track in tracks])
    spreads = np.array([track.covariance[:2, :2] for track in tracks])
    seen = np.array([sighting.position for sighting in sightings])
    noise = np.array([sighting.covariance for sighting in sightings])
    gap = seen[None, :, :] - positions[:, None, :]
    total = spreads[:, None] + noise[None, :]
    distance = np.einsum("tsi,tsi->ts", gap, np.linalg.solve(total, gap[..., None])[..., 0])
    kinds = np.array([track.kind for track in tracks])[:, None] == np.array([s.kind for s in sightings])[None, :]
    allowed = (distance <= GATE) & kinds
    # Negative log-likelihood, so that a vague young track does not take the sighting of a well-known one.
    cost = distance + np.log(np.linalg.det(total))
    cost -= np.log(np.array([max(track.existence, 1e-3) for track in tracks]))[:, None]
    rows, columns = linear_sum_assignment(np.where(allowed, cost, 1e6))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if allowed[r, c]]


def _moved(state: Vector, step_s: float) -> Vector:
    return np.concatenate([state[:2] + state[2:] * step_s, state[2:]])


def _is_usable(sighting: Sighting) -> bool:
    if not (np.all(np.isfinite(sighting.position)) and np.all(np.isfinite(sighting.covariance))):
        return False
    symmetric = np.allclose(sighting.covariance, sighting.covariance.T)
    return bool(symmetric and np.all(np.linalg.eigvalsh(sighting.covariance) > 0))
