"""The chain from thermal frames to readings: camera state → reference → faces → tracks → site → core → decision."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from inspection_robot.thermal.baseline import Plausibility, PopulationBaseline
from inspection_robot.thermal.camera_state import CameraWatch
from inspection_robot.thermal.core_temperature import CoreMapping, combined_uncertainty, three_site_statistic
from inspection_robot.thermal.decision import DecisionSettings, FeverAlarm, Stage
from inspection_robot.thermal.faces import Face, FaceDetector, grey_from_celsius
from inspection_robot.thermal.frames import ThermalFrame, celsius_fault
from inspection_robot.thermal.quality import QualitySettings, gravest, living, reason_against
from inspection_robot.thermal.radiometry import SKIN_EMISSIVITY, Surroundings, object_celsius_from_apparent
from inspection_robot.thermal.reference import Disc, ReferenceSettings, ReferenceState, ReferenceTracker
from inspection_robot.thermal.site import SiteReading, read_site
from inspection_robot.thermal.size_of_source import correct
from inspection_robot.thermal.tracks import KEEP_S, FaceTracker, Track

FACE_HEIGHT_M = 0.19
"""Forehead to chin of an adult (ISO/TR 7250-2): gives the distance from the size in the picture [m]."""


_CAMERA_REASONS = ("frozen", "ffc", "reference_lost", "settling", "saturated")
_LEAST_SPREAD_C = 0.15
_GAIN_ERROR = 0.05
"""Of uncooled cores: the error is ±5 °C or 5 % of the reading, whichever is larger (Lepton data sheet) [1]."""


@dataclass(frozen=True)
class ScreeningSettings:
    """All settings of the chain.

    Attributes:
        reference: The heated reference.
        quality: Gates.
        mapping: From face to core temperature.
        decision: The alarm rule.
        highest_celsius: Upper end of the camera's range [°C].
        focal_px: Focal length of the camera [px] on a picture 160 px wide, for the distance; 148 is a Lepton 3.5 (57°).
        least_frames: Good frames before there is a reading: a second of a Lepton; who only passes by is not read.
        window_s: A reading is made of the good frames of this time [s].
        camera_uniformity_c: Standard deviation of the camera's error from one place in the picture to another, and so
            from the reference to a face. 0.47 is a Lepton: healthy people spread by 0.67 °C after the reference is
            subtracted, of which 0.35 are the people and 0.32 the site (measured on recordings) [K].
        spread_c: Largest standard deviation between the frames of a reading [K].
        ambient_celsius: Air temperature where a sensor knows it; NaN takes it from the picture [°C].
        relative_humidity: Of the air, 0..1 [1].
    """

    reference: ReferenceSettings = field(default_factory=ReferenceSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    mapping: CoreMapping = field(default_factory=CoreMapping)
    decision: DecisionSettings = field(default_factory=DecisionSettings)
    highest_celsius: float = 140.0
    focal_px: float = 148.0
    least_frames: int = 9
    window_s: float = 2.0
    camera_uniformity_c: float = 0.47
    spread_c: float = 0.5
    ambient_celsius: float = math.nan
    relative_humidity: float = 0.5


@dataclass(frozen=True)
class PersonReading:
    """What is known of one person now.

    Attributes:
        track: Number of the person in this stream.
        face: Where the face is.
        reason: Why there is no reading; None when there is one.
        site: ``canthi``, ``face``, or ``none``.
        core_celsius: Estimated core temperature; NaN without a reading [°C].
        skin_celsius: Corrected temperature at the site; NaN without a reading [°C].
        uncertainty_c: Standard uncertainty of the core temperature; NaN without a reading [K].
        stage: Of the two-stage alarm.
        reference_used: A heated reference stands behind the reading, not the population baseline.
        frames: Good frames in the reading.
        distance_m: From the size of the face [m].
    """

    track: int
    face: Face
    reason: str | None
    site: str
    core_celsius: float
    skin_celsius: float
    uncertainty_c: float
    stage: Stage
    reference_used: bool
    frames: int
    distance_m: float

    @property
    def ok(self) -> bool:
        """There is a reading."""
        return self.reason is None

    @property
    def quality(self) -> float:
        """How well the face is seen: its pixels across, less the likelier it is turned away or hidden [px]."""
        return self.face.across * self.face.frontal * self.face.score


@dataclass(frozen=True)
class FrameResult:
    """Everything one frame gave.

    Attributes:
        persons: Everybody in view.
        reference: The heated reference.
        fault: Why nothing can be read from this frame (``ffc``, ``frozen``, or what is wrong with its values), or None.
        ambient_celsius: Air temperature used [°C].
        ended: Final readings of people who have left since the frame before.
        reference_shift_c: By how much everybody reads too high (negative: too low) for the reference to be as stated:
            no reading is given until the readings fit people again; 0 when they do [K].
    """

    persons: list[PersonReading]
    reference: ReferenceState
    fault: str | None
    ambient_celsius: float
    ended: list[PersonOutcome]
    reference_shift_c: float = 0.0


@dataclass(frozen=True)
class PersonOutcome:
    """The result of one person's passage.

    Attributes:
        track: Number of the person.
        first_frame: Frame in which the person was first seen.
        last_frame: Frame in which the person was last seen.
        reading: The best reading, or the last state with the reason that kept it from being read.
        alarm: The two-stage alarm came up.
    """

    track: int
    first_frame: int
    last_frame: int
    reading: PersonReading
    alarm: bool


@dataclass(frozen=True)
class _Sample:
    """One good frame of a person: three-site and face core temperature [°C], corrections' uncertainty [K]."""

    time_s: float
    with_canthi: bool
    core_celsius: float
    skin_celsius: float
    correction_uncertainty_c: float


