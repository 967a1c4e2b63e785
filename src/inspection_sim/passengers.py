"""Bodies of passengers: skin temperatures from core temperature, and their models in the world's XML."""

from __future__ import annotations

import copy
import zlib
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from defusedxml import ElementTree

from inspection_contract.errors import InputError
from inspection_sim.scenario import ROBOT, CrowdSpec, LuggageSpec, PassengerSpec, Scenario, StopSpec
from inspection_sim.world.sdf import SHAPES, THERMAL_PLUGIN, data_name

MODEL_HEIGHT_M: Final = 1.72
REFERENCE_AIR_C: Final = 24.1
"""Mean air temperature of the FDA/PhysioNet face-oral-temp-data (CC0), to which the offsets below belong [°C]."""
OFFSETS_C: Final = {
    "canthus": -1.31, "face": -2.59, "mouth": -1.70, "head": -3.2, "neck": -2.4, "nose": -4.2,
    "hand": -5.0, "hair": -7.5,
}  # fmt: skip
"""Skin minus core temperature at :data:`REFERENCE_AIR_C` [K]. Canthus, face (forehead centre) and mouth are the means
of that data set (round 1, 1,020 people); the others are typical of thermograms, cooler than the face."""
PER_AIR_DEGREE: Final = {
    "canthus": 0.154,
    "face": 0.2,
    "mouth": 0.154,
    "head": 0.25,
    "neck": 0.2,
    "nose": 0.45,
    "hand": 0.4,
    "hair": 0.6,
}
"""Rise of skin temperature per degree of air [1]; canthus: 28 people in four ambients (thermal.md)."""
CLOTHING_SHARE: Final = 0.45
"""Clothing surface: air + this share of (33 °C − air)."""
CLOTHES: Final = (
    "0.30 0.35 0.50 1", "0.55 0.20 0.18 1", "0.20 0.42 0.28 1", "0.62 0.55 0.40 1", "0.25 0.25 0.27 1",
    "0.70 0.70 0.72 1", "0.45 0.30 0.50 1", "0.75 0.60 0.20 1",
)  # fmt: skip
"""Colours of shirts and coats, RGBA."""
GLASSES_C: Final = 3.0
"""Spectacles lie this much above the air [K] and hide the canthi: glass is opaque in 8–14 µm."""
MASK_SHARE: Final = 0.7
"""Outer surface of a mask: air + this share of (33 °C − air): breath warms it more than a shirt."""


def skin_temperature_c(part: str, core_c: float, air_c: float) -> float:
    """Return the surface temperature of a part of the body [°C]; parts without skin data are clothing."""
    site = part.split("_")[0]
    if site not in OFFSETS_C:
        return air_c + CLOTHING_SHARE * (33.0 - air_c)
    return core_c + OFFSETS_C[site] + PER_AIR_DEGREE[site] * (air_c - REFERENCE_AIR_C)


def compose(world: Path, models: Path, scenario: Scenario, crowd: tuple[PassengerSpec, ...]) -> Element:
    """Return the world's SDF document with everybody and everything of a scenario in it.

    The result is one plain SDF 1.9 document: the built-in simulator parses it, Gazebo loads it.

    Raises:
        InputError: a file is missing or broken.
    """
    root = _load(world)
    found = root.find("world")
    if found is None:
        raise InputError(world, "no <world>")
    air = found.find(data_name("air"))
    air_c = float(air.get("temperature_c", "22")) if air is not None else 22.0
    for person in (*scenario.passengers, *crowd):
        found.append(_passenger(models, person, air_c))
        if person.luggage is not None:
            found.append(_luggage(models, f"{person.id}_luggage", person.luggage))
    for item in scenario.objects:
        luggage = LuggageSpec(item.temperature_c, item.odor, item.source, item.tag, item.tag_format, item.watch_listed)
        element = _luggage(models, item.id, luggage, item.model)
        SubElement(element, "pose").text = f"{item.x:g} {item.y:g} 0 0 0 {item.yaw:g}"
        found.append(element)
    return root


def make_crowd(spec: CrowdSpec, generator: np.random.Generator) -> tuple[PassengerSpec, ...]:
    """Draw the ordinary passengers of a crowd: healthy, some with luggage, each with a way through the hall.

    Core temperature ~ N(36.75, 0.2) °C cut to 36.1..37.2 (healthy adults), height ~ N(1.69, 0.09) m.
    """
    people = []
    for index in range(spec.passengers):
        stops: tuple[StopSpec, ...] = ()
        enters = str(generator.choice(spec.enters))
        leaves = str(generator.choice([door for door in spec.leaves if door != enters] or list(spec.leaves)))
        if spec.through:
            chosen = generator.choice(spec.through, size=min(2, len(spec.through)), replace=False)
            stops = tuple(StopSpec(str(place), float(generator.choice([0.0, 0.0, 3.0, 8.0]))) for place in chosen)
        if generator.random() < spec.visit_robot_share:
            stops = (*stops, StopSpec(ROBOT, float(generator.uniform(5.0, 9.0)), face_robot=True))
        tag = f"0{int(generator.integers(100, 999))}{int(generator.integers(0, 1_000_000)):06d}"
        has_luggage = bool(generator.random() < spec.luggage_share)
        people.append(PassengerSpec(
            id=f"crowd_{index + 1:02d}", enters=enters, leaves=leaves, at_s=0.0, stops=stops,
            core_temperature_c=float(np.clip(generator.normal(36.75, 0.2), 36.1, 37.2)),
            height_m=float(np.clip(generator.normal(1.69, 0.09), 1.45, 1.95)),
            luggage=LuggageSpec(tag=tag) if has_luggage else None,
        ))  # fmt: skip
    return tuple(people)


