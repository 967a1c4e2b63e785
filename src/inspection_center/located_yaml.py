"""YAML that remembers its lines, so that every fault of a rule file is told with the line it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from inspection_contract.errors import InputError

M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]
MAXIMUM_CHARACTERS = 2**20
_DEEPEST = 30


@dataclass(frozen=True)
class Located(Generic[M]):
    """What a file says, and where it says it."""

    content: M
    name: str
    lines: dict[Place, int]

    def line_of(self, place: Sequence[str | int]) -> int:
        """The line [1 …] of a part, or of the nearest part around it."""
        path = tuple(place)
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def fault(self, place: Sequence[str | int], reason: str) -> InputError:
        """An error that names the file, the line and the part."""
        return _fault(self.name, self.lines, tuple(place), reason)


def read_located(text: str, name: str | Path, model: type[M]) -> Located[M]:
    """Read a YAML text and validate it.

    Args:
        text: the file's content.
        name: how errors name it.
        model: what it must be.

    Raises:
        InputError: no YAML, a key twice, an alias, or something `model` refuses; the text names line and reason.
    """
    if len(text) > MAXIMUM_CHARACTERS:
        raise InputError(name, f"longer than {MAXIMUM_CHARACTERS} characters")
    lines: dict[Place, int] = {}
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise InputError(name, "line 1: the file is empty")
            data = _build(loader, node, (), lines, set(), name)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark is not None else ""
        raise InputError(name, f"{place}no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(name, f"no YAML: {error}") from error
    try:
        return Located(model.model_validate(data), str(name), lines)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _fault(str(name), lines, tuple(first["loc"]), str(first["msg"]).removeprefix("Value error, ")) from error


def read_located_file(path: Path, model: type[M]) -> Located[M]:
    """Read and validate a file; see `read_located`.

    Raises:
        InputError: the file cannot be read or used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8") from error
    return read_located(text, path, model)


def _build(
    loader: yaml.SafeLoader, node: yaml.Node, place: Place, lines: dict[Place, int], seen: set[int], name: str | Path
) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if len(place) > _DEEPEST:
        raise _fault(str(name), lines, place, f"nested deeper than {_DEEPEST}")
    if not isinstance(node, yaml.ScalarNode):
        if id(node) in seen:
            raise _fault(str(name), lines, place, "aliases are not allowed")
        seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, (*place, i), lines, seen, name) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    content: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        here = (*place, str(key))
        if not isinstance(key, str):
            lines[here] = key_node.start_mark.line + 1
            raise _fault(str(name), lines, here, "a key must be a text; quote it")
        if key in content:
            lines[here] = key_node.start_mark.line + 1
            raise _fault(str(name), lines, here, "stands here for the second time")
        lines[here] = key_node.start_mark.line + 1
        content[key] = _build(loader, value_node, here, lines, seen, name)
    return content


def _fault(name: str, lines: dict[Place, int], place: Place, reason: str) -> InputError:
    path: Place = ()
    for part in place:  # Parts that only the model knows (the tag of a union) are passed over.
        path = (*path, part) if (*path, part) in lines else path
    dotted = ".".join(str(part) for part in place)
    return InputError(name, f"line {lines.get(path, 1)}: {dotted + ': ' if dotted else ''}{reason}")
