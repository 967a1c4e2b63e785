"""Checks the parameter files of a plan against the nodes' own descriptions.

Run as a process of its own, so that the nodes' modules and all they import stay out of the supervisor. It reads a
JSON list of ``{"module", "name", "where", "files", "values"}`` from standard input.
"""

from __future__ import annotations

import importlib
import json
import sys
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from inspection_contract.errors import InputError
from inspection_robot.ros.parameter_files import Section, check, load


def parameters_of(module_name: str) -> type[Any] | None:
    """The parameter dataclass of the node that a module defines; None when it defines none."""
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
    """One line for each mistake in the files and values of the nodes."""
    described: dict[str, type[Any]] = {}
    files: dict[Path, list[Section]] = {}
    lines: list[str] = []
    values: list[Section] = []
    for node in nodes:
        parameters = parameters_of(node["module"])
        if parameters is None:
            continue
        described[node["name"]] = parameters
        for name, text in node["values"]:
            values.append(Section(Path(node["where"]), node["name"], {name: yaml.safe_load(text)}))
        for path in map(Path, node["files"]):
            if path not in files:
                files[path] = []
                try:
                    files[path] = load(path)
                except InputError as error:
                    lines.append(str(error))
    sections = [section for found in files.values() for section in found]
    return lines + [str(error) for error in check([*sections, *values], described)]


def main() -> int:
    """Print the faults, one a line; status 2 when there are any."""
    lines = faults(json.load(sys.stdin))
    for line in lines:
        print(line)
    return 2 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
