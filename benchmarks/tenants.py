"""Many tenants and one supervisor: how soon does a cold one run, what does a cold one cost, is the budget kept?

traffic   jobs for tenants drawn by Zipf's law, in schemas and in databases, more tenants than places: promotions, looks
          at cold tenants, connections
cold      one job at a time for tenants that are cold, each kind by itself: from the commit to the attempt
idle      nothing happens: processor time and memory of the supervisor and of its sessions
sweep     every schema looked at, as after a restart

The supervisor is a process of its own, as operators run it. Times of jobs are those of the server's clock.
"""

from __future__ import annotations

import bisect
import itertools
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import psycopg
from psycopg import Connection, sql

from benchmarks.failover import percentile
from benchmarks.report import Report, judge
from benchmarks.server import Database
from benchmarks.serving import free_port
from trickle.catalog import migrate
from trickle.tenants import Budget

COLUMNS = ("what", "tenants", "hot_max", "jobs", "p50_ms", "p99_ms", "worst_ms", "value", "unit")
SERVER = {"max_connections": 420, "shared_buffers": "512MB"}

Say = Callable[[str], None]
Row = dict[str, Any]

_TICK_SECONDS = 1.0
_PER_SECOND = 20.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    schemas: int = 1_000
    databases: int = 200
    hot: int = 50
    traffic_seconds: float = 60.0
    cold_jobs: int = 100  # of each kind
    idle_seconds: float = 30.0


QUICK = Size(schemas=20, databases=5, hot=5, traffic_seconds=5.0, cold_jobs=4, idle_seconds=2.0)


@dataclass(frozen=True, slots=True)
class Tenant:
    """Where the jobs of one tenant are."""

    id: str
    url: str
    schema: str


def run(database: Database, say: Say, *, quick: bool) -> Report:
    """Everything, much smaller with `quick`."""
    size = QUICK if quick else Size()
    if database.server is None:
        raise ValueError("the benchmark 'tenants' makes many databases, so it wants a server of its own")
    say(f"{size.schemas} schemas and {size.databases} databases are made")
    tenants = [*_schemas(database, size.schemas), *_databases(database, size.databases)]
    rows: list[Row] = []
    with TemporaryDirectory() as folder, _Traffic(tenants) as traffic:
        listed = Path(folder, "tenants.toml")
        listed.write_text("".join(_entry(tenant) for tenant in tenants), encoding="utf-8")
        with _supervisor(database, listed, size.hot) as running:
            say("traffic")
            most = traffic.flow(size.traffic_seconds, running.connections)
            rows += [
                _times("promote", running.promotions(), tenants=len(tenants), hot_max=size.hot),
                _scans(running.metrics(), len(tenants)),
                {"what": "connections of tenants", "tenants": len(tenants), "value": most, "unit": "at most"},
                _times("commit to attempt, traffic", traffic.delays(), jobs=traffic.made),
            ]
            for kind, some in (("schema", tenants[: size.schemas]), ("database", tenants[size.schemas :])):
                say(f"cold tenants, {kind}")
                delays = traffic.wake(random.sample(some, min(size.cold_jobs, len(some))), running.hot)
                rows.append(_times(f"commit to attempt, cold {kind}", delays, jobs=len(delays)))
            say("idle")
            rows += running.idle(size.idle_seconds, len(tenants))
    say("sweep")
    rows.append(_sweep(database, [tenant.schema for tenant in tenants[: size.schemas]]))
    found = {row["what"]: row for row in rows}
    budget = Budget(size.hot).connections
    counts = not quick
    goals = [
        judge("promote, p99", found["promote"]["p99_ms"], "ms", "at most", 200, counts=counts),
        judge("one look at cold tenants, p99", found["cold tick"]["p99_ms"], "ms", "at most", 100, counts=counts),
        judge("connections of hot tenants", most, "", "at most", budget, counts=True),
        *(
            judge(
                f"job of a cold {kind} starts, p99",
                found[f"commit to attempt, cold {kind}"]["p99_ms"],
                "ms",
                "at most",
                _TICK_SECONDS * 1000 + 200,
                counts=counts,
            )
            for kind in ("schema", "database")
        ),
    ]
    return Report("tenants", {**database.environment, "rows": len(tenants)}, rows, goals)


def _schemas(database: Database, count: int) -> list[Tenant]:
    with psycopg.connect(database.url, autocommit=True) as conn:
        conn.execute("SELECT pgtrickle.set_config('event_driven_wake', 'on')")
        for number in range(count):
            conn.execute("SELECT pgtrickle.create_job_schema(%s)", (f"tenant_{number}",))
    return [Tenant(f"s{number}", database.url, f"tenant_{number}") for number in range(count)]


