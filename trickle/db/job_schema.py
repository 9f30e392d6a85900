"""Where jobs live: in `pgtrickle`, or in a schema that pgtrickle.create_job_schema has made, for a tenant alone."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from psycopg import sql

from trickle.sql import load

SCHEMA = "pgtrickle"
CHANNEL = "pgtrickle_job"

_PRIVATE = re.compile(r"(?<![.\w])_[a-z_]+(?=\()")


def channel(schema: str) -> str:
    """Where the runners of a schema listen; as pgtrickle._job_channel has it."""
    return CHANNEL if schema == SCHEMA else f"{CHANNEL}_{_digest(schema)}"


def search_path(schema: str) -> str:
    """The value of search_path with which statements mean this schema."""
    return f"pg_catalog, {sql.Identifier(schema).as_string(None)}, pg_temp"


def private(function: str, schema: str) -> str:
    """What a function of jobs that nobody but us calls is named in this schema; as pgtrickle._job_private has it."""
    return function if schema == SCHEMA else f"{function}_{_digest(schema)[:12]}"


@lru_cache(maxsize=10_000)
def query(name: str, schema: str) -> str:
    """A statement of `queries` for this schema: a function without a schema that begins with `_` is one of its own."""
    return _PRIVATE.sub(lambda found: private(found[0], schema), load(f"queries/{name}"))


def _digest(schema: str) -> str:
    return hashlib.md5(schema.encode(), usedforsecurity=False).hexdigest()
