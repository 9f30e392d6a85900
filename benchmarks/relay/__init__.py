"""How fast does the relay carry messages, beside a bare client loop that does the same work in the same run?

    outbox ──▶ relay ──▶ each kind of destination      `out`
    each kind of origin ──▶ relay ──▶ inbox            `in`

drain     what is full when the relay starts: messages per second, for each kind and size, of one pipeline in one
          process and of two in two, beside the bare loop, in turns
paced     1 000 messages a second, for each kind and size: from end to end, p50 and p99
publish   what publishing takes with a relay that follows, and without one
backlog   many small messages: memory of the carrier at its beginning and at its end
idle      500 pipelines with nothing to do: CPU of the relay and of its sessions, and how many those are
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.relay import drain, pace, traffic
from benchmarks.relay.bench import INBOXES, SECRETS, Bench
from benchmarks.relay.kinds import KINDS
from benchmarks.relay.kinds.kind import Kind
from benchmarks.relay.kinds.postgres import SINK_INBOX
from benchmarks.report import Report
from benchmarks.server import Database

COLUMNS = ("what", "kind", "bytes", "who", "messages", "per_second", "of_bare", "p50_ms", "p99_ms", "detail")

_DIRECTIONS = ("out", "in")
_PARTS = ("drain", "paced", "publish", "backlog", "idle")


def run(database: Database, names: str | None, say: Callable[[str], None], *, quick: bool) -> Report:
    """Everything, or what a comma-separated list names; of kinds, directions and parts it names none of, all."""
    told = set(names.split(",")) if names else set()
    if unknown := told - {*KINDS, *_DIRECTIONS, *_PARTS}:
        known = ", ".join([*KINDS, *_DIRECTIONS, *_PARTS])
        raise ValueError(f"{', '.join(sorted(unknown))}: there are {known}")

    def chosen(among: tuple[str, ...]) -> list[str]:
        return [name for name in among if name in told] or list(among)

    os.environ.update(SECRETS)
    with database.connect() as conn, tempfile.TemporaryDirectory(prefix="trickle-relay-") as made:
        bench = Bench(database, conn, Path(made), say, quick)
        _prepare(bench)
        for name in chosen(tuple(KINDS)):
            _measure(bench, KINDS[name], chosen(_DIRECTIONS), chosen(_PARTS))
        if "idle" in chosen(_PARTS):
            traffic.idle(bench)
    about = {**database.environment, "rows": len(bench.rows), "rounds": drain.ROUNDS}
    return Report("relay", about, bench.rows, bench.goals)


def _prepare(bench: Bench) -> None:
    bench.conn.execute("CREATE TABLE pgtrickle.bench_offset AS SELECT 0::bigint AS id")
    for inbox in (*INBOXES, f"{SINK_INBOX}_0", f"{SINK_INBOX}_1"):
        bench.conn.execute("SELECT pgtrickle.create_inbox(%s, schedule => '1h')", (inbox,))


def _measure(bench: Bench, kind: Kind, directions: list[str], parts: list[str]) -> None:
    place = bench.folder / kind.name
    place.mkdir()
    with ExitStack() as served:
        try:
            reach = served.enter_context(kind.serve(place))
        except (ImportError, FileNotFoundError) as missing:
            bench.row("left out", kind.name, None, "", 0, detail=f"not installed: {missing}")
            return
        if "out" in directions:
            if "drain" in parts:
                drain.out(bench, kind, reach)
            if "paced" in parts:
                pace.out(bench, kind, reach)
        if "in" in directions and kind.source is not None:
            if "drain" in parts:
                drain.into(bench, kind, reach)
            if "paced" in parts:
                pace.into(bench, kind, reach)
        if kind.name == "nats":
            if "publish" in parts:
                traffic.publish(bench, kind, reach)
            if "backlog" in parts:
                traffic.backlog(bench, kind, reach)
