"""A few sessions for many tasks of one event loop, opened as `session` opens them."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from trickle.db.session import session_arguments

AsyncPool = AsyncConnectionPool[AsyncConnection[Any]]


def make_pool(url: str, *, role: str, most: int) -> AsyncPool:
    """Not open yet: `async with` opens and closes it. Statements are not prepared, so it works behind a pooler."""
    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=most,
        open=False,
        timeout=10.0,
        max_idle=60.0,
        reconnect_timeout=0.0,
        kwargs=session_arguments(url, role=role) | {"autocommit": True},
        name=f"pg_trickle_{role}",
    )
