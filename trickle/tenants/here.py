"""The one tenant of this process, for its handlers: who it is, and connections to its database.

    from trickle import tenants

    @trickle.job("reports")
    async def report(payload, context):
        async with tenants.here().connection() as conn:
            ...

There are at most `tenant_pool_max` connections, opened when they are needed and closed when they are idle.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from trickle.db.session import session_arguments
from trickle.errors import ConfigurationError
from trickle.tenants.tenant import Tenant

_IDLE_SECONDS = 30.0
_WAIT_SECONDS = 30.0


class Here:
    """A tenant, and the connections of its handlers."""

    def __init__(self, tenant: Tenant, async_most: int, sync_most: int) -> None:
        self.tenant = tenant
        arguments: dict[str, Any] = {
            "conninfo": tenant.url,
            "kwargs": session_arguments(tenant.url, role="tenant"),
            "min_size": 0,
            "max_idle": _IDLE_SECONDS,
            "timeout": _WAIT_SECONDS,
            "open": False,
        }
        self._async = AsyncConnectionPool(max_size=async_most, **arguments) if async_most else None
        self._sync = ConnectionPool(max_size=sync_most, **arguments) if sync_most else None

    @property
    def id(self) -> str:
        return self.tenant.id

    @property
    def schema(self) -> str:
        return self.tenant.schema

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection for a coroutine; committed at the end of the block, rolled back where it raises."""
        if self._async is None:
            raise ConfigurationError(
                "no handler of this process is a coroutine", hint="use blocking_connection() in a function"
            )
        await self._async.open()
        async with self._async.connection() as conn:
            yield conn

    @contextmanager
    def blocking_connection(self) -> Iterator[Connection[Any]]:
        """The same for a function that runs in a thread."""
        if self._sync is None:
            raise ConfigurationError("no handler of this process is a function", hint="use connection() in a coroutine")
        self._sync.open()
        with self._sync.connection() as conn:
            yield conn

    async def close(self) -> None:
        if self._async is not None:
            await self._async.close()
        if self._sync is not None:
            self._sync.close()


_here: Here | None = None


def here() -> Here:
    """The tenant of this process.

    Raises:
        ConfigurationError: this is no process of a tenant.
    """
    if _here is None:
        raise ConfigurationError("this process belongs to no tenant", hint="handlers that a supervisor runs do")
    return _here


def settle_here(found: Here) -> None:
    """This process belongs to that tenant, for good."""
    global _here
    _here = found