def _load(path: Path) -> Element:
    try:
        root: Element = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise InputError(path, "no such file") from None
    except ElementTree.ParseError as error:
        raise InputError(path, f"no well-formed XML: {error}") from None
    return root


def _model(models: Path, name: str, called: str) -> Element:
    element = _load(models / name / "model.sdf").find("model")
    if element is None:
        raise InputError(models / name, "no <model>")
    element = copy.deepcopy(element)
    element.set("name", called)
    return element


def _passenger(models: Path, person: PassengerSpec, air_c: float) -> Element:
    element = _model(models, "passenger", person.id)
    if person.glasses:
        link = element.find("link")
        assert link is not None
        for visual in [v for v in link.findall("visual") if str(v.get("name")).startswith("canthus")]:
            name = str(visual.get("name")).replace("canthus", "hidden_canthus")
            _glasses(visual, name)
    if person.mask:
        _mask(element)
    for visual in element.iter("visual"):
        part = str(visual.get("name"))
        if part.startswith("glass"):
            value = air_c + GLASSES_C
        elif part == "mask":
            value = air_c + MASK_SHARE * (33.0 - air_c)
        else:
            value = skin_temperature_c(part, person.core_temperature_c, air_c)
        _set_temperature(visual, value)
    _dress(element, person.id)
    _scale(element, person.height_m / MODEL_HEIGHT_M)
    return element


def _dress(element: Element, name: str) -> None:
    """Give somebody clothes of a colour of their own, which follows from their name."""
    shirt = CLOTHES[zlib.crc32(name.encode()) % len(CLOTHES)]
    for visual in element.iter("visual"):
        if str(visual.get("name")).split("_")[0] in ("torso", "arm"):
            for colour in visual.findall("material/*"):
                colour.text = shirt


def _glasses(visual: Element, name: str) -> None:
    """Turn a canthus into a spectacle lens in front of it."""
    side = name.rsplit("_", 1)[1]
    visual.set("name", f"glass_{side}")
    pose, geometry = visual.find("pose"), visual.find("geometry")
    assert pose is not None and geometry is not None
    pose.text = f"0.108 {0.032 if side == 'left' else -0.032} 1.62 0 0 0"
    geometry.clear()
    SubElement(SubElement(geometry, "box"), "size").text = "0.004 0.055 0.045"


def _mask(element: Element) -> None:
    """Cover mouth and nose: the mouth's patch becomes a mask over the lower half of the face, the nose is under it."""
    link = element.find("link")
    assert link is not None
    link.remove(_part(link, "nose"))
    visual = _part(link, "mouth")
    visual.set("name", "mask")
    pose, geometry = visual.find("pose"), visual.find("geometry")
    assert pose is not None and geometry is not None
    pose.text = "0.032 0 1.55 0 0 0"
    geometry.clear()
    SubElement(SubElement(geometry, "ellipsoid"), "radii").text = "0.085 0.07 0.058"


def _part(link: Element, name: str) -> Element:
    return next(visual for visual in link.findall("visual") if visual.get("name") == name)


def _luggage(models: Path, name: str, luggage: LuggageSpec, model: str = "suitcase") -> Element:
    element = _model(models, model, name)
    static = element.find("static")
    if static is not None:
        static.text = "false"
    for visual in element.iter("visual"):
        part = str(visual.get("name"))
        if luggage.temperature_c is not None and part in ("contents", "box"):
            _set_temperature(visual, luggage.temperature_c)
        document = visual.find(data_name("document"))
        if document is not None and luggage.tag:
            document.set("text", luggage.tag)
            document.set("format", luggage.tag_format)
    return element


def _set_temperature(visual: Element, celsius: float) -> None:
    plugin = next((p for p in visual.findall("plugin") if p.get("filename") == THERMAL_PLUGIN), None)
    if plugin is None:
        plugin = SubElement(visual, "plugin", {"filename": THERMAL_PLUGIN, "name": "gz::sim::systems::Thermal"})
    temperature = plugin.find("temperature")
    if temperature is None:
        temperature = SubElement(plugin, "temperature")
    temperature.text = f"{celsius + 273.15:.3f}"


def _scale(element: Element, factor: float) -> None:
    """Make a model larger or smaller: every length, no angle."""
    for pose in element.iter("pose"):
        words = (pose.text or "").split()
        pose.text = " ".join([*(f"{float(word) * factor:.6g}" for word in words[:3]), *words[3:]])
    for geometry in element.iter("geometry"):
        for shape in geometry:
            for dimension in SHAPES[shape.tag]:
                found = shape.find(dimension)
                if found is not None and dimension != "normal":
                    found.text = " ".join(f"{float(word) * factor:.6g}" for word in (found.text or "").split())