@dataclass
class _Person:
    """What is remembered of a track."""

    alarm: FeverAlarm
    first_frame: int
    last_frame: int = 0
    samples: deque[_Sample] = field(default_factory=lambda: deque(maxlen=64))
    reasons: Counter[str] = field(default_factory=Counter)
    best: PersonReading | None = None
    last: PersonReading | None = None
    alarmed: bool = False
    uncorrected: list[float] = field(default_factory=list)


class Screener:
    """Screens a stream of frames. Holds all state of the chain; one per camera."""

    def __init__(self, settings: ScreeningSettings, detector: FaceDetector) -> None:
        self.settings = settings
        self._detector = detector
        self._watch = CameraWatch()
        self._reference = ReferenceTracker(settings.reference)
        self._tracker = FaceTracker()
        self._baseline = PopulationBaseline()
        self._plausibility = Plausibility(
            math.hypot(settings.camera_uniformity_c, settings.reference.standard_uncertainty_c),
            settings.mapping.residual_c,
        )
        self._persons: dict[int, _Person] = {}
        self._ambient = math.nan
        self._frame = -1
        self._width_scale = 1.0

    @property
    def frames(self) -> int:
        """Number of frames processed."""
        return self._frame + 1

    def process(self, frame: ThermalFrame) -> FrameResult:
        """Take the next frame of the stream and say what is known of everybody in it."""
        self._frame += 1
        fault = celsius_fault(frame.celsius) or self._watch.update(frame)
        if fault is not None and fault not in ("ffc", "frozen"):
            return FrameResult([], self._reference.state, fault, self._ambient, self._end(frame.time_s))
        self._width_scale = max(frame.celsius.shape) / 160.0
        reference = self._reference.update(frame)
        faces, sites = self._living_faces(frame, reference)
        self._follow_ambient(frame.celsius, reference)
        tracks = self._tracker.update(faces, [site.median for site in sites], frame.time_s)
        persons = [
            self._person(track, site, frame, reference, fault)
            for track, site in zip(tracks, sites, strict=True)
            if track is not None
        ]  # fmt: skip
        ended = self._end(frame.time_s)
        return FrameResult(persons, reference, fault, self._ambient, ended, self._plausibility.shift_c)

    def finish(self) -> list[PersonOutcome]:
        """End the stream: the outcomes of everybody still in view."""
        return self._end(math.inf)

    # -- one frame ---------------------------------------------------------------------------------------------

    def _living_faces(self, frame: ThermalFrame, reference: ReferenceState) -> tuple[list[Face], list[SiteReading]]:
        pairs = []
        for face in self._detector.detect(grey_from_celsius(frame.celsius)):
            site = read_site(frame.celsius, face)
            if reference.disc is not None and _is_reference(face, reference.disc):
                continue
            if site is not None and living(site, reference.offset_c, self.settings.quality):
                pairs.append((face, site))
        return [face for face, _ in pairs], [site for _, site in pairs]

    def _follow_ambient(self, celsius: NDArray[np.float32], reference: ReferenceState) -> None:
        """Air temperature from the picture: the cooler half of a room's walls is close to its air."""
        if math.isfinite(self.settings.ambient_celsius):
            self._ambient = self.settings.ambient_celsius
        elif reference.usable:
            seen = float(np.percentile(celsius[::4, ::4], 25)) + reference.offset_c
            self._ambient = seen if not math.isfinite(self._ambient) else 0.95 * self._ambient + 0.05 * seen

    def _person(
        self, track: Track, site: SiteReading, frame: ThermalFrame, reference: ReferenceState, fault: str | None
    ) -> PersonReading:
        person = self._persons.setdefault(track.number, _Person(FeverAlarm(self.settings.decision), self._frame))
        person.last_frame = self._frame
        reason = fault or self._reason(track, site, frame, reference)
        offset, offset_uncertainty = self._offset(reference)
        if reason is None and math.isfinite(offset):
            person.samples.append(self._sample(track.face, site, offset, frame.time_s))
        if reason is None and not reference.usable:
            person.uncorrected.append(self._sample(track.face, site, 0.0, frame.time_s).core_celsius)
            if not math.isfinite(offset):
                reason = "reference_lost"
        if reason is not None:
            person.reasons[reason] += 1
            if reason in ("ffc", "frozen"):
                person.samples.clear()
        reading = self._reading(person, track, frame.time_s, offset_uncertainty, reference.usable, reason)
        withheld = reference.usable and bool(self._plausibility.shift_c)
        person.last = _withheld(reading) if withheld else reading
        if reading.ok:
            stage = person.alarm.stage
            person.alarmed |= stage is Stage.ALARM and not withheld
            fresh = person.samples[-1].time_s == frame.time_s
            if person.best is None or (fresh and reading.quality >= person.best.quality):
                person.best = reading
        return person.last

    def _reason(self, track: Track, site: SiteReading, frame: ThermalFrame, reference: ReferenceState) -> str | None:
        size = (frame.celsius.shape[0], frame.celsius.shape[1])
        reason = reason_against(
            track.face, site, track.speed, size, self.settings.highest_celsius, self.settings.quality
        )
        if reason is None and track.score < self.settings.quality.score:
            return "turned_away"
        if reason is None and reference.disc is not None and not reference.settled:
            return "settling"
        return reason

    def _offset(self, reference: ReferenceState) -> tuple[float, float]:
        """Correction of the camera and its standard uncertainty [K]: reference, else baseline, else NaN."""
        if reference.usable:
            # The gain of a camera that is far off is not to be trusted either.
            return reference.offset_c, math.hypot(reference.standard_uncertainty_c, _GAIN_ERROR * reference.offset_c)
        baseline = self._baseline.current
        return (baseline.offset_c, baseline.standard_uncertainty_c) if baseline else (math.nan, math.nan)

    def _sample(self, face: Face, site: SiteReading, offset_c: float, time_s: float) -> _Sample:
        settings = self.settings
        size = correct(site.face, site.surroundings, face.across)
        shift = offset_c + size.correction_c
        shift += self._radiometric_shift(site.face + shift, face)
        canthi = (
            face.across >= settings.quality.canthi_px
            and face.glasses <= settings.quality.glasses
            and math.isfinite(site.right_canthus + site.left_canthus)
        )
        if canthi:
            three = three_site_statistic(*(np.asarray(v) for v in (site.right_canthus, site.left_canthus, site.face)))
            skin = float(three) + shift
            core = float(settings.mapping.core(skin, self._ambient))
        else:
            skin = site.face + shift
            core = settings.mapping.core_from_face(skin, self._ambient)
        return _Sample(time_s, canthi, core, skin, size.standard_uncertainty_c)

    def _radiometric_shift(self, apparent_celsius: float, face: Face) -> float:
        """What skin's emissivity, the reflected room and the air on the way take from an apparent temperature [K]."""
        room = self._ambient if math.isfinite(self._ambient) else 22.0
        surroundings = Surroundings(
            emissivity=SKIN_EMISSIVITY, reflected_celsius=room, atmosphere_celsius=room,
            relative_humidity=self.settings.relative_humidity, distance_m=self._distance(face),
        )  # fmt: skip
        return float(object_celsius_from_apparent(np.array([apparent_celsius]), surroundings)[0]) - apparent_celsius

    def _distance(self, face: Face) -> float:
        """Distance to a face from its size in the picture [m]."""
        return self.settings.focal_px * self._width_scale * FACE_HEIGHT_M / max(face.width, face.height, 1.0)

    # -- one person over frames --------------------------------------------------------------------------------

    def _reading(
        self,
        person: _Person,
        track: Track,
        now_s: float,
        offset_uncertainty_c: float,
        reference_used: bool,
        reason: str | None,
    ) -> PersonReading:
        settings = self.settings
        recent = [s for s in person.samples if now_s - s.time_s <= settings.window_s]
        canthi = [s for s in recent if s.with_canthi]
        chosen = canthi if len(canthi) >= settings.least_frames else recent
        distance = self._distance(track.face)
        # A reading stays while its person looks away for a moment, but not when the camera cannot be believed.
        if len(chosen) < settings.least_frames or reason in _CAMERA_REASONS:
            return self._nothing(track, person, reason or "settling", reference_used, len(chosen), distance)
        core = [s.core_celsius for s in chosen]
        value = median(core)
        spread = 1.4826 * median(abs(one - value) for one in core)
        if spread > settings.spread_c:
            person.reasons["unstable"] += 1
            return self._nothing(track, person, "unstable", reference_used, len(chosen), distance)
        with_canthi = chosen is canthi
        uncertainty = combined_uncertainty(
            settings.mapping.residual_c if with_canthi else settings.mapping.face_only_residual_c,
            offset_uncertainty_c if math.isfinite(offset_uncertainty_c) else settings.reference.standard_uncertainty_c,
            median(s.correction_uncertainty_c for s in chosen),
            settings.camera_uniformity_c,
            settings.mapping.ambient_gain * 2.0,  # the picture tells the air to about 2 °C
            max(spread, _LEAST_SPREAD_C) / math.sqrt(len(chosen)),
        )
        stage = person.alarm.update(value, uncertainty, now_s)
        return PersonReading(
            track=track.number, face=track.face, reason=None, site="canthi" if with_canthi else "face",
            core_celsius=value,
            skin_celsius=median(s.skin_celsius for s in chosen), uncertainty_c=uncertainty, stage=stage,
            reference_used=reference_used, frames=len(chosen), distance_m=distance,
        )  # fmt: skip

    def _nothing(
        self, track: Track, person: _Person, reason: str, reference_used: bool, frames: int, distance_m: float
    ) -> PersonReading:
        return PersonReading(
            track.number, track.face, reason, "none", math.nan, math.nan, math.nan, person.alarm.stage, reference_used,
            frames, distance_m,
        )  # fmt: skip

    def _end(self, now_s: float) -> list[PersonOutcome]:
        alive = (
            {t.number for t in self._tracker.tracks if now_s - t.seen_s <= KEEP_S} if math.isfinite(now_s) else set()
        )
        outcomes = []
        for number in [n for n in self._persons if n not in alive]:
            person = self._persons.pop(number)
            if person.uncorrected:
                self._baseline.add(median(person.uncorrected))
            reading = person.best or person.last
            if reading is None:
                continue
            if reading.ok and reading.reference_used:
                self._plausibility.add(reading.core_celsius, person.samples[-1].time_s)
                if self._plausibility.shift_c:
                    reading = _withheld(reading)
            elif not reading.ok:
                reading = replace(reading, reason=gravest(dict(person.reasons)))
            outcomes.append(PersonOutcome(number, person.first_frame, person.last_frame, reading, person.alarmed))
        return outcomes


def _withheld(reading: PersonReading) -> PersonReading:
    """A reading that is not given because the reference cannot be what it is said to be."""
    return replace(
        reading, reason="reference_implausible", site="none", core_celsius=math.nan, skin_celsius=math.nan,
        uncertainty_c=math.nan, stage=Stage.CLEAR,
    )  # fmt: skip


def _is_reference(face: Face, disc: Disc) -> bool:
    """Whether a found face is the reference itself, or a part of its rim: round, warm, and no larger than it."""
    x, y = face.centre
    return math.hypot(x - disc.x, y - disc.y) < 1.5 * disc.radius and max(face.width, face.height) < 3.5 * disc.radius
