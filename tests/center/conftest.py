from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.center.running import RunningCenter


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCenter]:
    """A fresh center."""
    with RunningCenter(tmp_path / "center") as center:
        yield center
