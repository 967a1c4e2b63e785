"""Where the real recordings lie, and how a test says that it needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("INSPECTION_DATA", REPOSITORY.parent / "shared" / "data"))


def need(path: str) -> Path:
    """Return the file or folder ``path`` of the real data; skip the test with the reason when it is absent."""
    found = DATA / path
    if not found.exists():
        pytest.skip(f"real data {path} is not here (set INSPECTION_DATA to its folder)")
    return found
