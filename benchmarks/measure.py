"""How a time is taken, how times become a figure, and the comparison without which none is reported."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from psycopg import Connection, sql
from psycopg.pq import Trace

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


class ResultsDiffer(Exception):
    """What was timed is not the answer of its query: no time is worth reporting."""


def timed_ms(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


@dataclass(slots=True)
class Samples(Generic[Key]):
    """Times in milliseconds, by what was timed."""

    times: defaultdict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, key: Key, milliseconds: float) -> None:
        self.times[key].append(milliseconds)

    def median(self, key: Key) -> float | None:
        taken = self.times.get(key)
        return statistics.median(taken) if taken else None

    def median_ratio(self, numerator: Key, denominator: Key) -> float | None:
        """The median of what two things took in the same round, one divided by the other.

        A machine that is slower for some seconds slows both, and does not decide which of two medians it falls on.
        """
        pairs = zip(self.times.get(numerator, []), self.times.get(denominator, []), strict=True)
        ratios = [above / below for above, below in pairs]
        return statistics.median(ratios) if ratios else None

    def summary(self, key: Key) -> dict[str, Any]:
        taken = self.times[key]
        return {
            "median_ms": round(statistics.median(taken), 3),
            "min_ms": round(min(taken), 3),
            "max_ms": round(max(taken), 3),
            "samples": len(taken),
        }


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or not denominator:
        return None
    return numerator / denominator


def in_turn(items: Sequence[Item], turn: int) -> tuple[Item, ...]:
    """The items, another one first at every turn: whoever is first finds the colder cache."""
    shift = turn % len(items) if items else 0
    return (*items[shift:], *items[:shift])


def check_equal(conn: Connection[Any], relation: sql.Composable, query: str, columns: sql.Composable) -> None:
    """Two bags of the same size, of which neither has a row the other lacks, are equal."""
    statement = sql.SQL(
        "WITH kept AS NOT MATERIALIZED (SELECT {columns} FROM {relation}), asked AS NOT MATERIALIZED ({query})"
        " SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM asked),"
        " (SELECT count(*) FROM (SELECT * FROM kept EXCEPT ALL SELECT * FROM asked) x)"
    ).format(columns=columns, relation=relation, query=sql.SQL(query))
    row = conn.execute(statement).fetchone()
    kept, asked, extra = row or (0, 0, 0)
    if kept != asked or extra:
        raise ResultsDiffer(
            f"{relation.as_string(conn)} has {kept} rows, its query {asked}; {extra} of them are not the query's"
        )


def round_trips(conn: Connection[Any], action: Callable[[], object]) -> int:
    """How often the server was ready for the next request while the action ran, told by libpq's own trace."""
    with tempfile.TemporaryFile() as log:
        conn.pgconn.trace(log.fileno())
        try:
            conn.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
            action()
        finally:
            conn.pgconn.untrace()
        log.seek(0)
        return log.read().count(b"ReadyForQuery")
