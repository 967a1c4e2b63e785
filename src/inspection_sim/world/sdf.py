"""Read a world from SDF 1.9 into typed models.

The subset is what Gazebo Harmonic, libsdformat 12 and the built-in simulator understand alike: box, cylinder, sphere,
capsule, ellipsoid and plane, poses with ``relative_to``, includes of ``model://``, sensors, plugins (kept for Gazebo)
and namespaced data elements (``inspection:*``). Everything else is refused by name, so that a world means the same in
every simulator. Units: m, rad, K.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_contract.errors import InputError

NAMESPACE: Final = "urn:inspection-robot:world"
THERMAL_PLUGIN: Final = "gz-sim-thermal-system"
SHAPES: Final = {
    "box": ("size",),
    "cylinder": ("radius", "length"),
    "sphere": ("radius",),
    "capsule": ("radius", "length"),
    "ellipsoid": ("radii",),
    "plane": ("normal", "size"),
}
_LENGTHS: Final = {"size": 3, "radii": 3, "normal": 3, "radius": 1, "length": 1}
_MODEL_CHILDREN: Final = {"static", "pose", "link", "joint", "plugin", "frame"}
_LINK_CHILDREN: Final = {"pose", "visual", "collision", "sensor", "inertial", "plugin"}


@dataclass(frozen=True)
class Shape:
    """A geometry: its kind (a key of :data:`SHAPES`) and its dimensions [m], in SDF's order."""

    kind: str
    dimensions: tuple[float, ...]


@dataclass(frozen=True)
class Visual:
    """What sensors see.

    Attributes:
        name: unique in its link.
        pose: 4×4 transform from the visual's frame to the model's.
        shape: geometry.
        colour: diffuse colour, RGBA 0..1.
        temperature_k: surface temperature [K]; None: that of the surroundings.
        emissivity: 8–14 µm, 0..1.
        texture: what is printed on it (`document` text), empty when nothing.
        texture_format: symbology of the print, e.g. QRCode.
        patch: a thin patch on another surface (canthus, mouth): the thermal camera alone sees it.
    """

    name: str
    pose: NDArray[np.float64]
    shape: Shape
    colour: tuple[float, float, float, float]
    temperature_k: float | None
    emissivity: float
    texture: str
    texture_format: str
    patch: bool


@dataclass(frozen=True)
class Collision:
    """What bodies and radiation meet: shape in the model's frame, with the material that attenuates."""

    name: str
    pose: NDArray[np.float64]
    shape: Shape
    material: str


@dataclass(frozen=True)
class Model:
    """One model of the world.

    Attributes:
        name: unique in the world.
        static: never moves.
        pose: 4×4 transform from the model's frame to the world's.
        visuals: in document order.
        collisions: in document order.
        data: namespaced data elements of the model, as (element name, attributes).
    """

    name: str
    static: bool
    pose: NDArray[np.float64]
    visuals: tuple[Visual, ...]
    collisions: tuple[Collision, ...]
    data: tuple[tuple[str, dict[str, str]], ...]


@dataclass(frozen=True)
class Place:
    """A named pose of the world, e.g. a door, a gate or the robot's dock: x, y [m] and yaw [rad] in the world frame."""

    name: str
    kind: str
    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class Air:
    """State of the air: temperature [°C], relative humidity 0..1, mean wind (x, y) [m/s]."""

    temperature_c: float = 22.0
    relative_humidity: float = 0.45
    wind: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class World:
    """A whole world."""

    name: str
    models: tuple[Model, ...]
    places: tuple[Place, ...]
    air: Air
    path: Path = field(default_factory=Path)

    def place(self, name: str) -> Place:
        """Return the place of that name.

        Raises:
            InputError: there is none.
        """
        for place in self.places:
            if place.name == name:
                return place
        raise InputError(
            name, f"no such place in world {self.name}; there are {', '.join(p.name for p in self.places)}"
        )


def read_world(path: Path, models_folder: Path | None = None) -> World:
    """Read a world file and the models it includes.

    Args:
        path: the ``.sdf`` file.
        models_folder: where ``model://`` lies; default: ``models`` beside the file's folder.

    Raises:
        InputError: the file is missing, no well-formed XML, or uses what is not in the subset.
    """
    return parse_world(_parse(path), path, models_folder or path.resolve().parent.parent / "models")


