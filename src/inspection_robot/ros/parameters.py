"""Parameters of a node, described once by a frozen dataclass.

Each field is made by :func:`parameter` and carries its default, description and limits. The same description declares
the ROS parameters, checks parameter files before anything starts (:mod:`inspection_robot.ros.parameter_files`) and
checks values set at run time. A bad value is rejected, never clamped. Nothing here needs ROS.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

P = TypeVar("P")
T = TypeVar("T")

Scalar = bool | int | float | str
_LIMITS = "inspection_robot.parameter"
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


class ParameterError(ValueError):
    """A parameter that cannot be used. ``parameter`` is its name, the message says what is allowed."""

    def __init__(self, parameter: str, fault: str) -> None:
        self.parameter = parameter
        self.fault = fault
        super().__init__(f"{parameter}: {fault}")


@dataclass(frozen=True)
class Limits:
    """What a value may be, and what it is."""

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Scalar, ...] | None = None
    read_only: bool = False

    def text(self) -> str:
        """Say what is allowed: ``0.1 … 60``, ``at least 0``, ``one of a, b``; empty when anything is."""
        if self.choices is not None:
            return "one of " + ", ".join(repr(choice) if choice == "" else str(choice) for choice in self.choices)
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum:g} … {self.maximum:g}"
        if self.minimum is not None:
            return f"at least {self.minimum:g}"
        return f"at most {self.maximum:g}" if self.maximum is not None else ""


@dataclass(frozen=True)
class Specification:
    """One parameter: name, type of the value or of a list's elements, default, limits."""

    name: str
    element: type
    is_list: bool
    default: Any
    limits: Limits

    def check(self, value: object) -> Any:
        """Return ``value`` in the type of the field, or raise :class:`ParameterError`.

        A whole number is accepted for a number, as parameter files write ``5`` for ``5.0``; nothing else is converted.
        """
        if not self.is_list:
            return self._check_element(value)
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise ParameterError(self.name, f"{value!r} is not a list")
        return tuple(self._check_element(element) for element in value)

    def _check_element(self, value: object) -> Scalar:
        if self.element is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.element:
            raise ParameterError(self.name, f"{value!r} is not {_NAMES[self.element]}")
        assert isinstance(value, bool | int | float | str)
        limits = self.limits
        if isinstance(value, float) and not math.isfinite(value):
            raise ParameterError(self.name, f"{value} is not a finite number")
        if limits.choices is not None and value not in limits.choices:
            raise ParameterError(self.name, f"{value!r} is not allowed: {limits.text()}")
        if isinstance(value, int | float) and (
            (limits.minimum is not None and value < limits.minimum)
            or (limits.maximum is not None and value > limits.maximum)
        ):
            raise ParameterError(self.name, f"{value:g} is out of range: {limits.text()}")
        return value


def parameter(
    default: T,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[Scalar] | None = None,
    read_only: bool = False,
) -> T:
    """Make a field of a parameter dataclass.

    Args:
        default: used when no parameter file gives a value; also the type when the field is not annotated otherwise.
        description: one line, with the unit.
        minimum: smallest allowed value (of each element of a list), inclusive.
        maximum: largest allowed value, inclusive.
        choices: the allowed values, instead of a range.
        read_only: can only be given at start.
    """
    limits = Limits(description, minimum, maximum, None if choices is None else tuple(choices), read_only)
    # The declared return type is that of the value a reader of the field gets, as with dataclasses.field itself.
    return dataclasses.field(default=default, metadata={_LIMITS: limits})


def specifications(parameters: type[Any]) -> dict[str, Specification]:
    """Read the parameters of a dataclass made of :func:`parameter` fields, in order.

    Raises:
        TypeError: when the class holds something else; a mistake in the program.
    """
    hints = typing.get_type_hints(parameters)
    found: dict[str, Specification] = {}
    for field in dataclasses.fields(parameters):
        limits = field.metadata.get(_LIMITS)
        hint = hints[field.name]
        is_list = typing.get_origin(hint) is tuple
        element = typing.get_args(hint)[0] if is_list else hint
        if limits is None or element not in _NAMES:
            raise TypeError(
                f"{parameters.__name__}.{field.name} is not a parameter() of type bool, int, float, str or tuple"
            )
        found[field.name] = Specification(field.name, element, is_list, field.default, limits)
    return found


def build(parameters: type[P], values: Mapping[str, object], known: Iterable[str] = ()) -> P:
    """Make the parameter object from given values, defaults for the rest.

    Args:
        parameters: the dataclass.
        values: given values by name.
        known: further names that are allowed and not ours (``use_sim_time``).

    Raises:
        ParameterError: for an unknown name (with the nearest known one), a wrong type or a value out of range.
    """
    described = specifications(parameters)
    others = set(known)
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name in described:
            checked[name] = described[name].check(value)
        elif name not in others:
            raise ParameterError(name, unknown(name, [*described, *others]))
    for name, specification in described.items():
        if name not in checked:
            checked[name] = specification.check(specification.default)
    return _construct(parameters, checked)


def change(current: P, values: Mapping[str, object]) -> P:
    """Return ``current`` with some values replaced, checked as in :func:`build`; ``current`` stays as it is."""
    described = specifications(type(current))
    checked = {name: described[name].check(value) for name, value in values.items()}
    return _construct(type(current), {name: getattr(current, name) for name in described} | checked)


def unknown(name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, and which known one is nearest."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return "no such parameter" + (f"; did you mean {near[0]}?" if near else "")


def _construct(parameters: type[P], values: dict[str, Any]) -> P:
    try:
        return parameters(**values)
    except ParameterError:
        raise
    except ValueError as error:
        # __post_init__ of the dataclass checks what concerns several parameters together.
        raise ParameterError(", ".join(sorted(values)) if len(values) == 1 else "parameters", str(error)) from error
