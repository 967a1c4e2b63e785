from __future__ import annotations

from tests.center.conftest import database_url, empty_postgresql, postgresql_url, running, running_on_each

__all__ = ["database_url", "empty_postgresql", "postgresql_url", "running", "running_on_each"]
