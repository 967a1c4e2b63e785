"""Reads ROS XML launch files: the subset that this repository's files use. Pure; starts nothing.

Elements: ``launch``, ``arg``, ``let``, ``group``, ``push_ros_namespace``, ``set_env``, ``node`` (with ``param``,
``remap``, ``env``), ``executable`` (with ``env``), ``include`` (with ``arg``); ``if`` and ``unless`` on all of them.
Substitutions: ``$(var NAME)``, ``$(env NAME [DEFAULT])``, ``$(find-pkg-share PACKAGE)``, ``$(dirname)``.
Anything else is an error, so that a file never means less here than under ``ros2 launch``.

The meaning follows launch and launch_xml of Jazzy: arguments and lets are visible from where they stand, into included
files too; a group keeps its namespace, lets and environment to itself.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lxml import etree

from inspection_contract.errors import InputError
from inspection_robot.launcher.plan import Argument, NodeProcess, PlainProcess, Plan

_CONDITIONS = {"if", "unless"}
_ATTRIBUTES = {
    "arg": {"name", "default", "value", "description"},
    "let": {"name", "value"},
    "group": {"scoped"},
    "push_ros_namespace": {"namespace"},
    "set_env": {"name", "value"},
    "node": {
        "pkg", "exec", "name", "namespace", "output", "respawn", "respawn_delay", "args", "ros_args",
    },
    "executable": {"cmd", "name", "output", "respawn", "respawn_delay"},
    "include": {"file"},
    "param": {"name", "value", "from"},
    "remap": {"from", "to"},
    "env": {"name", "value"},
}  # fmt: skip
_TRUE, _FALSE = {"true", "1"}, {"false", "0"}
_SUBSTITUTION = re.compile(r"\$\(([\w-]+)(?:\s+([^$()]*))?\)")
_DEEPEST_INCLUDE = 10


def read(path: Path, given: Mapping[str, str], find_share: Callable[[str], Path]) -> Plan:
    """Read a launch file and all it includes.

    Args:
        path: the file.
        given: launch arguments, ``namespace`` and the like.
        find_share: share folder of a ROS package; raises LookupError when it is not installed.

    Raises:
        InputError: naming file and line, for anything that cannot be read, is not known or has no value.
    """
    reader = _Reader(find_share)
    scope = _Scope(variables=dict(given))
    reader.file(path, scope, depth=0)
    declared = {argument.name for argument in reader.arguments}
    unknown = sorted(set(given) - declared)
    if unknown:
        raise InputError(path, f"has no argument {unknown[0]}; there are {', '.join(sorted(declared))}")
    names = [process.full_name if isinstance(process, NodeProcess) else process.name for process in reader.processes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(path, f"starts {twice} twice")
    return Plan(tuple(reader.processes), tuple(reader.arguments))


@dataclass
class _Scope:
    """Variables, namespace and environment where the reader stands."""

    variables: dict[str, str]
    namespace: str = "/"
    environment: dict[str, str] = field(default_factory=dict)

    def inner(self) -> _Scope:
        return replace(self, variables=dict(self.variables), environment=dict(self.environment))


class _Reader:
    def __init__(self, find_share: Callable[[str], Path]) -> None:
        self._find_share = find_share
        self.processes: list[NodeProcess | PlainProcess] = []
        self.arguments: list[Argument] = []
        self._internal: set[str] = set()  # arguments between files, not for the caller

    def file(self, path: Path, scope: _Scope, depth: int) -> None:
        """Read one file in the given scope."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        try:
            root = etree.fromstring(path.read_bytes(), parser)
        except OSError as error:
            raise InputError(path, error.strerror or str(error)) from error
        except etree.XMLSyntaxError as error:
            raise InputError(path, f"is not XML: {error}") from error
        if root.tag != "launch":
            raise InputError(path, f"is no launch file: its root is <{root.tag}>")
        if depth > _DEEPEST_INCLUDE:
            raise InputError(path, "includes itself")
        self._children(path, root, scope, depth)

    def _children(self, path: Path, parent: Any, scope: _Scope, depth: int) -> None:
        for element in parent:
            tag = str(element.tag).replace("-", "_")
            where = _Where(path, element.sourceline or 0)
            allowed = _ATTRIBUTES.get(tag)
            if allowed is None or tag in ("param", "remap", "env"):
                raise where.error(f"<{element.tag}> is not supported here")
            attributes = self._attributes(where, element, allowed | _CONDITIONS, scope)
            if not _wanted(where, attributes):
                continue
            self._act(where, tag, element, attributes, scope, depth)

    def _act(
        self, where: _Where, tag: str, element: Any, attributes: dict[str, str], scope: _Scope, depth: int
    ) -> None:
        match tag:
            case "arg":
                self._argument(where, attributes, scope)
            case "let":
                scope.variables[where.need(attributes, "name")] = where.need(attributes, "value")
            case "set_env":
                scope.environment[where.need(attributes, "name")] = where.need(attributes, "value")
            case "push_ros_namespace":
                scope.namespace = _join(scope.namespace, where.need(attributes, "namespace"))
            case "group":
                scoped = _boolean(where, attributes.get("scoped", "true"))
                self._children(where.path, element, scope.inner() if scoped else scope, depth)
            case "include":
                for inner in self._inner(where, element, {"arg"}, scope):
                    name = inner.where.need(inner.attributes, "name")
                    scope.variables[name] = inner.where.need(inner.attributes, "value")
                    self._internal.add(name)
                self.file(Path(where.need(attributes, "file")), scope, depth + 1)
            case "executable":
                self._executable(where, element, attributes, scope)
            case "node":
                self._node(where, element, attributes, scope)

    def _argument(self, where: _Where, attributes: dict[str, str], scope: _Scope) -> None:
        name = where.need(attributes, "name")
        default = attributes.get("default")
        if name not in self._internal | {argument.name for argument in self.arguments}:
            self.arguments.append(Argument(name, default, attributes.get("description", "")))
        if name not in scope.variables:
            if default is None:
                raise where.error(f"argument {name} has no value: give {name}:=…")
            scope.variables[name] = default

    def _node(self, where: _Where, element: Any, attributes: dict[str, str], scope: _Scope) -> None:
        parameters: list[Path | tuple[str, str]] = []
        remaps: list[tuple[str, str]] = []
        environment = dict(scope.environment)
        for inner in self._inner(where, element, {"param", "remap", "env"}, scope):
            values = inner.attributes
            if inner.tag == "remap":
                remaps.append((inner.where.need(values, "from"), inner.where.need(values, "to")))
            elif inner.tag == "env":
                environment[inner.where.need(values, "name")] = inner.where.need(values, "value")
            elif "from" in values:
                parameters.append(Path(values["from"]))
            else:
                parameters.append((inner.where.need(values, "name"), inner.where.need(values, "value")))
        executable = where.need(attributes, "exec")
        self.processes.append(
            NodeProcess(
                package=where.need(attributes, "pkg"), executable=executable, name=attributes.get("name", executable),
                namespace=_join(scope.namespace, attributes.get("namespace", "")), parameters=tuple(parameters),
                remaps=tuple(remaps), arguments=_words(where, attributes.get("args", "")),
                ros_arguments=_words(where, attributes.get("ros_args", "")), environment=environment,
                respawn=_boolean(where, attributes.get("respawn", "false")),
                respawn_delay_s=_seconds(where, attributes.get("respawn_delay", "0")), where=str(where),
            )
        )  # fmt: skip

    def _executable(self, where: _Where, element: Any, attributes: dict[str, str], scope: _Scope) -> None:
        environment = dict(scope.environment)
        for inner in self._inner(where, element, {"env"}, scope):
            environment[inner.where.need(inner.attributes, "name")] = inner.where.need(inner.attributes, "value")
        words = _words(where, where.need(attributes, "cmd"))
        if not words:
            raise where.error("cmd is empty")
        self.processes.append(
            PlainProcess(
                name=attributes.get("name", Path(words[0]).name), words=words, environment=environment,
                respawn=_boolean(where, attributes.get("respawn", "false")),
                respawn_delay_s=_seconds(where, attributes.get("respawn_delay", "0")), where=str(where),
            )
        )  # fmt: skip

    def _inner(self, where: _Where, element: Any, tags: set[str], scope: _Scope) -> list[_Inner]:
        found = []
        for child in element:
            here = _Where(where.path, child.sourceline or where.line)
            if child.tag not in tags:
                raise here.error(f"<{child.tag}> is not supported in <{element.tag}>")
            attributes = self._attributes(here, child, _ATTRIBUTES[child.tag] | _CONDITIONS, scope)
            if _wanted(here, attributes):
                found.append(_Inner(here, str(child.tag), attributes))
        return found

    def _attributes(self, where: _Where, element: Any, allowed: set[str], scope: _Scope) -> dict[str, str]:
        found = {}
        for name, value in element.attrib.items():
            if name not in allowed:
                raise where.error(f"attribute {name} of <{element.tag}> is not supported")
            found[str(name)] = self._substitute(where, str(value), scope)
        return found

    def _substitute(self, where: _Where, text: str, scope: _Scope) -> str:
        def one(match: re.Match[str]) -> str:
            kind, rest = match.group(1), (match.group(2) or "").strip()
            name, _, default = rest.partition(" ")
            if kind == "var" and rest in scope.variables:
                return scope.variables[rest]
            if kind == "env" and (name in scope.environment or name in os.environ or " " in rest):
                return scope.environment.get(name, os.environ.get(name, default.strip()))
            if kind == "dirname":
                return str(where.path.parent.resolve())
            if kind == "find-pkg-share":
                try:
                    return str(self._find_share(rest))
                except LookupError as error:
                    raise where.error(f"package {rest} is not installed") from error
            if kind in ("var", "env"):
                raise where.error(f"{kind} {rest} has no value")
            raise where.error(f"$({kind} …) is not supported")

        result = _SUBSTITUTION.sub(one, text)
        if "$(" in result:
            raise where.error(f"cannot read the substitution in {text!r}")
        return result


@dataclass(frozen=True)
class _Where:
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"

    def error(self, fault: str) -> InputError:
        return InputError(str(self), fault)

    def need(self, attributes: Mapping[str, str], name: str) -> str:
        if name not in attributes:
            raise self.error(f"attribute {name} is missing")
        return attributes[name]


@dataclass(frozen=True)
class _Inner:
    where: _Where
    tag: str
    attributes: dict[str, str]


def _wanted(where: _Where, attributes: dict[str, str]) -> bool:
    return _boolean(where, attributes.pop("if", "true")) and not _boolean(where, attributes.pop("unless", "false"))


def _boolean(where: _Where, text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise where.error(f"{text!r} is neither true nor false")


def _seconds(where: _Where, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds < 3600.0:
        raise where.error(f"{text!r} is not a number of seconds")
    return seconds


def _words(where: _Where, text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise where.error(f"cannot split {text!r}: {error}") from error


def _join(outer: str, inner: str) -> str:
    if inner.startswith("/"):
        return inner
    return f"{outer.rstrip('/')}/{inner}".rstrip("/") or "/"
