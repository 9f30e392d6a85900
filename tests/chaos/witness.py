"""Somebody who looks all the while at who holds what, and remembers every name that two instances held at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Self

import psycopg

# Keys as the server has them: no two sessions may hold one.
_KEYS = """
SELECT 'key ' || l.classid || ':' || l.objid, array_agg(l.pid)
  FROM pg_catalog.pg_locks AS l
 WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.mode = 'ExclusiveLock'
 GROUP BY l.database, l.classid, l.objid
HAVING count(*) > 1
"""


# A lock has one holder at any moment. But one thing may be claimed under two locks (by its name, and with a shard)
# until whoever came second has looked and said that it waits: what is seen so many times in a row is not that.
_ONLY_MET = 4


class Witness:
    """Samples until the block ends. `held` are queries for (group, name, backend pid) of what is claimed."""

    def __init__(self, url: str, held: Sequence[str]) -> None:
        self._url = url
        self._twice = [
            f"SELECT h.group_id || ' ' || h.name, array_agg(h.pid) FROM ({query}) AS h (group_id, name, pid)"
            " GROUP BY h.group_id, h.name HAVING count(DISTINCT h.pid) > 1"
            for query in held
        ]
        self._held = held
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._met: dict[str, int] = {}
        self.samples = 0
        self.seen_held = 0
        self.held_twice: list[tuple[Any, ...]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as conn:
                    while not self._stop.wait(0.03):
                        self._look(conn)
            except psycopg.OperationalError:
                self._stop.wait(0.05)

    def _look(self, conn: psycopg.Connection[Any]) -> None:
        self.held_twice += conn.execute(_KEYS.encode()).fetchall()
        rows = [row for query in self._twice for row in conn.execute(query.encode()).fetchall()]
        self._met = {row[0]: self._met.get(row[0], 0) + 1 for row in rows}
        self.held_twice += [row for row in rows if self._met[row[0]] == _ONLY_MET]
        for query in self._held:
            self.seen_held += len(conn.execute(query.encode()).fetchall())
        self.samples += 1
