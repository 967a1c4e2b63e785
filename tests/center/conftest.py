from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import create_engine, text

from inspection_center.settings import Settings
from tests.center.postgresql import postgresql, programs
from tests.center.running import RunningCenter

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server for the session; skips where it is not installed."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with postgresql() as url:
        yield url


@pytest.fixture
def empty_postgresql(postgresql_url: str) -> str:
    """The session's server with nothing in it."""
    engine = create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgresql_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both databases the center runs on; each test gets an empty one."""
    if request.param == "sqlite":
        return ""
    return str(request.getfixturevalue("empty_postgresql"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCenter]:
    """A fresh center over SQLite."""
    with RunningCenter(tmp_path / "center") as center:
        yield center


@pytest.fixture
def running_on_each(tmp_path: Path, database_url: str) -> Iterator[RunningCenter]:
    """A fresh center over each database."""
    with RunningCenter(tmp_path / "center", Settings(database_url=database_url)) as center:
        yield center


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless. Not for the session: while it lives, playwright's event loop runs in this thread."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
