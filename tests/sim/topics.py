"""Which topics the nodes and the simulator use, read from their sources."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src"
ROBOT = sorted((SOURCES / "inspection_robot").glob("*/node.py"))
SIMULATOR = sorted((SOURCES / "inspection_sim" / "ros").glob("*.py"))


def used(files: list[Path], call: str) -> dict[str, set[str]]:
    """Topic (relative) → type names given to `create_publisher` or `create_subscription` in these files."""
    found: dict[str, set[str]] = {}
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports = [alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
        real = {alias.asname: alias.name for alias in imports if alias.asname}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != call:
                continue
            kind, topic = node.args[0], node.args[1]
            if isinstance(topic, ast.Constant) and isinstance(kind, ast.Name):
                found.setdefault(str(topic.value).lstrip("/"), set()).add(real.get(kind.id, kind.id))
    return found


def interactive_markers(files: list[Path]) -> set[str]:
    """Namespaces of the interactive marker servers."""
    return {
        str(node.args[1].value)
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "InteractiveMarkers"
        and isinstance(node.args[1], ast.Constant)
    }  # fmt: skip
