"""How fast does the relay carry messages out, beside a bare client loop that does the same work in the same run?

drain     an outbox that is full when the relay starts: messages per second from its first checkpoint to its last,
          for each destination and size, beside the bare loop, in turns. The loop does the same work: it sends ids with
          the bodies, hears of each failure, and has the lines of a file on the disk, before it stores its place
paced     1 000 messages a second to NATS, keyed: from publishing to the acknowledgement, p50 and p99
publish   what publishing takes with a relay that follows, and without one
backlog   a backlog of many small messages: memory of the carrier at its beginning and at its end
idle      500 pipelines with nothing to do: CPU of the relay and of its sessions, and how many those are
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from psycopg import Connection, sql

from benchmarks.failover import percentile
from benchmarks.fleet import await_that
from benchmarks.relay_ends import DESTINATIONS, Destination
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database

COLUMNS = ("what", "destination", "bytes", "who", "messages", "per_second", "of_bare", "p50_ms", "p99_ms", "detail")

SIZES = (100, 1024, 16384)
_OF_BARE = 0.7
_NATS_PER_SECOND = 15_000
_BATCH = 500
_JSON = "application/json"
_ROUNDS = 3
_PACED_SECONDS = 20.0
_IDLE_PIPELINES = 500
_BACKLOG = 1_000_000
_PATIENCE_SECONDS = 600.0

Say = Callable[[str], None]


def run(database: Database, names: str | None, say: Say, *, quick: bool) -> Report:
    """Everything, or the parts and destinations of a comma-separated list."""
    wanted = set(names.split(",")) if names else {*DESTINATIONS, "paced", "publish", "backlog", "idle"}
    rows: list[dict[str, Any]] = []
    goals: list[Goal] = []
    with database.connect() as conn, tempfile.TemporaryDirectory(prefix="trickle-relay-") as made:
        folder = Path(made)
        _prepare(conn)
        for name in [name for name in DESTINATIONS if name in wanted]:
            place = folder / name
            place.mkdir()
            with DESTINATIONS[name](place) as destination:
                _drain(database, conn, destination, folder, rows, goals, say, quick=quick)
                if name == "nats":
                    if "paced" in wanted:
                        _paced(database, conn, destination, folder, rows, goals, say, quick=quick)
                    if "publish" in wanted:
                        _publishing(database, conn, destination, folder, rows, goals, say, quick=quick)
                    if "backlog" in wanted:
                        _backlog(database, conn, destination, folder, rows, goals, say, quick=quick)
        if "idle" in wanted:
            _idle(database, conn, folder, rows, goals, say, quick=quick)
    return Report("relay", {**database.environment, "rows": len(rows), "rounds": _ROUNDS}, rows, goals)


def _prepare(conn: Connection[Any]) -> None:
    conn.execute("CREATE TABLE pgtrickle.bench_offset (id bigint); INSERT INTO pgtrickle.bench_offset VALUES (0)")
    conn.execute("SELECT pgtrickle.create_inbox('bench_inbox', schedule => '1h')")


@contextmanager
def relay(database: Database, folder: Path, processes: int = 1) -> Iterator[psutil.Process]:
    """A relay as users start it."""
    command = [sys.executable, "-m", "trickle", "relay", "--postgres-url", database.url, "--processes", str(processes)]
    with (folder / "relay.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fill(conn: Connection[Any], outbox: str, messages: int, size: int) -> None:
    """An outbox of so many messages of a hundred keys, each of so many bytes."""
    conn.execute("SELECT pgtrickle.drop_outbox(%s, true)", (outbox,))
    conn.execute("SELECT pgtrickle.create_outbox(%s)", (outbox,))
    table = sql.Identifier("pgtrickle", f"outbox_{outbox}")
    conn.execute(
        sql.SQL(
            "INSERT INTO {} (key, payload, content_type, inserted_count)"
            " SELECT (n %% 100)::text, jsonb_build_object('n', n, 'text', repeat('x', greatest(1, %s))), %s, 1"
            " FROM generate_series(1, %s) n"
        ).format(table),
        (size - 30, _JSON, messages),
    )
    conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))


def _drain(
    database: Database,
    conn: Connection[Any],
    destination: Destination,
    folder: Path,
    rows: list[dict[str, Any]],
    goals: list[Goal],
    say: Say,
    *,
    quick: bool,
) -> None:
    for size in SIZES[:1] if quick else SIZES:
        messages = 2_000 if quick else {100: 100_000, 1024: 100_000, 16384: 20_000}[size]
        bare: list[float] = []
        ours: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(1 if quick else _ROUNDS):
            say(f"{destination.name}, {size} bytes: the bare loop")
            _fill(conn, "bench", messages, size)
            bare.append(messages / _bare_seconds(database, conn, destination, messages))
            for processes in ours:
                say(f"{destination.name}, {size} bytes: the relay, {processes} processes")
                _fill(conn, "bench", messages, size)
                ours[processes].append(_relay_rate(database, conn, destination, folder, messages, processes))
        middle = statistics.median(bare)
        rows.append(_row("drain", destination.name, size, "bare loop", messages, middle, 1.0))
        for processes, rates in ours.items():
            rate = statistics.median(rates)
            who = f"relay, {processes} process{'es' if processes > 1 else ''}"
            rows.append(_row("drain", destination.name, size, who, messages, rate, rate / middle))
        of_bare = statistics.median(ours[1]) / middle
        what = f"{destination.name}, {size} bytes: one process, share of the bare loop"
        goals.append(judge(what, of_bare, "×", "at least", _OF_BARE, counts=not quick))
        if (destination.name, size) == ("nats", 1024):
            rate = statistics.median(ours[1])
            goals.append(
                judge("nats, 1 KiB: one process", rate, "msg/s", "at least", _NATS_PER_SECOND, counts=not quick)
            )


def _bare_seconds(database: Database, conn: Connection[Any], destination: Destination, messages: int) -> float:
    """How long the loop takes from its first stored offset on, put down to all messages."""
    conn.execute("UPDATE pgtrickle.bench_offset SET id = 0; TRUNCATE pgtrickle.bench_inbox")
    told = {
        "url": database.url,
        "sink": destination.sink | {"bare_url": database.url},
        "outbox": "bench",
        "messages": messages,
        "batch": _BATCH,
    }
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.relay_ends", json.dumps(told)])
    try:
        return _seconds_for(conn, "SELECT id FROM pgtrickle.bench_offset", messages)
    finally:
        process.wait(60)


def _relay_rate(
    database: Database,
    conn: Connection[Any],
    destination: Destination,
    folder: Path,
    messages: int,
    processes: int,
) -> float:
    """Several pipelines, one for each process, each with the whole outbox."""
    names = [f"bench_{number}" for number in range(processes)]
    for name in names:
        # A file has one writer.
        own = {"path": f"{destination.sink['path']}.{name}"} if "path" in destination.sink else {}
        _declare(conn, name, "bench", destination.sink | own)
    asked = "SELECT coalesce(sum(delivered_id), 0) FROM pgtrickle.pgt_consumer_groups WHERE outbox_name = 'bench'"
    with relay(database, folder, processes):
        seconds = _seconds_for(conn, asked, messages * processes)
    for name in names:
        conn.execute("SELECT pgtrickle.delete_relay(%s)", (name,))
    conn.execute("TRUNCATE pgtrickle.bench_inbox")
    return messages * processes / seconds


def _declare(conn: Connection[Any], name: str, outbox: str, sink: dict[str, Any], **options: Any) -> None:
    told = {"format": "raw", **options}
    conn.execute(
        "SELECT pgtrickle.set_relay_outbox(%s, %s, sink => %s, options => %s)",
        (name, outbox, json.dumps(sink), json.dumps(told)),
    )


def _seconds_for(conn: Connection[Any], asked: str, messages: int) -> float:
    """Seconds that all messages take, by the time from the first that are through to the last."""
    until = time.monotonic() + _PATIENCE_SECONDS
    first: tuple[float, int] | None = None
    while time.monotonic() < until:
        row = conn.execute(asked).fetchone()
        now, done = time.monotonic(), int(row[0]) if row else 0
        if first is None and done > 0:
            first = (now, done)
        if first is not None and done >= messages:
            return (now - first[0]) * messages / max(1, done - first[1])
        time.sleep(0.005)
    raise ValueError(f"{messages} messages did not come through within {_PATIENCE_SECONDS:g} s")


def _paced(
    database: Database,
    conn: Connection[Any],
    destination: Destination,
    folder: Path,
    rows: list[dict[str, Any]],
    goals: list[Goal],
    say: Say,
    *,
    quick: bool,
) -> None:
    seconds = 3.0 if quick else _PACED_SECONDS
    say(f"nats: 1000 messages a second for {seconds:g} s")
    _fill(conn, "bench", 1, 100)
    _declare(conn, "bench_paced", "bench", destination.sink)
    with relay(database, folder), _listener(destination) as heard:
        await_that(lambda: _delivered(conn, "bench_paced") >= 1, "the relay carries", 0.02)
        _publish(database, 1000.0, seconds)
        await_that(lambda: len(_lines(heard)) >= 1000 * seconds * 0.99, "all messages have arrived", 0.02)
        latencies = sorted(float(line) for line in _lines(heard)[1:])
    conn.execute("SELECT pgtrickle.delete_relay('bench_paced')")
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    rows.append(
        _row("paced", "nats", 1024, "1000 a second", len(latencies), None, None) | {"p50_ms": p50, "p99_ms": p99}
    )
    goals.append(judge("nats, 1000 messages a second: p99", p99, "ms", "at most", 50, counts=not quick))


def _publishing(
    database: Database,
    conn: Connection[Any],
    destination: Destination,
    folder: Path,
    rows: list[dict[str, Any]],
    goals: list[Goal],
    say: Say,
    *,
    quick: bool,
) -> None:
    """Each of both several times, in turns."""
    seconds = 2.0 if quick else 10.0
    found: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(2 if quick else 6):
        followed = bool(turn % 2)
        say(f"publishing {'with' if followed else 'without'} a relay that follows")
        _fill(conn, "bench", 1, 100)
        if followed:
            _declare(conn, "bench_publish", "bench", destination.sink)
            with relay(database, folder):
                await_that(lambda: _delivered(conn, "bench_publish") >= 1, "the relay carries", 0.02)
                found[followed].extend(_publish(database, 200.0, seconds))
            conn.execute("SELECT pgtrickle.delete_relay('bench_publish')")
        else:
            found[followed].extend(_publish(database, 200.0, seconds))
    told = {followed: percentile(sorted(times), 0.99) for followed, times in found.items()}
    for followed, times in found.items():
        who = "followed" if followed else "alone"
        rows.append(
            _row("publish", "nats", 1024, who, len(times), None, None)
            | {"p50_ms": percentile(sorted(times), 0.5), "p99_ms": told[followed]}
        )
    ratio = told[True] / told[False]
    goals.append(judge("publish: p99 with a relay, times without", ratio, "×", "at most", 1.1, counts=not quick))


def _backlog(
    database: Database,
    conn: Connection[Any],
    destination: Destination,
    folder: Path,
    rows: list[dict[str, Any]],
    goals: list[Goal],
    say: Say,
    *,
    quick: bool,
) -> None:
    messages = 10_000 if quick else _BACKLOG
    say(f"nats: a backlog of {messages}")
    _fill(conn, "bench", messages, 100)
    _declare(conn, "bench_backlog", "bench", destination.sink)
    samples: list[int] = []
    with relay(database, folder) as process:
        began = time.monotonic()
        while (done := _delivered(conn, "bench_backlog")) < messages:
            if done > messages // 20:
                samples.append(sum(child.memory_info().rss for child in process.children()))
            if time.monotonic() - began > _PATIENCE_SECONDS:
                raise ValueError("the backlog was not drained in time")
            time.sleep(0.1)
        rate = messages / (time.monotonic() - began)
    conn.execute("SELECT pgtrickle.delete_relay('bench_backlog')")
    tenth = max(1, len(samples) // 10)
    first, last = (statistics.median(part) / 2**20 for part in (samples[:tenth], samples[-tenth:]))
    detail = f"carrier: {first:.0f} MiB at first, {last:.0f} at last"
    rows.append(_row("backlog", "nats", 100, "relay, 1 process", messages, rate, None) | {"detail": detail})
    goals.append(
        judge("backlog: memory at its end, times at first", last / first, "×", "at most", 1.1, counts=not quick)
    )


def _idle(
    database: Database,
    conn: Connection[Any],
    folder: Path,
    rows: list[dict[str, Any]],
    goals: list[Goal],
    say: Say,
    *,
    quick: bool,
) -> None:
    pipelines = 20 if quick else _IDLE_PIPELINES
    seconds = 3.0 if quick else 30.0
    say(f"{pipelines} pipelines with nothing to do")
    for number in range(pipelines):
        conn.execute("SELECT pgtrickle.create_outbox(%s)", (f"idle_{number}",))
        _declare(conn, f"idle_{number}", f"idle_{number}", {"type": "file", "path": str(folder / f"idle_{number}")})
    with relay(database, folder) as process:
        running = "SELECT count(*) FROM pgtrickle.relay_status() WHERE state = 'running'"
        await_that(lambda: (conn.execute(running).fetchone() or (0,))[0] >= pipelines, "all pipelines run", 0.02)
        time.sleep(2 * seconds / 3)
        processes = [process, *process.children(recursive=True), *_backends(conn)]
        before = _cpu(processes)
        time.sleep(seconds)
        share = (_cpu(processes) - before) / seconds
        sessions = len(_backends(conn))
    for number in range(pipelines):
        conn.execute("SELECT pgtrickle.delete_relay(%s)", (f"idle_{number}",))
    detail = f"{share:.1%} of a core, {sessions} sessions"
    rows.append(_row("idle", "file", None, f"{pipelines} pipelines", 0, None, None) | {"detail": detail})
    goals.append(judge(f"{pipelines} idle pipelines: share of a core", share, "", "at most", 0.05, counts=not quick))
    goals.append(judge(f"{pipelines} idle pipelines: sessions", float(sessions), "", "at most", 12, counts=not quick))


def _backends(conn: Connection[Any]) -> list[psutil.Process]:
    """The server's processes behind the relay's sessions."""
    asked = (
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pg_trickle_%' AND datname = current_database()"
    )
    return [psutil.Process(pid) for (pid,) in conn.execute(asked).fetchall()]


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes if process.is_running())


def _delivered(conn: Connection[Any], group: str) -> int:
    row = conn.execute(
        "SELECT delivered_id FROM pgtrickle.pgt_consumer_groups WHERE group_name = %s", (group,)
    ).fetchone()
    return int(row[0]) if row else 0


def _publish(database: Database, rate: float, seconds: float) -> list[float]:
    """Publish at a rate from a process of its own; how long each took, in milliseconds."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as told:
        command = [sys.executable, "-m", "benchmarks.relay_publisher", database.url, str(rate), str(seconds), told.name]
        subprocess.run(command, check=True, timeout=seconds * 4 + 60)
        found: list[float] = json.load(told)
        return found


@contextmanager
def _listener(destination: Destination) -> Iterator[Path]:
    """Somebody who hears the messages arrive; one line for each, with the milliseconds since it was published."""
    with tempfile.TemporaryDirectory(prefix="trickle-heard-") as made:
        heard = Path(made) / "heard"
        heard.touch()
        command = [sys.executable, "-m", "benchmarks.relay_listener", destination.sink["url"], str(heard)]
        process = subprocess.Popen(command)
        try:
            time.sleep(1.0)
            yield heard
        finally:
            process.kill()
            process.wait()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").splitlines()


def _row(
    what: str, destination: str, size: int | None, who: str, messages: int, rate: float | None, of_bare: float | None
) -> dict[str, Any]:
    return {
        "what": what,
        "destination": destination,
        "bytes": size,
        "who": who,
        "messages": messages,
        "per_second": rate,
        "of_bare": of_bare,
    }
