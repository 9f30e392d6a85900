"""A thousand messages a second, from end to end: how long after it was sent a message has arrived.

Out, from when publishing it begins until a bare client has it from its destination, or, where there is none, until it
is acknowledged and the place behind it is stored; in, from before it is sent to the broker until the inbox shows it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from psycopg import sql

from benchmarks.failover import percentile
from benchmarks.fleet import await_that
from benchmarks.relay.bench import INBOXES, OUTBOX, Bench
from benchmarks.relay.drain import SIZES
from benchmarks.relay.helper import Feed, new_tokens, output_of, publishing
from benchmarks.relay.kinds.kind import Kind, Reach

RATE = 1000.0  # per second
_SECONDS = 5.0
_NATS_P99_MS = 50.0
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.003
_REST_SECONDS = 1.0  # after the start, which is not what is measured


def latencies(sent_at: Sequence[float], seen: Sequence[tuple[float, int]]) -> list[float]:
    """Milliseconds of each message, from when it was sent to the first look that found it among so many; sorted."""
    found, looks = [], iter(seen)
    when, number = next(looks)
    for position, sent in enumerate(sent_at, start=1):
        while number < position:
            when, number = next(looks)
        found.append((when - sent) * 1000)
    return sorted(found)


def out(bench: Bench, kind: Kind, reach: Reach) -> None:
    """From an outbox to this kind of destination."""
    for size in SIZES[:1] if bench.quick else SIZES:
        bench.say(f"{kind.name}, out, {size} bytes: {RATE:g} messages a second")
        bench.fill_outbox(1, 100)
        sink, listener = kind.sink(reach, 0), None
        if kind.heard is not None:
            feed = Feed(kind, reach, new_tokens(1), 0, size)
            sink = kind.heard(reach, feed.tokens[0])
            output_of(feed.start(bench, prepare=True))
            listener = replace(feed, messages=_wanted(bench) + 1).hear(bench)
        bench.carry_out("bench_paced", OUTBOX, sink)
        with bench.relay():
            await_that(lambda: bench.delivered("bench_paced") >= 1, "the relay carries", 0.02)
            time.sleep(_REST_SECONDS)
            publisher = publishing(bench, kind, reach, messages=_wanted(bench), rate=RATE, size=size)
            if listener is None:
                seen = _watched(bench, lambda: bench.delivered("bench_paced") - 1)
            else:
                arrivals: list[float] = json.loads(output_of(listener))
                seen = [(when, number) for number, when in enumerate(arrivals)]
            sent_at = [began for began, _ in json.loads(output_of(publisher))]
        bench.forget("bench_paced")
        _tell(bench, kind, "out", size, latencies(sent_at, seen))


def into(bench: Bench, kind: Kind, reach: Reach) -> None:
    """From this kind of origin into an inbox."""
    assert kind.source is not None
    inbox = INBOXES[0]
    table = sql.Identifier("pgtrickle", inbox)
    counted = sql.SQL("SELECT count(*) FROM {}").format(table).as_string(bench.conn)
    for size in SIZES[:1] if bench.quick else SIZES:
        bench.say(f"{kind.name}, in, {size} bytes: {RATE:g} messages a second")
        bench.conn.execute(sql.SQL("TRUNCATE {}").format(table))
        tokens = new_tokens(1)
        output_of(Feed(kind, reach, tokens, 0, size).start(bench, prepare=True))
        bench.carry_in(inbox, inbox, kind.source(reach, tokens[0]))
        with bench.relay():
            await_that(lambda: bench.running() == 1, "the relay carries", 0.02)
            time.sleep(_REST_SECONDS)
            feed = Feed(kind, reach, tokens, _wanted(bench), size, RATE)
            feeder = feed.start(bench, prepare=False)
            seen = _watched(bench, lambda: bench.number(counted))
        _tell(bench, kind, "in", size, latencies(json.loads(output_of(feeder)), seen))
        bench.forget(inbox)


def _wanted(bench: Bench) -> int:
    return int(RATE * (1.0 if bench.quick else _SECONDS))


def _watched(bench: Bench, arrived: Callable[[], int]) -> list[tuple[float, int]]:
    """How many had arrived at which time, until all have."""
    wanted = _wanted(bench)
    seen: list[tuple[float, int]] = []
    until = time.monotonic() + _PATIENCE_SECONDS
    while not seen or seen[-1][1] < wanted:
        number = arrived()
        seen.append((time.time(), number))
        if time.monotonic() > until:
            raise ValueError(f"{number} of {wanted} messages arrived in time")
        time.sleep(_LOOK_SECONDS)
    return seen


def _tell(bench: Bench, kind: Kind, direction: str, size: int, found: list[float]) -> None:
    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    bench.row(f"{direction}, paced", kind.name, size, "relay, 1 process", len(found), p50_ms=p50, p99_ms=p99)
    if (kind.name, direction, size) == ("nats", "out", 1024):
        bench.goal("nats, out, 1 KiB, 1000 messages a second: p99", p99, "ms", "at most", _NATS_P99_MS)
