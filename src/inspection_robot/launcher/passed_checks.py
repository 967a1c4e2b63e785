"""Remembers which checks of parameter files passed: a second start need not import every node to check again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[1]
_REMEMBERED = 200


def fingerprint(nodes: Sequence[dict[str, Any]]) -> str:
    """Digest of everything a check looks at: the nodes' values, the bytes of their files, and the state of our code."""
    digest = hashlib.sha256(json.dumps(nodes, sort_keys=True).encode())
    for path in sorted({item for node in nodes for item in node["parameters"] if isinstance(item, str)}):
        digest.update(Path(path).read_bytes() if Path(path).is_file() else b"absent")
    for module in sorted(_PACKAGE.rglob("*.py")):
        facts = module.stat()
        digest.update(f"{module}:{facts.st_size}:{facts.st_mtime_ns}".encode())
    return digest.hexdigest()


def passed(check: str) -> bool:
    """Whether this check passed before."""
    path = _memory()
    return path.is_file() and check in path.read_text(encoding="utf-8").split()


def remember(check: str) -> None:
    """Note that a check passed; the newest ones are kept."""
    path = _memory()
    known = path.read_text(encoding="utf-8").split() if path.is_file() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text("\n".join([*known[-_REMEMBERED:], check]) + "\n", encoding="utf-8")
    draft.replace(path)


def _memory() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "inspection_robot" / "checked_parameters"