def _databases(database: Database, count: int) -> list[Tenant]:
    """Copies of one database with the catalog."""
    assert database.server is not None
    found = psycopg.conninfo.conninfo_to_dict(database.url)
    template, owner = f"{found['dbname']}_tenants", str(found["user"])
    made = []
    with psycopg.connect(database.server.url(), autocommit=True) as admin:
        create = "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy"
        names = (sql.Identifier(template), sql.Identifier(owner), sql.Identifier("template1"))
        admin.execute(sql.SQL(create).format(*names))
        migrate.init(psycopg.conninfo.make_conninfo(database.url, dbname=template))
        for number in range(count):
            name = f"{template}_{number}"
            admin.execute(sql.SQL(create).format(sql.Identifier(name), names[1], names[0]))
            made.append(Tenant(f"d{number}", psycopg.conninfo.make_conninfo(database.url, dbname=name), "pgtrickle"))
    return made


def _entry(tenant: Tenant) -> str:
    fields = {"id": tenant.id, "url": tenant.url, "schema": tenant.schema}
    return "[[tenants]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


class _Traffic:
    """Jobs for tenants, on connections that are kept for those that were used last."""

    _KEPT = 20

    def __init__(self, tenants: Sequence[Tenant]) -> None:
        self._tenants = tenants
        self._connections: dict[str, Connection[Any]] = {}
        self._draw = random.Random(7)
        shuffled = self._draw.sample(tenants, len(tenants))
        weights = itertools.accumulate(1 / rank for rank in range(1, len(tenants) + 1))
        self._zipf = list(zip(weights, shuffled, strict=True))
        self._used: set[Tenant] = set()
        self.made = 0

    def __enter__(self) -> _Traffic:
        return self

    def __exit__(self, *_: object) -> None:
        for conn in self._connections.values():
            conn.close()

    def _enqueue(self, tenant: Tenant) -> int:
        conn = self._connections.pop(tenant.url, None) or psycopg.connect(tenant.url, autocommit=True)
        self._connections[tenant.url] = conn
        if len(self._connections) > self._KEPT:
            self._connections.pop(next(iter(self._connections))).close()
        statement = sql.SQL("SELECT {}('q', {})").format(
            sql.Identifier(tenant.schema, "enqueue"), sql.Literal(json.dumps({"tenantId": tenant.id}))
        )
        row = conn.execute(statement).fetchone()
        self.made += 1
        self._used.add(tenant)
        return int(row[0]) if row else 0

    def flow(self, seconds: float, connections: Callable[[], int]) -> int:
        """Jobs by Zipf's law; the most connections that tenants had at once."""
        until, most, count = time.monotonic() + seconds, 0, 0
        began = time.monotonic()
        while time.monotonic() < until:
            weight = self._draw.random() * self._zipf[-1][0]
            self._enqueue(self._zipf[bisect.bisect_left(self._zipf, weight, key=lambda entry: entry[0])][1])
            count += 1
            if count % 20 == 0:
                most = max(most, connections())
            time.sleep(max(0.0, began + count / _PER_SECOND - time.monotonic()))
        while self._waiting():
            time.sleep(0.2)
        return most

    def _waiting(self) -> bool:
        return any(self._ask(tenant, "SELECT count(*) FROM {} WHERE started_on IS NULL")[0][0] for tenant in self._used)

    def delays(self) -> list[float]:
        """Milliseconds that each job waited."""
        wait = "SELECT extract(epoch FROM started_on - created_on)::float8 * 1000 FROM {}"
        return [row[0] for tenant in self._used for row in self._ask(tenant, wait)]

    def wake(self, tenants: Sequence[Tenant], hot: Callable[[], set[str]]) -> list[float]:
        """One job for each of these that is cold, one after another; how long each waited."""
        found = []
        for tenant in tenants:
            if tenant.id in hot():
                continue
            job = self._enqueue(tenant)
            wait = "SELECT extract(epoch FROM started_on - created_on)::float8 * 1000 FROM {} WHERE id = %s"
            while (row := self._ask(tenant, wait, job)[0])[0] is None:
                time.sleep(0.02)
            found.append(row[0])
        return found

    def _ask(self, tenant: Tenant, statement: str, *values: object) -> list[Any]:
        with psycopg.connect(tenant.url, autocommit=True) as conn:
            table = sql.Identifier(tenant.schema, "job")
            return conn.execute(sql.SQL(statement).format(table), values or None).fetchall()  # type: ignore[arg-type]


