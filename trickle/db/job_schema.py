"""Where jobs live: in `pgtrickle`, or in a schema that pgtrickle.create_job_schema has made, for a tenant alone."""

from __future__ import annotations

import hashlib

from psycopg import sql

SCHEMA = "pgtrickle"
CHANNEL = "pgtrickle_job"


def channel(schema: str) -> str:
    """Where the runners of a schema listen; as pgtrickle._job_channel has it."""
    return (
        CHANNEL if schema == SCHEMA else f"{CHANNEL}_{hashlib.md5(schema.encode(), usedforsecurity=False).hexdigest()}"
    )


def search_path(schema: str) -> str:
    """The value of search_path with which statements mean this schema."""
    return f"pg_catalog, {sql.Identifier(schema).as_string(None)}, pg_temp"
