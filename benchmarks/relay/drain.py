"""A full outbox or broker, emptied by the relay and by the bare loop in turns: messages per second.

Out, by the time from the first stored place to the last; in, from the first transaction into an inbox to the last.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from psycopg import sql

from benchmarks.relay.bench import INBOXES, OUTBOX, Bench
from benchmarks.relay.helper import Feed, helper, new_tokens, output_of, told_of
from benchmarks.relay.kinds.kind import Kind, Reach

SIZES = (100, 1024, 16384)
ROUNDS = 3
_MESSAGES = {100: 50_000, 1024: 50_000, 16384: 10_000}
_OF_BARE = 0.7
_NATS_PER_SECOND = 15_000
_PATIENCE_SECONDS = 600.0


def out(bench: Bench, kind: Kind, reach: Reach) -> None:
    """From an outbox to this kind of destination."""

    def bare(messages: int, size: int) -> float:
        bench.fill_outbox(messages, size)
        bench.conn.execute("UPDATE pgtrickle.bench_offset SET id = 0")
        loop = helper("out", told_of(bench, kind, reach, messages))
        seconds = _seconds_for(bench, "SELECT id FROM pgtrickle.bench_offset", messages)
        output_of(loop)
        return messages / seconds

    def ours(messages: int, size: int, processes: int) -> float:
        bench.fill_outbox(messages, size)
        names = [f"bench_{number}" for number in range(processes)]
        for number, name in enumerate(names):
            bench.carry_out(name, OUTBOX, kind.sink(reach, number))
        asked = "SELECT sum(delivered_id) FROM pgtrickle.pgt_consumer_groups WHERE outbox_name = 'bench'"
        with bench.relay(processes):
            seconds = _seconds_for(bench, asked, messages * processes)
        for name in names:
            bench.forget(name)
        return messages * processes / seconds

    _compared(bench, "out", kind, bare, ours)


def into(bench: Bench, kind: Kind, reach: Reach) -> None:
    """From this kind of origin into an inbox."""

    def bare(messages: int, size: int) -> float:
        feed = Feed(kind, reach, new_tokens(1), messages, size)
        _empty_inboxes(bench)
        with _fed(bench, feed):
            loop = feed.bare(bench)
            rate = _rate_into(bench, INBOXES[:1], messages)
            output_of(loop)
        return rate

    def ours(messages: int, size: int, processes: int) -> float:
        assert kind.source is not None
        feed = Feed(kind, reach, new_tokens(processes), messages, size)
        _empty_inboxes(bench)
        with _fed(bench, feed):
            for inbox, token in zip(INBOXES, feed.tokens, strict=False):
                bench.carry_in(inbox, inbox, kind.source(reach, token))
            with bench.relay(processes):
                rate = _rate_into(bench, INBOXES[:processes], messages)
        for inbox in INBOXES[:processes]:
            bench.forget(inbox)
        return rate

    _compared(bench, "in", kind, bare, ours)


def _compared(
    bench: Bench,
    direction: str,
    kind: Kind,
    bare: Callable[[int, int], float],
    ours: Callable[[int, int, int], float],
) -> None:
    for size in SIZES[:1] if bench.quick else SIZES:
        messages = 2_000 if bench.quick else _MESSAGES[size]
        alone: list[float] = []
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(1 if bench.quick else ROUNDS):
            bench.say(f"{kind.name}, {direction}, {size} bytes: the bare loop")
            alone.append(bare(messages, size))
            for processes, found in rates.items():
                bench.say(f"{kind.name}, {direction}, {size} bytes: {_relays(processes)}")
                found.append(ours(messages, size, processes))
        middle = statistics.median(alone)
        bench.row(direction, kind.name, size, "bare loop", messages, per_second=middle, of_bare=1.0)
        for processes, found in rates.items():
            rate = statistics.median(found)
            bench.row(direction, kind.name, size, _relays(processes), messages, per_second=rate, of_bare=rate / middle)
        rate = statistics.median(rates[1])
        what = f"{kind.name}, {direction}, {size} bytes: one process, share of the bare loop"
        bench.goal(what, rate / middle, "×", "at least", _OF_BARE)
        if (kind.name, direction, size) == ("nats", "out", 1024):
            bench.goal("nats, out, 1 KiB: one process", rate, "msg/s", "at least", _NATS_PER_SECOND)


def _relays(processes: int) -> str:
    return f"relay, {processes} process{'es' if processes > 1 else ''}"


@contextmanager
def _fed(bench: Bench, feed: Feed) -> Iterator[None]:
    """The broker is full, or is being filled where nothing waits in it."""
    feeding = feed.start(bench, prepare=True)
    if not feed.kind.is_pushed:
        output_of(feeding)
    yield
    if feed.kind.is_pushed:
        output_of(feeding)


def _empty_inboxes(bench: Bench) -> None:
    for inbox in INBOXES:
        bench.conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier("pgtrickle", inbox)))


def _seconds_for(bench: Bench, asked: str, messages: int) -> float:
    """Seconds that all messages take, by the time from the first that are through to the last."""
    until = time.monotonic() + _PATIENCE_SECONDS
    first: tuple[float, int] | None = None
    while time.monotonic() < until:
        done, now = bench.number(asked), time.monotonic()
        if first is None and done > 0:
            first = (now, done)
        if first is not None and done >= messages:
            return (now - first[0]) * messages / max(1, done - first[1])
        time.sleep(0.005)
    raise ValueError(f"{messages} messages did not come through within {_PATIENCE_SECONDS:g} s")


def _rate_into(bench: Bench, inboxes: Sequence[str], messages: int) -> float:
    """From when all are at work; looked at seldom, for counting costs what is measured: rows know their time."""
    until = time.monotonic() + _PATIENCE_SECONDS
    tables = [sql.Identifier("pgtrickle", inbox) for inbox in inboxes]
    while any(bench.number(_counted(bench, table)) < messages for table in tables):
        if time.monotonic() > until:
            raise ValueError(f"{messages} messages did not come in within {_PATIENCE_SECONDS:g} s")
        time.sleep(0.5)
    stored = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT received_at, min(received_at) OVER () AS first FROM {}").format(table) for table in tables
    )
    asked = sql.SQL(
        "WITH stored AS ({}), begun AS (SELECT max(first) AS at FROM stored)"
        " SELECT count(*) FILTER (WHERE received_at > at), extract(epoch FROM max(received_at) - at)"
        " FROM stored, begun GROUP BY at"
    ).format(stored)
    row = bench.conn.execute(asked).fetchone()
    assert row is not None
    return float(row[0]) / max(1e-3, float(row[1]))


def _counted(bench: Bench, table: sql.Identifier) -> str:
    return sql.SQL("SELECT count(*) FROM {}").format(table).as_string(bench.conn)
