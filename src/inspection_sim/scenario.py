"""Scenarios: what happens in a world, read from YAML with every mistake named.

A scenario plants people, luggage and objects with known properties, orders faults, and fixes the seed; the truth that
the scorer compares with follows from what is planted, so that it is written down once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from inspection_contract.errors import InputError
from inspection_sim.fields.nuclides import NUCLIDES
from inspection_sim.fields.odor import SUBSTANCES
from inspection_sim.world.sdf import World

FEVER_C = 37.5
"""Core (oral) temperature from which a planted passenger counts as feverish [°C] (thermal.md, FDA reference)."""
COLD_C = 10.0
"""Surface temperature below which planted luggage counts as chilled or frozen goods [°C]."""
HOT_C = 60.0
"""Surface temperature from which a planted thing counts as overheating [°C]."""

ROBOT = "robot"
"""As the place of a stop: a metre in front of the robot, wherever it is."""

FAULTS: dict[str, tuple[str, ...]] = {
    "thermal_camera": ("drop_out", "frozen", "flat_field_correction"),
    "rgb_camera": ("drop_out", "frozen"),
    "lidar": ("drop_out",),
    "radiation": ("unplug", "stuck", "garbage"),
    "odor": ("unplug", "stuck", "garbage"),
    "radio": ("down",),
}
RADIATION_DETECTORS: Final = ("rad_pro", "gmc")


@dataclass(frozen=True)
class SourceSpec:
    """A radioactive source: nuclide and activity [MBq], inside so many metres of water-like matter (a body)."""

    nuclide: str
    activity_mbq: float
    depth_m: float = 0.0

    def check(self, where: str) -> None:
        """Refuse an unknown nuclide and impossible numbers."""
        _require(self.nuclide in NUCLIDES, where, f"no nuclide {self.nuclide!r}; there are {', '.join(NUCLIDES)}")
        _require(0.0 < self.activity_mbq <= 1e7, where, f"activity {self.activity_mbq} MBq is outside 0..1e7")
        _require(0.0 <= self.depth_m <= 1.0, where, f"depth {self.depth_m} m is outside 0..1")


@dataclass(frozen=True)
class OdorSpec:
    """A smell: substance and the concentration at the centre of a fresh filament [ppm]."""

    substance: str
    ppm: float = 30.0

    def check(self, where: str) -> None:
        """Refuse an unknown substance and impossible numbers."""
        _require(
            self.substance in SUBSTANCES, where, f"no substance {self.substance!r}; there are {', '.join(SUBSTANCES)}"
        )
        _require(0.0 < self.ppm <= 1e5, where, f"{self.ppm} ppm is outside 0..1e5")


@dataclass(frozen=True)
class LuggageSpec:
    """A suitcase: surface temperature of its contents [°C], smell, source, its tag, whether that is wanted."""

    temperature_c: float | None = None
    odor: OdorSpec | None = None
    source: SourceSpec | None = None
    tag: str = ""
    tag_format: str = "QRCode"
    watch_listed: bool = False


@dataclass(frozen=True)
class SpeechSpec:
    """What a passenger asks aloud when the robot is near."""

    text: str
    language: str
    within_m: float = 3.0

    def check(self, where: str) -> None:
        """Refuse an empty question and other languages."""
        _require(bool(self.text.strip()), where, "a question without words")
        _require(self.language in ("zh", "en"), where, f"language {self.language!r} is neither zh nor en")


@dataclass(frozen=True)
class StopSpec:
    """A stop on somebody's way.

    Attributes:
        place: where; or :data:`ROBOT`.
        wait_s: how long [s].
        face_robot: looks at the robot meanwhile.
        turned_deg: and turns the head so far to the left of it [°].
    """

    place: str
    wait_s: float = 0.0
    face_robot: bool = False
    turned_deg: float = 0.0

    def check(self, where: str) -> None:
        """Refuse heads that nothing turns."""
        _require(abs(self.turned_deg) <= 180.0, where, f"turned by {self.turned_deg}°, outside -180..180")
        _require(self.face_robot or self.turned_deg == 0.0, where, "turned_deg counts from the robot: set face_robot")


@dataclass(frozen=True)
class PassengerSpec:
    """A planted passenger."""

    id: str
    enters: str
    leaves: str
    at_s: float = 0.0
    stops: tuple[StopSpec, ...] = ()
    core_temperature_c: float = 36.8
    height_m: float = 1.72
    speed_m_s: float | None = None
    glasses: bool = False
    mask: bool = False
    source: SourceSpec | None = None
    odor: OdorSpec | None = None
    luggage: LuggageSpec | None = None
    says: tuple[SpeechSpec, ...] = ()

    def check(self, where: str) -> None:
        """Refuse impossible bodies."""
        _require(
            30.0 <= self.core_temperature_c <= 43.0,
            where,
            f"core temperature {self.core_temperature_c} °C is outside 30..43",
        )
        _require(0.8 <= self.height_m <= 2.2, where, f"height {self.height_m} m is outside 0.8..2.2")
        _require(
            self.speed_m_s is None or 0.1 <= self.speed_m_s <= 2.5,
            where,
            f"speed {self.speed_m_s} m/s is outside 0.1..2.5",
        )


@dataclass(frozen=True)
class ObjectSpec:
    """A planted thing that stays: a suitcase or carton at x, y [m] with what is in it."""

    id: str
    model: str
    x: float
    y: float
    yaw: float = 0.0
    temperature_c: float | None = None
    source: SourceSpec | None = None
    odor: OdorSpec | None = None
    tag: str = ""
    tag_format: str = "QRCode"
    watch_listed: bool = False


@dataclass(frozen=True)
class FaultSpec:
    """A fault on order: from `at_s` for `for_s` seconds."""

    at_s: float
    for_s: float
    device: str
    fault: str

    def check(self, where: str) -> None:
        """Refuse devices and faults that do not exist."""
        _require(self.device in FAULTS, where, f"no device {self.device!r}; there are {', '.join(FAULTS)}")
        _require(
            self.fault in FAULTS[self.device],
            where,
            f"{self.device} knows {', '.join(FAULTS[self.device])}, not {self.fault!r}",
        )
        _require(self.at_s >= 0 and self.for_s > 0, where, "a fault needs at_s ≥ 0 and for_s > 0")


@dataclass(frozen=True)
class CrowdSpec:
    """The others: how many walk at the same time, from which doors, through which places, to which doors."""

    passengers: int = 0
    enters: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    luggage_share: float = 0.6
    visit_robot_share: float = 0.0

    def check(self, where: str) -> None:
        """Refuse impossible numbers."""
        _require(0 <= self.passengers <= 200, where, f"{self.passengers} passengers are outside 0..200")
        _require(
            not self.passengers or bool(self.enters and self.leaves), where, "a crowd needs doors: enters and leaves"
        )
        for share in (self.luggage_share, self.visit_robot_share):
            _require(0.0 <= share <= 1.0, where, f"a share of {share} is outside 0..1")


@dataclass(frozen=True)
class Scenario:
    """One scenario, checked against its world by :func:`read_scenario`."""

    name: str
    description: str
    world: str
    seed: int
    duration_s: float
    robot: str
    crowd: CrowdSpec = field(default_factory=CrowdSpec)
    passengers: tuple[PassengerSpec, ...] = ()
    objects: tuple[ObjectSpec, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    route: str = ""
    """Route of config/routes.yaml that the operator orders when the robot is ready; empty: it stays where it is."""
    radiation_detector: str = "rad_pro"
    """Which Geiger counter the robot carries: one of :data:`RADIATION_DETECTORS`."""

    def check(self, where: str) -> None:
        """Refuse what no world could run."""
        _require(1.0 <= self.duration_s <= 86400.0, where, f"duration {self.duration_s} s is outside 1..86400")
        known = self.radiation_detector in RADIATION_DETECTORS
        _require(known, where, f"radiation_detector is none of {', '.join(RADIATION_DETECTORS)}")
        ids = [*(person.id for person in self.passengers), *(item.id for item in self.objects)]
        doubles = sorted({name for name in ids if ids.count(name) > 1})
        _require(not doubles, where, f"two things are called {', '.join(doubles)}")


def read_scenario(path: Path) -> Scenario:
    """Read one scenario file.

    Raises:
        InputError: the file is missing, no YAML, or holds an unknown key, a wrong type or an impossible value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "no such scenario") from None
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        raise InputError(path, f"no YAML: {error}") from None
    return _build(Scenario, content, str(path), "scenario")


