"""What the stream tables and pipelines of a tenant's own database have to do.

    catalog, pending, settings, pipelines ──read──▶ Duties ──look_of──▶ Look
                                                       └────untouched──▶ what is due and has nothing to do

A look decides with the judgement of a worker, so that nobody becomes hot for what a worker would leave alone. What a
worker weighs beyond one stream table, units and their order, is left to the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from trickle.ivm import COMPILER_VERSION
from trickle.scheduler.due import Policy, Verdict, judge, needs_compiling, wakes_at
from trickle.scheduler.table import Table
from trickle.sql import load
from trickle.supervisor.observe import DatabaseSettings, settings_of, table_of
from trickle.tenants.cold import Look
from trickle.tenants.kinds import Kinds

# A cold stream table without changes is noted as looked at no more often than this: to note it is a write, and a write
# makes a cold tenant be looked at.
_NOTED_SECONDS = 30.0
_SETTINGS = ("enabled", "tiered_scheduling")


@dataclass(frozen=True, slots=True)
class Duties:
    """What a look at a database has found."""

    now: datetime
    tables: tuple[Table, ...] = ()
    pending: frozenset[int] = frozenset()
    is_tiered: bool = True
    pipelines: int = 0  # those that are enabled
    has_messages: bool = False

    @property
    def kinds(self) -> Kinds:
        """What there is at all."""
        return Kinds(bool(self.tables), self.pipelines > 0)


async def read_duties(conn: AsyncConnection[Any], kinds: Kinds) -> Duties:
    """What there is to do for these kinds. Raises psycopg.Error."""
    [[now]] = await _rows(conn, "tenants_now", {})
    tables: list[Table] = []
    pending: set[int] = set()
    settings = DatabaseSettings()
    if kinds.refreshes:
        settings = settings_of(await _rows(conn, "instance_settings", {"names": list(_SETTINGS)}))
        tables = await _read_tables(conn) if settings.enabled else []
        found = await _rows(conn, "instance_pending", {"pgt_ids": [table.pgt_id for table in tables]})
        pending = {int(pgt_id) for (pgt_id,) in found}
    [[count, has_messages]] = await _rows(conn, "tenants_pipelines", {}) if kinds.pipelines else [(0, False)]
    return Duties(now, tuple(tables), frozenset(pending), settings.tiered_scheduling, count, has_messages)


async def _read_tables(conn: AsyncConnection[Any]) -> list[Table]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(load("queries/instance_catalog"))
        return [table_of(row) for row in await cursor.fetchall()]


async def _rows(conn: AsyncConnection[Any], name: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
    cursor = await conn.execute(load(f"queries/{name}"), parameters)
    return await cursor.fetchall()


def look_of(duties: Duties) -> Look:
    """Whether there is anything to do now, and else when."""
    policy = _policy(duties)
    has_work, moments = duties.has_messages, list[datetime]()
    for table in duties.tables:
        if needs_compiling(table, COMPILER_VERSION):
            has_work = True
        has_changes = table.pgt_id in duties.pending
        if judge(table, has_changes, duties.now, policy) is Verdict.REFRESH:
            has_work |= table.held is None
        elif has_changes:
            upcoming = wakes_at(table, policy)
            moments += [] if upcoming is None else [upcoming]
    next_seconds = (min(moments) - duties.now).total_seconds() if moments else None
    return Look(has_work, next_seconds)


def unnoted(duties: Duties) -> list[int]:
    """Those that were due, have nothing to do, and were not looked at for a while."""
    policy, long_ago = _policy(duties), duties.now - timedelta(seconds=_NOTED_SECONDS)
    return [
        table.pgt_id
        for table in duties.tables
        if judge(table, table.pgt_id in duties.pending, duties.now, policy) is Verdict.TOUCH
        and (table.last_refresh_at is None or table.last_refresh_at < long_ago)
    ]


async def note(conn: AsyncConnection[Any], pgt_ids: list[int]) -> None:
    """These are as they should be, at this moment."""
    if pgt_ids:
        await conn.execute(load("queries/instance_touch"), {"pgt_ids": pgt_ids})


def both(one: Look, other: Look) -> Look:
    """Two looks at one tenant."""
    moments = [look.next_seconds for look in (one, other) if look.next_seconds is not None]
    return Look(one.has_work or other.has_work, min(moments, default=None), one.problem or other.problem)


def _policy(duties: Duties) -> Policy:
    return Policy(tiered_scheduling=duties.is_tiered)
