"""ROS parameter files: read and checked without ROS, so that a mistake is found before any node starts.

The names of sections follow rcl: ``/robot1/thermal``, ``thermal`` (in the root namespace), ``/*/thermal`` (any one
namespace), ``/**/thermal`` (any namespace or none) and ``/**`` (every node). Files of this repository use
``/**/<node>``, so that they hold under every robot name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inspection_contract.errors import InputError
from inspection_robot.ros.parameters import ParameterError, build, specifications, unknown

PARAMETERS_KEY = "ros__parameters"
ROS_PARAMETERS = ("use_sim_time", "start_type_description_service")
"""Parameters that every ROS node has."""


@dataclass(frozen=True)
class Section:
    """The parameters that one file gives to the nodes whose full name matches ``pattern``."""

    path: Path
    pattern: str
    values: Mapping[str, object]

    def matches(self, node: str) -> bool:
        """Whether this section is for the node of that fully qualified name (``/robot1/thermal``)."""
        return re.fullmatch(_expression(self.pattern), node) is not None

    @property
    def node(self) -> str:
        """The node's own name; empty when the section is for nodes of any name."""
        last = self.pattern.rsplit("/", 1)[-1]
        return "" if "*" in last else last


class _Loader(yaml.SafeLoader):
    """YAML loader that refuses a key given twice, which YAML forbids and PyYAML lets pass."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    keys = [loader.construct_object(key) for key, _ in node.value]
    for position, key in enumerate(keys):
        if key in keys[:position]:
            raise yaml.MarkedYAMLError(
                problem=f"{key!r} is given twice", problem_mark=node.value[position][0].start_mark
            )
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(path: Path) -> list[Section]:
    """Read a parameter file.

    Raises:
        InputError: when it cannot be read or is not a ROS parameter file.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InputError(path, f"{line}{error.problem or 'is not YAML'}") from error
    except yaml.YAMLError as error:
        raise InputError(path, f"is not YAML: {error}") from error
    if content is None:
        return []
    return list(_sections(path, "", content))


def _sections(path: Path, prefix: str, content: object) -> Iterator[Section]:
    if not isinstance(content, dict):
        raise InputError(path, f"{prefix or 'the file'} is not a mapping of node names to {PARAMETERS_KEY}")
    for key, value in content.items():
        if key == PARAMETERS_KEY:
            if not isinstance(value, dict):
                raise InputError(path, f"{prefix}: {PARAMETERS_KEY} is not a mapping")
            yield Section(path, prefix or "/**", dict(_flatten("", value)))
        else:
            name = str(key)
            yield from _sections(
                path, name if name.startswith("/") and not prefix else f"{prefix}/{name.lstrip('/')}", value
            )


def _flatten(prefix: str, values: Mapping[Any, object]) -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def _expression(pattern: str) -> str:
    tokens = [token for token in pattern.split("/") if token]
    words = {"**": r"(/\w+)*", "*": r"/\w+"}
    return "".join(words.get(token, "/" + re.escape(token)) for token in tokens)


def given(sections: Iterable[Section], node: str) -> dict[str, tuple[object, Section]]:
    """Values for one node by parameter name, each with the section it comes from; the last one given wins."""
    values: dict[str, tuple[object, Section]] = {}
    for section in sections:
        if section.matches(node):
            values |= {name: (value, section) for name, value in section.values.items()}
    return values


def is_ros_parameter(name: str) -> bool:
    """Whether ROS itself declares it for every node."""
    return name in ROS_PARAMETERS or name.startswith("qos_overrides.")


@dataclass(frozen=True)
class Given:
    """What one node is given: its parameter dataclass and its sections in the order in which they are read."""

    parameters: type[Any]
    sections: Sequence[Section]


def check(nodes: Mapping[str, Given]) -> list[InputError]:
    """Check the values of parameter files against the nodes' descriptions.

    Args:
        nodes: by fully qualified name.

    Returns:
        One error for each mistake, naming file, node, parameter and what is allowed.
    """
    readers: dict[int, tuple[Section, list[type[Any]]]] = {}
    for name, node in nodes.items():
        for section in node.sections:
            _, described = readers.setdefault(id(section), (section, []))
            if section.matches(name):
                described.append(node.parameters)
    errors: list[InputError] = []
    for section, described in readers.values():
        if section.node and not described:
            continue  # for another robot, or for a node of somebody else
        known = {parameter for one in described for parameter in specifications(one)}
        errors += [
            InputError(section.path, f"{section.pattern}: {name}: {unknown(name, known)}")
            for name in section.values
            if name not in known and not is_ros_parameter(name)
        ]
    for name, node in nodes.items():
        errors += _check_values(name, node.parameters, given(node.sections, name))
    return errors


def _check_values(node: str, described: type[Any], values: dict[str, tuple[object, Section]]) -> list[InputError]:
    errors = []
    usable: dict[str, object] = {}
    last: Path | None = None
    for name, specification in specifications(described).items():
        if name not in values:
            continue
        value, section = values[name]
        last = section.path
        try:
            usable[name] = specification.check(value)
        except ParameterError as error:
            errors.append(InputError(section.path, f"{node.lstrip('/')}: {error}"))
    if not errors and last is not None:
        try:
            build(described, usable)
        except ParameterError as error:
            errors.append(InputError(last, f"{node.lstrip('/')}: {error}"))
    return errors


def source(sections: Iterable[Section], node: str, name: str) -> Section | None:
    """The section that gives a node its value of a parameter; None when no file does."""
    found = given(sections, node).get(name)
    return None if found is None else found[1]