def parse_world(root: Element, path: Path, models_folder: Path) -> World:
    """Turn a parsed ``<sdf>`` document into a :class:`World`; ``path`` names it in errors."""
    if root.tag != "sdf" or root.get("version") != "1.9":
        raise InputError(path, "not an SDF 1.9 document")
    worlds = root.findall("world")
    if len(worlds) != 1:
        raise InputError(path, f"{len(worlds)} worlds instead of one")
    world = worlds[0]
    models: list[Model] = []
    for element in world:
        if element.tag == "model":
            models.append(_model(element, path))
        elif element.tag == "include":
            models.append(_include(element, path, models_folder))
        elif element.tag not in {
            "physics",
            "plugin",
            "light",
            "scene",
            "gravity",
            "atmosphere",
            "magnetic_field",
            "wind",
            "gui",
        } and not _is_data(element):
            raise InputError(path, f"<{element.tag}> in <world> is not in the subset")
    names = [model.name for model in models]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise InputError(path, f"two models named {', '.join(doubles)}")
    return World(world.get("name", path.stem), tuple(models), _places(world, path), _air(world, path), path)


def transform(values: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the 4×4 transform of an SDF pose ``x y z roll pitch yaw`` [m, rad]."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", values[3:]).as_matrix()
    matrix[:3, 3] = values[:3]
    return matrix


def data_name(name: str) -> str:
    """Return the qualified tag of a namespaced data element."""
    return f"{{{NAMESPACE}}}{name}"


def _parse(path: Path) -> Element:
    try:
        root: Element = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise InputError(path, "no such file") from None
    except (ElementTree.ParseError, DefusedXmlException, UnicodeDecodeError, IsADirectoryError) as error:
        raise InputError(path, f"no well-formed XML: {error}") from None
    return root


def _is_data(element: Element) -> bool:
    return element.tag.startswith(f"{{{NAMESPACE}}}")


def _numbers(text: str | None, count: int, path: Path, what: str) -> tuple[float, ...]:
    try:
        values = tuple(float(word) for word in (text or "").split())
    except ValueError:
        raise InputError(path, f"{what}: {text!r} is not numbers") from None
    if len(values) != count or not np.all(np.isfinite(values)):
        raise InputError(path, f"{what}: {count} finite numbers expected, got {text!r}")
    return values


def _attribute(element: Element, name: str, path: Path, default: float | None = None) -> float:
    text = element.get(name)
    if text is None and default is not None:
        return default
    return _numbers(text, 1, path, f"{element.tag.rpartition('}')[2]} {name}")[0]


def _pose(element: Element, path: Path) -> NDArray[np.float64]:
    pose = element.find("pose")
    if pose is None:
        return np.eye(4)
    return transform(_numbers(pose.text, 6, path, f"pose of {element.get('name')}"))


def _include(element: Element, path: Path, models_folder: Path) -> Model:
    uri = (element.findtext("uri") or "").strip()
    if not uri.startswith("model://"):
        raise InputError(path, f"include of {uri!r}: only model:// is in the subset")
    file = models_folder / uri.removeprefix("model://") / "model.sdf"
    model = _parse(file).find("model")
    if model is None:
        raise InputError(file, "no <model>")
    name = (element.findtext("name") or model.get("name") or "").strip()
    pose = _pose(element, path) if element.find("pose") is not None else None
    return _model(model, file, name, pose)


def _model(element: Element, path: Path, name: str = "", pose: NDArray[np.float64] | None = None) -> Model:
    name = name or element.get("name", "")
    if not name:
        raise InputError(path, "a model without a name")
    for child in element:
        if child.tag not in _MODEL_CHILDREN and not _is_data(child):
            raise InputError(path, f"<{child.tag}> in model {name} is not in the subset")
    frames = _link_poses(element, path)
    visuals: list[Visual] = []
    collisions: list[Collision] = []
    for link in element.findall("link"):
        base = frames[link.get("name", "")]
        for child in link:
            if child.tag not in _LINK_CHILDREN and not _is_data(child):
                raise InputError(path, f"<{child.tag}> in a link of {name} is not in the subset")
            if child.tag == "visual":
                visuals.append(_visual(child, base, path))
            elif child.tag == "collision":
                collisions.append(_collision(child, base, path))
    data = tuple((c.tag.rpartition("}")[2], dict(c.attrib)) for c in element if _is_data(c))
    static = (element.findtext("static") or "false").strip() in {"true", "1"}
    return Model(name, static, _pose(element, path) if pose is None else pose, tuple(visuals), tuple(collisions), data)


