"""The verdict: is every stream table what its query says?

The replay has ended, and nobody but the workers refreshes. When nothing is left to take, every stream table
is compared, at one snapshot, with its query as the demo wrote it: as bags, EXCEPT ALL both ways.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, IsolationLevel, sql

from trickle.demo.statements import statement
from trickle.demo.stream_tables import Definition

CATCH_UP_SECONDS = 60.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """One stream table compared."""

    name: str
    rows: int
    missing_rows: int
    extra_rows: int
    is_behind: bool
    seconds: float

    @property
    def is_equal(self) -> bool:
        return not (self.missing_rows or self.extra_rows or self.is_behind)


def wait_until_current(
    connection: Connection[Any], tend: Callable[[], None], limit_seconds: float = CATCH_UP_SECONDS
) -> frozenset[str]:
    """Wait for the workers, tending them meanwhile; the names of those still behind when time is up."""
    deadline = time.monotonic() + limit_seconds
    while (behind := _behind(connection)) and time.monotonic() < deadline:
        tend()
        time.sleep(_POLL_SECONDS)
    return behind


def compare(
    connection: Connection[Any], definitions: Iterable[Definition], behind: frozenset[str]
) -> tuple[Verdict, ...]:
    """Compare all of them in one REPEATABLE READ transaction, hence at one snapshot."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        return tuple(_compare(connection, wanted, wanted.name in behind) for wanted in definitions)


def _behind(connection: Connection[Any]) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute(statement("check_behind")).fetchall())


def _compare(connection: Connection[Any], wanted: Definition, is_behind: bool) -> Verdict:
    began = time.monotonic()
    asked = sql.SQL(wanted.query)
    described = connection.execute(sql.SQL("SELECT * FROM ({}) AS q LIMIT 0").format(asked)).description or ()
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in described)
    query = sql.SQL(statement("check_difference"))
    row = connection.execute(query.format(table=sql.Identifier(wanted.name), query=asked, columns=columns)).fetchone()
    assert row is not None
    rows, missing_rows, extra_rows = row
    return Verdict(wanted.name, rows, missing_rows, extra_rows, is_behind, time.monotonic() - began)
