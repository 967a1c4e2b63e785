"""Checks the parameter files of a plan against the nodes' own descriptions.

Run as a process of its own, so that the nodes' modules and all they import stay out of the supervisor. It reads a
JSON list of ``{"module", "name", "where", "parameters"}`` from standard input.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from inspection_contract.errors import InputError
from inspection_robot.ros.parameter_files import Given, Section, check, load


def parameters_of(module_name: str) -> type[Any] | None:
    """The parameter dataclass of the node that a module defines; None when it defines none."""
    try:
        if importlib.util.find_spec(module_name) is None:
            return None
    except ModuleNotFoundError:
        return None  # an executable that is no node of the robot, like the simulator
    module = importlib.import_module(module_name)
    for value in vars(module).values():
        if not isinstance(value, type) or value.__module__ != module_name:
            continue
        for base in getattr(value, "__orig_bases__", ()):
            origin, arguments = typing.get_origin(base), typing.get_args(base)
            if origin is not None and origin.__name__ == "InspectionNode" and isinstance(arguments[0], type):
                return arguments[0]
    return None


def faults(nodes: Iterable[dict[str, Any]]) -> list[str]:
    """One line for each mistake in the files and values that the nodes are given."""
    checked: dict[str, Given] = {}
    files: dict[str, list[Section]] = {}
    lines: list[str] = []
    for node in nodes:
        try:
            parameters = parameters_of(node["module"])
        except Exception as error:  # noqa: BLE001 - whatever a module raises, this node cannot run
            lines.append(f"{node['where']}: {node['module']} cannot be imported: {type(error).__name__}: {error}")
            continue
        if parameters is None:
            continue
        sections: list[Section] = []
        for item in node["parameters"]:
            if not isinstance(item, str):  # one value of the launch file
                name, text = item
                sections.append(Section(Path(node["where"]), node["name"], {name: yaml.safe_load(text)}))
                continue
            if item not in files:
                files[item] = []
                try:
                    files[item] = load(Path(item))
                except InputError as error:
                    lines.append(str(error))
            sections += files[item]
        checked[node["name"]] = Given(parameters, sections)
    return lines + [str(error) for error in check(checked)]


def main() -> int:
    """Print the faults, one a line; status 2 when there are any."""
    lines = faults(json.load(sys.stdin))
    for line in lines:
        print(line)
    return 2 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
