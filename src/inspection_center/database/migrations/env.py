"""What alembic runs: the steps over the connection, and inside the transaction, of `migrating.bring_up_to_date`."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