def check_against(scenario: Scenario, world: World) -> None:
    """Refuse a scenario that names places its world does not have.

    Raises:
        InputError: naming the passenger and the missing place.
    """
    places = {place.name for place in world.places}
    asked = [("start of the robot", scenario.robot)]
    for group in ("enters", "through", "leaves"):
        asked += [(f"crowd {group}", name) for name in getattr(scenario.crowd, group)]
    for person in scenario.passengers:
        stops = [stop.place for stop in person.stops if stop.place != ROBOT]
        asked += [(person.id, name) for name in (person.enters, person.leaves, *stops)]
    for who, name in asked:
        _require(name in places, scenario.name, f"{who}: world {world.name} has no place {name!r}")


def check_models(scenario: Scenario, models: Collection[str]) -> None:
    """Refuse a scenario whose objects are of models that do not exist.

    Raises:
        InputError: naming the object and the missing model.
    """
    for item in scenario.objects:
        _require(item.model in models, scenario.name, f"{item.id}: there is no model {item.model!r}")


T = TypeVar("T")


def _require(holds: bool, where: str, fault: str) -> None:
    if not holds:
        raise InputError(where, fault)


def _build(kind: type[T], content: Any, path: str, where: str) -> T:
    """Build a frozen dataclass from YAML, strictly: unknown keys, missing keys and wrong types are errors."""
    if not isinstance(content, dict):
        raise InputError(path, f"{where}: a mapping expected, got {type(content).__name__}")
    types = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # T is one of the dataclasses above
    unknown = sorted(set(map(str, content)) - set(known))
    if unknown:
        raise InputError(path, f"{where}: unknown key {', '.join(unknown)}; there are {', '.join(known)}")
    missing = [
        n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING and n not in content
    ]
    if missing:
        raise InputError(path, f"{where}: {', '.join(missing)} is missing")
    values = {name: _value(types[name], value, path, f"{where}.{name}") for name, value in content.items()}
    built = kind(**values)
    check = getattr(built, "check", None)
    if check is not None:
        check(f"{path}: {where}")
    return built


def _value(kind: Any, value: Any, path: str, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _value(next(a for a in get_args(kind) if a is not type(None)), value, path, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(path, f"{where}: a list expected, got {value!r}")
        return tuple(_value(get_args(kind)[0], item, path, f"{where}[{i}]") for i, item in enumerate(value))
    if hasattr(kind, "__dataclass_fields__"):
        return _build(kind, value, path, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(path, f"{where}: {kind.__name__} expected, got {value!r}")
    if kind is float and not abs(value) < 1e12:
        raise InputError(path, f"{where}: a finite number expected, got {value!r}")
    return value