class _Running:
    """The supervisor, seen from outside."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, conn: Connection[Any], port: int) -> None:
        self._process = psutil.Process(process.pid)
        self._log = log
        self._conn = conn
        self._port = port

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}

    def promotions(self) -> list[float]:
        """Milliseconds that each took."""
        lines = (json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines() if line[:1] == "{")
        return [line["seconds"] * 1000 for line in lines if line["message"] == "supervisor.promote"]

    def hot(self) -> set[str]:
        return {tenant for (tenant,) in self._conn.execute("SELECT tenant_id FROM pgtrickle.hot_tenants").fetchall()}

    def connections(self) -> int:
        """Of all tenants together."""
        return len(self._sessions("^pg_trickle_(jobs|jobs_bell|tenant)( |$)"))

    def idle(self, seconds: float, tenants: int) -> list[Row]:
        """What it takes while nothing happens, when all are cold."""
        while self.hot():
            time.sleep(0.5)
        home = [psutil.Process(pid) for pid in self._sessions("^pg_trickle_supervisor(_bell)?( |$)")]
        watched = {"supervisor": [self._process, *self._process.children()], "its sessions": home}
        before = {name: _processor(those) for name, those in watched.items()}
        time.sleep(seconds)
        rows: list[Row] = []
        for name, those in watched.items():
            share = (_processor(those) - before[name]) / seconds * 100
            rows.append({"what": f"idle, {name}", "tenants": tenants, "value": round(share, 2), "unit": "% of a core"})
            size = sum(process.memory_full_info().uss for process in those)
            rows.append({"what": f"memory, {name}", "tenants": tenants, "value": round(size / 2**20), "unit": "MiB"})
        return rows

    def _sessions(self, names: str) -> list[int]:
        """The process ids of sessions whose names match."""
        found = self._conn.execute("SELECT pid FROM pg_stat_activity WHERE application_name ~ %s", (names,)).fetchall()
        return [int(pid) for (pid,) in found]


@contextmanager
def _supervisor(database: Database, listed: Path, hot: int) -> Iterator[_Running]:
    port, log = free_port(), listed.with_name("log")
    command = [sys.executable, "-m", "trickle", "supervisor", "run", "benchmarks.tenants_handlers"]
    command += ["--postgres-url", database.url, "--tenants", str(listed), "--hot-pool-max", str(hot)]
    command += ["--metrics-port", str(port), "--log-format", "json", "--idle", "10", "--tick", str(_TICK_SECONDS)]
    with log.open("wb") as sink, psycopg.connect(database.url, autocommit=True) as conn:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env=dict(os.environ))
        try:
            while conn.execute("SELECT count(*) FROM pgtrickle.tenant_supervisors").fetchone() == (0,):
                if process.poll() is not None:
                    raise ValueError(f"the supervisor has ended: {log.read_text(encoding='utf-8')}")
                time.sleep(0.1)
            time.sleep(3 * _TICK_SECONDS)
            yield _Running(process, log, conn, port)
            process.terminate()
            process.wait(60)
        finally:
            process.kill()
            process.wait()


def _processor(processes: Sequence[psutil.Process]) -> float:
    """Seconds of processor time."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _times(what: str, taken: Sequence[float], **more: Any) -> Row:
    ordered = sorted(taken)
    return {
        "what": what,
        **more,
        "p50_ms": round(percentile(ordered, 0.5), 1),
        "p99_ms": round(percentile(ordered, 0.99), 1),
        "worst_ms": round(ordered[-1], 1),
    }


def _scans(metrics: dict[str, float], tenants: int) -> Row:
    """The bound of the bucket that p50 and p99 are in."""
    name = "pg_trickle_cold_dispatcher_scan_duration_seconds"
    total = metrics[f"{name}_count"]
    buckets = [
        (float(key.split('le="')[1].split('"')[0]), count)
        for key, count in metrics.items()
        if key.startswith(f"{name}_bucket")
    ]

    def bound(part: float) -> float:
        return next(limit for limit, count in sorted(buckets) if count >= part * total) * 1000

    return {"what": "cold tick", "tenants": tenants, "jobs": int(total), "p50_ms": bound(0.5), "p99_ms": bound(0.99)}


def _sweep(database: Database, schemas: Sequence[str]) -> Row:
    with psycopg.connect(database.url, autocommit=True) as conn:
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            for start in range(0, len(schemas), 50):
                some = list(schemas[start : start + 50])
                conn.execute("SELECT * FROM pgtrickle._probe_job_schemas(%s)", (some,)).fetchall()
            taken.append((time.perf_counter() - began) * 1000)
    return _times("sweep", taken[1:], tenants=len(schemas))
