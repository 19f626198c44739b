"""Alembic's entry point; uses the engine that `study_app.store.connection.database` provides."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Engine, text

from study_app.store.schema import study_tables

engine: Engine = context.config.attributes["engine"]

with engine.execution_options(writes=True).begin() as connection:
    if connection.dialect.name == "postgresql":
        # several app processes may start at once on a new database
        connection.execute(text("SELECT pg_advisory_xact_lock(72010)"))
    context.configure(connection=connection, target_metadata=study_tables.Study.metadata, transactional_ddl=True)
    context.run_migrations()
