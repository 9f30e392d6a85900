"""What a relay costs those around it: publishers, its own memory, a server with many pipelines at rest."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence

import psutil

from benchmarks.failover import percentile
from benchmarks.fleet import await_that
from benchmarks.relay.bench import OUTBOX, Bench
from benchmarks.relay.helper import output_of, publishing
from benchmarks.relay.kinds.kind import Kind, Reach

_PIPELINES = 500
_BACKLOG = 1_000_000
_PATIENCE_SECONDS = 600.0


def publish(bench: Bench, kind: Kind, reach: Reach) -> None:
    """What publishing takes with a relay that follows and without one, several times in turns."""
    found: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(2 if bench.quick else 6):
        followed = bool(turn % 2)
        bench.say(f"publishing {'with' if followed else 'without'} a relay that follows")
        bench.fill_outbox(1, 100)
        if followed:
            bench.carry_out("bench_publish", OUTBOX, kind.sink(reach, 0))
            with bench.relay():
                await_that(lambda: bench.delivered("bench_publish") >= 1, "the relay carries", 0.02)
                found[followed] += _publish(bench, kind, reach)
            bench.forget("bench_publish")
        else:
            found[followed] += _publish(bench, kind, reach)
    told = {followed: percentile(sorted(times), 0.99) for followed, times in found.items()}
    for followed, times in found.items():
        p50 = percentile(sorted(times), 0.5)
        who = "followed" if followed else "alone"
        bench.row("publish", kind.name, 1024, who, len(times), p50_ms=p50, p99_ms=told[followed])
    bench.goal("publish: p99 with a relay, times without", told[True] / told[False], "×", "at most", 1.1)


def _publish(bench: Bench, kind: Kind, reach: Reach) -> list[float]:
    """Milliseconds that each took."""
    messages = 400 if bench.quick else 2_000
    publisher = publishing(bench, kind, reach, messages=messages, rate=200.0, size=1024)
    return [(done - began) * 1000 for began, done in json.loads(output_of(publisher))]


def backlog(bench: Bench, kind: Kind, reach: Reach) -> None:
    """Memory of the carrier while it empties a large outbox, at its beginning and at its end."""
    messages = 10_000 if bench.quick else _BACKLOG
    bench.say(f"a backlog of {messages}")
    bench.fill_outbox(messages, 100)
    bench.carry_out("bench_backlog", OUTBOX, kind.sink(reach, 0))
    samples: list[int] = []
    with bench.relay() as process:
        began = time.monotonic()
        while (done := bench.delivered("bench_backlog")) < messages:
            if done > messages // 20:
                samples.append(sum(child.memory_info().rss for child in process.children()))
            if time.monotonic() - began > _PATIENCE_SECONDS:
                raise ValueError("the backlog was not drained in time")
            time.sleep(0.1)
        rate = messages / (time.monotonic() - began)
    bench.forget("bench_backlog")
    tenth = max(1, len(samples) // 10)
    first, last = (statistics.median(part) / 2**20 for part in (samples[:tenth], samples[-tenth:]))
    detail = f"carrier: {first:.0f} MiB at first, {last:.0f} at last"
    bench.row("backlog", kind.name, 100, "relay, 1 process", messages, per_second=rate, detail=detail)
    bench.goal("backlog: memory at its end, times at first", last / first, "×", "at most", 1.1)


def idle(bench: Bench) -> None:
    """CPU of a relay and of its sessions while many pipelines have nothing to do, and how many sessions those are."""
    pipelines = 20 if bench.quick else _PIPELINES
    seconds = 3.0 if bench.quick else 30.0
    bench.say(f"{pipelines} pipelines with nothing to do")
    names = [f"idle_{number}" for number in range(pipelines)]
    for name in names:
        bench.conn.execute("SELECT pgtrickle.create_outbox(%s)", (name,))
        bench.carry_out(name, name, {"type": "file", "path": str(bench.folder / name)})
    with bench.relay() as process:
        await_that(lambda: bench.running() >= pipelines, "all pipelines run", 0.02)
        time.sleep(2 * seconds / 3)
        processes = [process, *process.children(recursive=True), *_backends(bench)]
        before = _cpu(processes)
        time.sleep(seconds)
        share = (_cpu(processes) - before) / seconds
        sessions = len(_backends(bench))
    for name in names:
        bench.forget(name)
    detail = f"{share:.1%} of a core, {sessions} sessions"
    bench.row("idle", "file", None, f"{pipelines} pipelines", 0, detail=detail)
    bench.goal(f"{pipelines} idle pipelines: share of a core", share, "", "at most", 0.05)
    bench.goal(f"{pipelines} idle pipelines: sessions", float(sessions), "", "at most", 12)


def _backends(bench: Bench) -> list[psutil.Process]:
    """The server's processes behind the relay's sessions."""
    asked = (
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pg_trickle_%' AND datname = current_database()"
    )
    return [psutil.Process(pid) for (pid,) in bench.conn.execute(asked).fetchall()]


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes if process.is_running())
