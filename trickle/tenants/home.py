"""A supervisor's session in its home database: membership, claims on tenants, bells of cold ones, and who rings.

    lock shared (group, '')            a member: others see it, and share the tenants
    lock (group, id of a tenant)       the tenant is hot here, and nowhere else
    lock (bells of a schema, 128)      the tenant is cold: whoever enqueues there notifies `pgtrickle_tenant`

When the session ends, all of these are gone at once, and the other supervisors take over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from trickle.catalog.tenants import lock_group
from trickle.db.session import PREPARE_AFTER, session_arguments
from trickle.errors import Refused
from trickle.sql import load
from trickle.tenants.cold import Look

TENANT_CHANNEL = "pgtrickle_tenant"  # a schema rings
WORD_CHANNEL = "pgtrickle_supervisor"  # `promote ID`, `demote ID`
_MEMBERS = ""


class Home:
    """One open session."""

    def __init__(self, conn: AsyncConnection[Any], group_id: str) -> None:
        self._conn = conn
        self._group = lock_group(group_id)
        self._claimed: set[str] = set()
        self._armed: set[str] = set()

    @classmethod
    async def open(cls, url: str, group_id: str) -> Home:
        """Connect and become a member.

        Raises:
            Refused: there is a connection pooler in between, or the catalog is not there.
        """
        conn = await AsyncConnection.connect(url, autocommit=True, **session_arguments(url, role="supervisor"))
        home = cls(conn, group_id)
        try:
            await home._begin()
        except BaseException:
            await conn.close()
            raise
        return home

    async def _begin(self) -> None:
        [[pid, has_catalog]] = await self._rows("tenants_session", {})
        if pid != self._conn.info.backend_pid:
            raise Refused(
                "the session of a supervisor is connected through a connection pooler, which cannot keep its locks",
                hint="give the supervisor a direct connection to its home database",
            )
        if not has_catalog:
            raise Refused("the home database has no catalog", hint="trickle init --postgres-url …")
        await self._conn.execute(load("queries/lock_session_settings"))
        self._conn.prepare_threshold = PREPARE_AFTER
        await self._rows("launcher_join", self._membership)

    @property
    def backend_pid(self) -> int:
        return self._conn.info.backend_pid

    async def members(self) -> list[int]:
        """The sessions of all live supervisors of the group, our own among them."""
        return [int(pid) for (pid,) in await self._rows("launcher_members", self._membership)]

    async def claim(self, tenant: str, why: str) -> bool:
        """Make a tenant ours; whether it is."""
        parameters = {"group": self._group, "tenant": tenant, "why": why}
        [[is_ours]] = await self._rows("tenants_claim", parameters)
        if is_ours:
            self._claimed.add(tenant)
        return bool(is_ours)

    async def give_back(self, tenant: str) -> None:
        if tenant in self._claimed:
            self._claimed.discard(tenant)
            await self._rows("tenants_give_back", {"group": self._group, "tenant": tenant})

    async def arm(self, schemas: Collection[str]) -> None:
        """Hold the bells of these schemas, as far as nobody else does, and of no others."""
        wanted = set(schemas)
        gone = sorted(self._armed - wanted)
        if gone:
            self._armed.difference_update(gone)
            await self._rows("tenants_open", {"schemas": gone})
        missing = sorted(wanted - self._armed)
        if missing:
            self._armed.update(
                schema for schema, is_ours in await self._rows("tenants_arm", {"schemas": missing}) if is_ours
            )

    async def probe(self, schemas: Sequence[str]) -> dict[str, Look]:
        """What there is to do in schemas of this database."""
        rows = await self._rows("tenants_probe", {"schemas": list(schemas)})
        return {schema: Look(has_work, seconds, problem) for schema, has_work, seconds, problem in rows}

    async def writes_by_schema(self) -> dict[str, str]:
        """A mark for each schema of jobs of this database, another one when anything was written there."""
        return dict(await self._rows("tenants_writes", {}))

    async def writes_by_database(self) -> dict[str, str]:
        """The same for each database of the server."""
        return dict(await self._rows("tenants_activity", {}))

    async def listed(self) -> list[tuple[Any, ...]]:
        """The rows of pgtrickle.tenants."""
        return await self._rows("tenants_listed", {})

    async def say(self, **about: object) -> None:
        """What we are, for whoever looks: host, process, most, tenants, waiting."""
        await self._conn.execute(load("queries/tenants_say"), {"group": self._group, **about})

    async def end_silent(self, members: Sequence[int], seconds: float) -> list[int]:
        """End the sessions of members that have said nothing for so long; which they were."""
        parameters = {"group": self._group, "members": list(members), "seconds": seconds}
        return [int(pid) for pid, was_ended in await self._rows("tenants_end_silent", parameters) if was_ended]

    async def tell(self, word: str) -> None:
        """Something for all supervisors that have their home here."""
        await self._rows("tenants_tell", {"word": word})

    async def close(self) -> None:
        await self._conn.close()

    @property
    def _membership(self) -> Mapping[str, object]:
        return {"group": self._group, "name": _MEMBERS}

    async def _rows(self, name: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        cursor = await self._conn.execute(load(f"queries/{name}"), parameters)
        return await cursor.fetchall()


def chunks(names: Iterable[str], size: int) -> list[list[str]]:
    """The names, so many at a time."""
    found = list(names)
    return [found[start : start + size] for start in range(0, len(found), size)]
