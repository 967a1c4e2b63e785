"""The shipped knowledge base, indexed once for all tests of the folder."""

from __future__ import annotations

from datetime import date

import pytest

from inspection_robot.voice.knowledge import load
from inspection_robot.voice.retrieval import Retriever


@pytest.fixture(scope="session")
def retriever() -> Retriever:
    return Retriever(load(), date(2026, 11, 20))
