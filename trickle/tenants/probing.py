"""Looking at tenants: what is there to do, and how many connections has their server?"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import psycopg
from psycopg import AsyncConnection

from trickle.db.job_schema import query, search_path
from trickle.db.session import session_arguments
from trickle.sql import load
from trickle.tenants.cold import Look
from trickle.tenants.duties import both, look_of, note, read_duties, unnoted
from trickle.tenants.home import Home, chunks
from trickle.tenants.kinds import Kinds
from trickle.tenants.tenant import Tenant

# Each schema takes some ten locks on relations until the end of the statement.
_AT_ONCE = 50


async def probe_schemas(home: Home, tenants: Collection[Tenant]) -> dict[str, Look]:
    """What there is to do in the schemas of tenants of the home database, by schema."""
    looks: dict[str, Look] = {}
    for some in chunks(sorted({tenant.schema for tenant in tenants}), _AT_ONCE):
        looks |= await home.probe(some)
    return looks


async def probe_database(tenant: Tenant, seconds: float, beside: Kinds) -> Look:
    """The same for a tenant with a database of its own, that may not answer; and what there is to do beside jobs."""
    try:
        async with asyncio.timeout(seconds):
            arguments = session_arguments(tenant.url, role="supervisor_probe")
            async with await AsyncConnection.connect(tenant.url, autocommit=True, **arguments) as conn:
                await conn.execute("SELECT set_config('search_path', %s, false)", (search_path(tenant.schema),))
                cursor = await conn.execute(query("tenants_probe_own", tenant.schema))
                row = await cursor.fetchone()
                look = Look(bool(row and row[0]), row[1] if row else None)
                look = both(look, await _look_beside(conn, beside)) if beside else look
    except TimeoutError:
        return Look(False, problem=f"no answer within {seconds:g} s")
    except psycopg.Error as error:
        return Look(False, problem=str(error).strip())
    return look


async def _look_beside(conn: AsyncConnection[Any], beside: Kinds) -> Look:
    """A catalog of another version may not know what is asked; jobs are found all the same."""
    try:
        duties = await read_duties(conn, beside)
        await note(conn, unnoted(duties))
    except psycopg.ProgrammingError as error:
        return Look(False, problem=f"its stream tables and pipelines cannot be looked at: {str(error).strip()}")
    return look_of(duties)


async def limits_of(urls: Mapping[str, str], seconds: float) -> dict[str, int]:
    """How many connections each server has for us, by the url of a tenant there; unknown where it does not answer."""

    async def one(server: str, url: str) -> tuple[str, int | None]:
        try:
            async with asyncio.timeout(seconds):
                async with await AsyncConnection.connect(
                    url, autocommit=True, **session_arguments(url, role="supervisor_probe")
                ) as conn:
                    cursor = await conn.execute(load("queries/tenants_limits"))
                    row = await cursor.fetchone()
        except (TimeoutError, psycopg.Error):
            return server, None
        return server, int(row[0]) if row else None

    found = await asyncio.gather(*(one(server, url) for server, url in urls.items()))
    return {server: limit for server, limit in found if limit is not None}
