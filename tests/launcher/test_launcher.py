"""`trickle worker --databases` on a real server: databases come, go, crash, and are shared by two launchers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import sql
from support.databases import OWNER, Database
from support.waiting import until

from trickle.embedded import Server


@dataclass(frozen=True)
class Tenants:
    """Databases of one test, named alike."""

    server: Server
    template: str
    prefix: str

    def run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(*(sql.Identifier(self.prefix + name) for name in names)))

    def create(self, name: str) -> None:
        """With a catalog and a stream table."""
        statement = f"CREATE DATABASE {{}} TEMPLATE {self.template} OWNER {OWNER}"
        self.run(statement, name)
        with self.connect(name) as conn:
            conn.execute("SELECT pgtrickle.restore_stream_tables()")
            conn.execute("CREATE TABLE source (v int)")
            conn.execute(
                "SELECT pgtrickle.create_stream_table('total', 'SELECT sum(v) AS s FROM source', schedule => '1s')"
            )

    def create_empty(self, name: str) -> None:
        self.run(f"CREATE DATABASE {{}} OWNER {OWNER}", name)

    def connect(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server.url(self.prefix + name, user=OWNER), autocommit=True)

    def is_kept(self, name: str) -> bool:
        """Whether a change reaches the stream table."""
        with self.connect(name) as conn:
            conn.execute("INSERT INTO source VALUES (1)")

            def is_there() -> bool:
                query = "SELECT (SELECT sum(v) FROM source) IS NOT DISTINCT FROM (SELECT s FROM total)"
                return conn.execute(query).fetchone() == (True,)

            return until(is_there, seconds=40)

    def instances(self, name: str) -> list[int]:
        """Processes of the live instances in this database."""
        with self.connect(name) as conn:
            rows = conn.execute("SELECT pid FROM pgtrickle.instances WHERE is_live").fetchall()
        return [int(pid) for (pid,) in rows]

    def sessions(self, name: str) -> int:
        with psycopg.connect(self.server.url(), autocommit=True) as admin:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'pg\\_trickle%%'"
            )
            row = admin.execute(query, (self.prefix + name,)).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def tenants(server: Server, template: str) -> Iterator[Tenants]:
    prefix = f"tenant_{uuid.uuid4().hex[:8]}_"
    yield Tenants(server, template, prefix)
    with psycopg.connect(server.url(), autocommit=True) as admin:
        made = admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (prefix,)).fetchall()
        for (name,) in made:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@dataclass
class Launched:
    """A running launcher."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self, words: str) -> int:
        return self.log.read_text().count(words)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def launch(tenants: Tenants, db: Database, tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Starts launchers whose home is `db`, which is not among the tenants."""
    started: list[Launched] = []

    def start(*words: str, **environ: str) -> Launched:
        log = tmp_path / f"launcher-{len(started)}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TRICKLE_", "PG"))}
        command = [sys.executable, "-m", "trickle", "worker", "--postgres-url", db.url, "--workers", "1"]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*command, *(words or ("--databases", f"{tenants.prefix}*"))], env={**inherited, **environ}, stderr=sink
            )
        started.append(Launched(process, log))
        return started[-1]

    yield start
    for launched in started:
        family = _family(launched.process.pid)
        launched.process.kill()
        launched.process.wait()
        # The instances are told by the kernel that their launcher is gone.
        _, alive = psutil.wait_procs(family, timeout=20)
        for process in alive:
            process.kill()
        assert not alive, "an instance outlived its launcher"


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def test_databases_come_and_go(tenants: Tenants, launch: Callable[..., Launched]) -> None:
    tenants.create("a")
    tenants.create("b")
    tenants.create_empty("none")
    launched = launch()
    assert tenants.is_kept("a")
    assert tenants.is_kept("b")
    tenants.create("later")
    assert tenants.is_kept("later")
    assert tenants.sessions("none") == 0

    # A plain DROP DATABASE waits five seconds for everybody to leave; nobody has to force it.
    tenants.run("DROP DATABASE {}", "b")
    until(lambda: launched.said(f"instance ended database={tenants.prefix}b"))
    assert tenants.is_kept("a")
    tenants.run("DROP DATABASE {} WITH (FORCE)", "later")
    until(lambda: launched.said(f"instance ended database={tenants.prefix}later"))

    family = _family(launched.process.pid)
    assert launched.stop() == 0
    assert not [process for process in family if process.is_running()]
    assert tenants.sessions("a") == 0


def test_what_is_killed_is_started_again(tenants: Tenants, launch: Callable[..., Launched]) -> None:
    tenants.create("a")
    tenants.create("b")
    launch()
    until(lambda: all(len(tenants.instances(name)) == 1 for name in "ab"), seconds=40)
    (victim,), (other,) = tenants.instances("a"), tenants.instances("b")
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(tenants.instances("a")) == 1 and tenants.instances("a") != [victim], seconds=40)
    assert tenants.is_kept("a")
    assert tenants.instances("b") == [other], "the others do not notice"


def test_it_shows_what_it_looks_after(tenants: Tenants, launch: Callable[..., Launched]) -> None:
    tenants.create("a")
    tenants.create_empty("none")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    def figure(name: str) -> float | None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page,
        ):
            for line in page.read().decode().splitlines():
                if line.startswith(f"pg_trickle_launcher_{name} "):
                    return float(line.rpartition(" ")[2])
        return None

    launch("--databases", f"{tenants.prefix}*", "--metrics-port", str(port))
    until(lambda: figure("instances") == 1 and figure("databases") == 1, seconds=40)
    assert figure("starts_total") == 1
    assert abs(time.time() - (figure("last_listing_timestamp_seconds") or 0)) < 10
    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).status == 200
    until(lambda: len(tenants.instances("a")) == 1, seconds=40)
    os.kill(tenants.instances("a")[0], signal.SIGKILL)
    until(lambda: figure('ends_total{asked="no"}') == 1 and figure("starts_total") == 2, seconds=40)


def test_a_catalog_that_comes_later_is_found(tenants: Tenants, launch: Callable[..., Launched], db: Database) -> None:
    from trickle.catalog import migrate

    tenants.create_empty("a")
    launched = launch()
    until(lambda: launched.said("launcher joined"), seconds=30)
    migrate.init(tenants.server.url(f"{tenants.prefix}a", user=OWNER))
    with db.connect() as conn:
        conn.execute("NOTIFY pgtrickle_launcher")
    until(lambda: launched.said(f"instance started database={tenants.prefix}a"), seconds=8, what="before it is time")


def test_a_reload_reaches_the_instances_and_looks_for_databases(
    tenants: Tenants, launch: Callable[..., Launched]
) -> None:
    from trickle.catalog import migrate

    tenants.create("a")
    tenants.create_empty("later")
    launched = launch()
    until(lambda: launched.said("joined instance="), seconds=30)
    migrate.init(tenants.server.url(f"{tenants.prefix}later", user=OWNER))
    launched.process.send_signal(signal.SIGHUP)
    until(
        lambda: launched.said(f"instance started database={tenants.prefix}later"), seconds=8, what="before it is time"
    )
    until(
        lambda: launched.said("asked to reload") == 1 and launched.said("asked to read settings and catalog anew") >= 1
    )
    assert tenants.is_kept("a")
    assert launched.stop() == 0


def test_a_database_may_be_renamed_and_copied(tenants: Tenants, launch: Callable[..., Launched]) -> None:
    tenants.create("a")
    launched = launch()
    until(lambda: launched.said(f"instance started database={tenants.prefix}a"), seconds=30)
    tenants.run("ALTER DATABASE {} RENAME TO {}", "a", "renamed")
    assert tenants.is_kept("renamed")
    tenants.run("CREATE DATABASE {} TEMPLATE {}", "copy", "renamed")
    assert tenants.is_kept("renamed")


def test_launchers_share_databases_and_take_over(tenants: Tenants, launch: Callable[..., Launched]) -> None:
    names = ("a", "b", "c", "d")
    for name in names:
        tenants.create(name)
    first, second = launch(), launch()

    def launcher_of(name: str) -> int | None:
        pids = tenants.instances(name)
        return psutil.Process(pids[0]).ppid() if len(pids) == 1 else None

    def shares() -> list[int]:
        found = [launcher_of(name) for name in names]
        return sorted(found.count(launched.process.pid) for launched in (first, second))

    until(lambda: shares() == [2, 2], seconds=60)
    first.process.kill()
    first.process.wait()
    until(lambda: all(launcher_of(name) == second.process.pid for name in names), seconds=60)
    assert all(tenants.is_kept(name) for name in names)


def test_a_service_manager_hears_of_the_launcher_alone(
    tenants: Tenants, launch: Callable[..., Launched], tmp_path: Path
) -> None:
    tenants.create("a")
    tenants.create("b")
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(0.1)

        def hears(words: str) -> bool:
            with contextlib.suppress(TimeoutError):
                heard.append(manager.recv(4096).decode())
            return any(words in line for line in heard)

        launched = launch(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="2000000")
        until(lambda: hears("STATUS=runs 2 of 2 databases among 1 launchers"), seconds=30)
        until(lambda: hears("WATCHDOG=1"))
        assert launched.stop() == 0
        until(lambda: hears("STOPPING=1"))
    assert heard.count("READY=1") == 1


def test_both_flags_are_one_too_many(launch: Callable[..., Launched]) -> None:
    launched = launch("--all-databases", "--databases", "x")
    assert launched.process.wait(30) == 2
    assert launched.said("give either --all-databases or --databases")


def test_a_server_that_does_not_answer(launch: Callable[..., Launched]) -> None:
    """The last address counts; it is given up on after the time to start."""
    launched = launch("--databases", "*", "--postgres-url", "postgresql://nobody@127.0.0.1:1/none")
    until(lambda: launched.said("the home cannot be reached") >= 2)
    assert launched.stop() == 0
