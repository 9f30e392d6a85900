"""Why are the jobs of a tenant not done? What the home database and a look at the tenant say, supervisor or not."""

from __future__ import annotations

import asyncio
from typing import Any

from psycopg import Connection

from trickle.catalog import tenants as catalog
from trickle.errors import NotFound
from trickle.sql import load
from trickle.tenants.cold import Look
from trickle.tenants.kinds import Kinds
from trickle.tenants.listing import of_row
from trickle.tenants.probing import probe_database

_PATIENCE_SECONDS = 5.0


def diagnose(conn: Connection[Any], url: str, group_id: str, tenant: str) -> str:
    """One sentence, with what to do.

    Raises:
        NotFound: pgtrickle.tenants has no such tenant.
    """
    rows = conn.execute(load("queries/tenants_listed")).fetchall()
    row = next((row for row in rows if row[0] == tenant), None)
    if row is None:
        raise NotFound(
            f"pgtrickle.tenants has no tenant {tenant!r}", hint="one of a file: ask a supervisor, GET /explain/ID"
        )
    found = of_row(row, url)
    if found.is_suspended:
        return "It is suspended: UPDATE pgtrickle.tenants SET is_suspended = false WHERE tenant_id = …"
    hot = next((one for one in catalog.hot(conn, group_id) if one["tenant"] == tenant), None)
    if hot is not None:
        since = f"{hot['promoted_on']:%Y-%m-%d %H:%M:%S %Z}"
        return f"It is hot since {since}, at process {hot['process_pid']} of {hot['host']}."
    look = asyncio.run(probe_database(found, _PATIENCE_SECONDS, Kinds()))
    return _cold(look, catalog.supervisors(conn, group_id), group_id)


def _cold(look: Look, supervisors: Any, group_id: str) -> str:
    if look.problem is not None:
        return f"Its database cannot be asked: {look.problem}"
    if not look.has_work:
        due = "" if look.next_seconds is None else f" The next is due in {look.next_seconds:.0f} s."
        return f"It is cold because there is nothing to do.{due}"
    if not supervisors:
        return (
            f"It has something to do, and no supervisor of group {group_id!r} is running: trickle supervisor run MODULE"
        )
    full = [one for one in supervisors if one["hot"] >= one["hot_pool_max"]]
    if len(full) == len(supervisors):
        return "It has something to do, and all hot pools are full: raise --hot-pool-max, or wait for --turn to end."
    return "It has something to do, and should become hot within a tick: if not, see what supervisors log of it."
