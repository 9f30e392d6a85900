"""Runs the migrations of the catalog on a connection that `trickle.catalog.migrate` hands over."""

from __future__ import annotations

from alembic import context

from trickle.catalog.job_tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="alembic_version",
    version_table_schema="pgtrickle",
    include_schemas=True,
    compare_type=True,
    transaction_per_migration=False,
)
# The caller owns the transaction: a failed migration leaves nothing behind.
context.run_migrations()
