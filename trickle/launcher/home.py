"""The launcher's session in its home database: it holds the launcher's locks, sees the others, and is rung by them."""

from __future__ import annotations

from collections.abc import Callable, Collection

import psycopg

from trickle.db.locks import LockName, LockSession
from trickle.db.session import connect
from trickle.launcher.share import Database, Sight
from trickle.sql import load

CHANNEL = "pgtrickle_launcher"
# Databases are claimed apart from the stream tables of the home; no database has the empty name of the members.
_GROUP_PREFIX = "launcher:"
_MEMBERS = ""


class Home(LockSession):
    """Opened, it is a member of its group; when it is gone, so are membership and claims."""

    def __init__(self, url: str, group_id: str) -> None:
        super().__init__(url, CHANNEL)
        self._group = _GROUP_PREFIX + group_id
        try:
            self._conn.execute(load("queries/launcher_join"), self._membership)
            self.ring()
        except BaseException:
            self.close()
            raise

    @property
    def claimed(self) -> frozenset[str]:
        """The databases whose claims we hold."""
        return frozenset(lock.name for lock in self.held)

    def look(self, is_meant: Callable[[str], bool]) -> Sight:
        """The databases that are meant, and the launchers that share them."""
        rows = self._conn.execute(load("queries/launcher_databases")).fetchall()
        members = self._conn.execute(load("queries/launcher_members"), self._membership).fetchall()
        databases = (Database(int(oid), name, int(key), is_wanted) for oid, name, key, is_wanted in rows)
        return Sight(tuple(d for d in databases if is_meant(d.name)), tuple(int(pid) for (pid,) in members))

    def claim(self, databases: Collection[str]) -> frozenset[str]:
        """Those of these databases whose claims we hold now."""
        return frozenset(lock.name for lock in self.take(LockName(self._group, name) for name in sorted(databases)))

    def give_back(self, databases: Collection[str]) -> None:
        """Let another launcher have these databases, and tell it."""
        if databases:
            self.release(LockName(self._group, name) for name in databases)
            self.ring()

    def ring(self) -> None:
        """Make the other launchers look."""
        self._conn.execute(load("queries/launcher_ring"))

    @property
    def _membership(self) -> dict[str, object]:
        return {"group": self._group, "name": _MEMBERS}


def has_catalog(url: str) -> bool | None:
    """Whether the database has a catalog that we may use; None when it cannot be asked now."""
    try:
        with connect(url, role="launcher") as conn:
            row = conn.execute(load("queries/instance_database")).fetchone()
    except psycopg.Error:
        return None
    return row is not None and bool(row[2]) and bool(row[3])
