"""The reference odors of the dock, as ``config/odor_references.yaml`` names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from inspection_contract.errors import InputError


@dataclass(frozen=True)
class References:
    """Names in the order of presentation; clean air before and length of each sniff [s]."""

    names: tuple[str, ...]
    flush_s: float
    expose_s: float


def load_references(path: Path) -> References:
    """Read the file.

    Raises:
        InputError: missing, no YAML, unknown keys, no names, or a time that is not positive.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"no YAML: {error}") from error
    if not isinstance(content, dict) or set(content) != {"references", "flush_s", "expose_s"}:
        raise InputError(path, "must have the keys references, flush_s and expose_s")
    names, times = content["references"], (content["flush_s"], content["expose_s"])
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise InputError(path, "references must be a list of names")
    if not all(isinstance(value, int | float) and value > 0.0 for value in times):
        raise InputError(path, "flush_s and expose_s must be positive numbers")
    return References(tuple(names), float(times[0]), float(times[1]))
