"""Declares a node's parameter dataclass as ROS parameters, and keeps the two the same."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.parameter import Parameter

from inspection_contract.errors import InputError
from inspection_robot.ros import parameter_files
from inspection_robot.ros.parameter_files import Section, is_ros_parameter
from inspection_robot.ros.parameters import ParameterError, Specification, build, change, specifications

P = TypeVar("P")

LARGEST_INTEGER = 2**63 - 1


def declare(
    node: Any,
    parameters: type[P],
    files: Sequence[Path],
    overrides: Mapping[str, object],
    changed: Callable[[P], None],
) -> P:
    """Declare every field of ``parameters`` on the node and return the object that the node starts with.

    Args:
        node: the node; its command line and parameter files have been read by rcl.
        parameters: the dataclass.
        files: parameter files of the command line, to name the one that is wrong.
        overrides: values above those of the files.
        changed: called with the new object whenever parameters were set at run time.

    Raises:
        InputError: naming file, node, parameter and what is allowed.
    """
    described = specifications(parameters)
    name = node.get_fully_qualified_name()
    sections = [section for path in files for section in parameter_files.load(path)]
    values = {key: value.value for key, value in node._parameter_overrides.items()} | dict(overrides)
    for key, value in values.items():
        if value is None and key in described and described[key].is_list:
            values[key] = ()  # rcl gives an empty list of a file as "not set"
    usable = {
        key: value
        for key, value in values.items()
        if key in described or not (is_ros_parameter(key) or _only_for_all(sections, name, key))
    }
    try:
        current = build(parameters, usable)
    except ParameterError as error:
        section = parameter_files.source(sections, name, error.parameter)
        where = f"{section.path}: " if section is not None and error.parameter not in overrides else ""
        raise InputError(f"{where}{name.lstrip('/')}", str(error)) from error
    for key, specification in described.items():
        _declare_one(node, specification, getattr(current, key))
    _follow(node, described, current, changed)
    return current


def _declare_one(node: Any, specification: Specification, value: Any) -> None:
    name, descriptor = specification.name, _descriptor(specification)
    if not specification.is_list or value:
        node.declare_parameter(name, list(value) if specification.is_list else value, descriptor, ignore_override=True)
        return
    # rclpy cannot tell the type of an empty list: declare the type, then set the value.
    node.declare_parameter(name, _type(specification), ignore_override=True)
    node.set_parameters([Parameter(name, _type(specification), [])])
    node.set_descriptor(name, descriptor)


def _only_for_all(sections: list[Section], node: str, key: str) -> bool:
    """Whether only sections for nodes of any name give this value: it may be meant for others."""
    naming = [section for section in sections if section.matches(node) and key in section.values]
    return bool(naming) and all(not section.node for section in naming)


def _follow(node: Any, described: dict[str, Specification], current: P, changed: Callable[[P], None]) -> None:
    """Check what is set at run time as a whole, and hand the new object over once it is set."""
    state = {"current": current, "next": current}

    def whole_numbers(given: list[Parameter]) -> list[Parameter]:
        # `ros2 param set node rate_hz 5` sends an integer; parameter files are allowed the same.
        return [
            Parameter(item.name, Parameter.Type.DOUBLE, float(item.value))
            if item.type_ is Parameter.Type.INTEGER and item.name in described and described[item.name].element is float
            else item
            for item in given
        ]

    def check(given: list[Parameter]) -> SetParametersResult:
        values = {item.name: item.value for item in given if item.name in described}
        try:
            state["next"] = change(state["current"], values)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def accept(given: list[Parameter]) -> None:
        if state["next"] != state["current"] and any(item.name in described for item in given):
            state["current"] = state["next"]
            changed(state["current"])

    node.add_pre_set_parameters_callback(whole_numbers)
    node.add_on_set_parameters_callback(check)
    node.add_post_set_parameters_callback(accept)


def _type(specification: Specification) -> Parameter.Type:
    single = {bool: "BOOL", int: "INTEGER", float: "DOUBLE", str: "STRING"}[specification.element]
    return Parameter.Type[f"{single}_ARRAY" if specification.is_list else single]


def _descriptor(specification: Specification) -> ParameterDescriptor:
    limits = specification.limits
    descriptor = ParameterDescriptor(
        description=limits.description,
        additional_constraints=limits.text(),
        read_only=limits.read_only,
        type=_type(specification).value,
    )
    if limits.minimum is None and limits.maximum is None:
        return descriptor
    if specification.element is int:
        descriptor.integer_range = [
            IntegerRange(
                from_value=-LARGEST_INTEGER if limits.minimum is None else int(limits.minimum),
                to_value=LARGEST_INTEGER if limits.maximum is None else int(limits.maximum),
            )
        ]
    else:
        largest = sys.float_info.max
        descriptor.floating_point_range = [
            FloatingPointRange(
                from_value=-largest if limits.minimum is None else float(limits.minimum),
                to_value=largest if limits.maximum is None else float(limits.maximum),
            )
        ]
    return descriptor
