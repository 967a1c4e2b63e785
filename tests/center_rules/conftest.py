from __future__ import annotations

from tests.center.conftest import browser, database_url, empty_postgresql, postgresql_url, running, running_on_each

__all__ = ["browser", "database_url", "empty_postgresql", "postgresql_url", "running", "running_on_each"]
