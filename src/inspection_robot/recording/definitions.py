"""Message definitions as MCAP wants them: a message's text, then those of everything it is made of.

Format: schema encoding ``ros2msg`` of the MCAP specification, parts divided by a line of ``=`` and ``MSG: pkg/Name``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inspection_contract.errors import InputError

_RULE: Final = "=" * 80
_PRIMITIVES: Final = frozenset({
    "bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64",
    "uint64", "string", "wstring",
})  # fmt: skip
_FIELD: Final = re.compile(r"^\s*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*")


def full_definition(name: str, read: Callable[[str, str], str]) -> str:
    """Return the definition of ``pkg/msg/Name`` with all its parts.

    Args:
        name: type name.
        read: returns the text of the .msg file of (package, name).

    Raises:
        InputError: the name has another form, or a part has no definition.
    """
    words = name.split("/")
    if len(words) != 3 or words[1] != "msg":
        raise InputError(name, "a message type has the form package/msg/Name")
    first = (words[0], words[2])
    texts: dict[tuple[str, str], str] = {}
    waiting = [first]
    while waiting:
        part = waiting.pop(0)
        if part in texts:
            continue
        texts[part] = read(*part)
        waiting += parts_of(texts[part], part[0])
    pieces = [texts.pop(first), *(f"{_RULE}\nMSG: {package}/{part}\n{text}" for (package, part), text in texts.items())]
    return "\n".join(piece.rstrip("\n") for piece in pieces) + "\n"


def parts_of(text: str, package: str) -> list[tuple[str, str]]:
    """Return (package, name) of every message type that a definition uses, in order."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        match = _FIELD.match(line.split("#", 1)[0])
        if match is None or match[1] in _PRIMITIVES:
            continue
        words = match[1].split("/")
        found.append((words[0], words[-1]) if len(words) > 1 else (package, words[0]))
    return found


def from_share(folders: list[Path]) -> Callable[[str, str], str]:
    """Return a reader of .msg files below installation prefixes (``<prefix>/share/<package>/msg/<Name>.msg``).

    The reader raises:
        InputError: no prefix has that file.
    """

    def read(package: str, name: str) -> str:
        for folder in folders:
            file = folder / "share" / package / "msg" / f"{name}.msg"
            if file.is_file():
                return file.read_text(encoding="utf-8")
        raise InputError(f"{package}/msg/{name}", "its definition is in no installed package")

    return read