def _link_poses(element: Element, path: Path) -> dict[str, NDArray[np.float64]]:
    """Resolve the links' poses to the model's frame, following ``relative_to`` among links."""
    links = {link.get("name", ""): link for link in element.findall("link")}
    resolved: dict[str, NDArray[np.float64]] = {}

    def resolve(name: str, seen: tuple[str, ...]) -> NDArray[np.float64]:
        if name in resolved:
            return resolved[name]
        if name not in links or name in seen:
            raise InputError(path, f"pose of link {seen[-1]!r} is relative to {name!r}, which is absent or circular")
        pose = links[name].find("pose")
        base = pose.get("relative_to") if pose is not None else None
        own = _pose(links[name], path)
        resolved[name] = own if base in (None, "", "__model__") else resolve(str(base), (*seen, name)) @ own
        return resolved[name]

    for name in links:
        resolve(name, ("",))
    return resolved


def _shape(element: Element, path: Path) -> Shape:
    geometry = element.find("geometry")
    shapes = list(geometry) if geometry is not None else []
    if len(shapes) != 1 or shapes[0].tag not in SHAPES:
        found = ", ".join(shape.tag for shape in shapes) or "none"
        raise InputError(path, f"geometry of {element.get('name')}: one of {', '.join(SHAPES)} expected, got {found}")
    kind = shapes[0].tag
    dimensions: list[float] = []
    for name in SHAPES[kind]:
        count = 2 if (kind, name) == ("plane", "size") else _LENGTHS[name]
        text = shapes[0].findtext(name) or ("0 0 1" if name == "normal" else None)
        values = _numbers(text, count, path, f"{kind} {name} of {element.get('name')}")
        if name != "normal" and min(values) <= 0:
            raise InputError(path, f"{kind} {name} of {element.get('name')} must be positive")
        dimensions.extend(values)
    return Shape(kind, tuple(dimensions))


def _visual(element: Element, base: NDArray[np.float64], path: Path) -> Visual:
    diffuse = element.findtext("material/diffuse")
    colour = _numbers(diffuse, 4, path, "diffuse") if diffuse else (0.6, 0.6, 0.6, 1.0)
    temperature: float | None = None
    for plugin in element.findall("plugin"):
        if plugin.get("filename") == THERMAL_PLUGIN:
            temperature = _numbers(plugin.findtext("temperature"), 1, path, "temperature")[0]
            if not 150.0 <= temperature <= 1500.0:
                raise InputError(path, f"temperature {temperature} K of {element.get('name')} is outside 150..1500")
    emissivity = element.find(data_name("emissivity"))
    value = 0.95 if emissivity is None else _numbers(emissivity.text, 1, path, "emissivity")[0]
    if not 0.0 < value <= 1.0:
        raise InputError(path, f"emissivity {value} of {element.get('name')} is outside 0..1")
    document = element.find(data_name("document"))
    return Visual(
        element.get("name", ""), base @ _pose(element, path), _shape(element, path),
        (colour[0], colour[1], colour[2], colour[3]), temperature, value,
        "" if document is None else document.get("text", ""),
        "" if document is None else document.get("format", "QRCode"),
        element.find(data_name("patch")) is not None,
    )  # fmt: skip


def _collision(element: Element, base: NDArray[np.float64], path: Path) -> Collision:
    attenuation = element.find(data_name("attenuation"))
    material = "" if attenuation is None else attenuation.get("material", "")
    return Collision(element.get("name", ""), base @ _pose(element, path), _shape(element, path), material)


def _places(world: Element, path: Path) -> tuple[Place, ...]:
    return tuple(
        Place(
            element.get("id", ""), element.get("kind", ""), _attribute(element, "x", path),
            _attribute(element, "y", path), _attribute(element, "yaw", path, 0.0),
        )
        for element in world.findall(data_name("place"))
    )  # fmt: skip


def _air(world: Element, path: Path) -> Air:
    element = world.find(data_name("air"))
    if element is None:
        return Air()
    wind = _numbers(element.get("wind", "0 0"), 2, path, "air wind")
    return Air(
        _attribute(element, "temperature_c", path, 22.0),
        _attribute(element, "relative_humidity", path, 0.45),
        (wind[0], wind[1]),
    )
