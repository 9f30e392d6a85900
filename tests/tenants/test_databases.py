"""Tenants with databases of their own: told by statistics, and harmless when they are down.

Lies it would catch: a job in another database that nobody notices; a database that is dropped, hangs or has no
connection left, and keeps the other tenants waiting; a look at everything at every tick.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from support.databases import OWNER, Database
from support.runners import await_that
from support.supervising import states, supervised
from tenants.conftest import Conn

import trickle
from trickle.tenants import Tenant


def enqueue(tenant: Tenant) -> None:
    with psycopg.connect(tenant.url, autocommit=True) as conn:
        trickle.enqueue(conn, "q", {"tenantId": tenant.id})


def done(tenant: Tenant) -> dict[str, int]:
    with psycopg.connect(tenant.url, autocommit=True) as conn:
        return states(conn, "pgtrickle")


def test_a_job_in_another_database_is_noticed(
    db: Database, conn: Conn, others: list[Tenant], handlers: list[str]
) -> None:
    with supervised(db.url, lambda: others, handlers, tick_seconds=0.2, idle_seconds=0.5) as running:
        await_that(lambda: running.metric("cold_dispatcher_tenants_scanned_total") >= 3)
        for turn in range(1, 3):
            for tenant in others[:2]:
                enqueue(tenant)
            await_that(lambda turn=turn: all(done(tenant) == {"completed": turn} for tenant in others[:2]))
        await_that(lambda: running.ask(lambda s: s.list_hot()) == [])
        assert done(others[2]) == {}


def test_a_session_that_stays_open_does_not_keep_it_to_itself(
    db: Database, conn: Conn, others: list[Tenant], handlers: list[str]
) -> None:
    """The server would keep the statistics of a busy session for up to ten seconds."""
    with psycopg.connect(others[0].url, autocommit=True) as application:
        application.execute("CREATE TABLE busy (n int)")
        with supervised(db.url, lambda: others, handlers, tick_seconds=0.2, idle_seconds=0.3) as running:
            took = []
            for turn in range(1, 4):
                await_that(lambda: running.ask(lambda s: s.list_hot()) == [])
                time.sleep(0.5)
                application.execute("INSERT INTO busy VALUES (1)")
                began = time.monotonic()
                trickle.enqueue(application, "q", {"tenantId": "t0"})
                await_that(lambda turn=turn: states(application, "pgtrickle") == {"completed": turn})
                took.append(time.monotonic() - began)
        assert min(took) < 5, took


@contextmanager
def silent() -> Iterator[int]:
    """A port that accepts connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        accepted: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    accepted.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        for one in accepted:
            one.close()


def test_what_is_down_costs_the_others_nothing(
    db: Database, conn: Conn, others: list[Tenant], handlers: list[str]
) -> None:
    """Twenty tenants that hang, one that was dropped, one that nobody may connect to; and one that has a job."""
    with psycopg.connect(db.server.url(), autocommit=True) as admin, silent() as port:
        hung = [
            Tenant(f"hung{number}", f"postgresql://u@127.0.0.1:{port}/x?connect_timeout=60") for number in range(20)
        ]
        gone = Tenant("gone", db.server.url("no_such_database", user=OWNER))
        full, good = others[0], others[1]
        name = psycopg.conninfo.conninfo_to_dict(full.url)["dbname"]
        admin.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 0").format(sql.Identifier(str(name))))
        listed = [*hung, gone, full, good]
        with supervised(db.url, lambda: listed, handlers, tick_seconds=0.2, probe_seconds=1.0) as running:
            await_that(lambda: running.metric("supervisor_unreachable_tenants") >= 10)
            began = time.monotonic()
            enqueue(good)
            await_that(lambda: done(good) == {"completed": 1})
            assert time.monotonic() - began < 20
            await_that(lambda: running.metric("supervisor_unreachable_tenants") == 22)
            assert "does not exist" in running.ask(lambda s: s.explain("gone"))
            assert "no answer" in running.ask(lambda s: s.explain("hung7"))
            admin.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT -1").format(sql.Identifier(str(name))))
            enqueue(full)
            await_that(lambda: done(full) == {"completed": 1}, "it is back")


def test_a_database_that_is_dropped_while_hot(
    db: Database, conn: Conn, others: list[Tenant], handlers: list[str]
) -> None:
    dropped, good = others[0], others[1]
    with supervised(db.url, lambda: others, handlers, tick_seconds=0.2, idle_seconds=0.5) as running:
        enqueue(dropped)
        await_that(lambda: done(dropped) == {"completed": 1})
        with psycopg.connect(db.server.url(), autocommit=True) as admin:
            name = psycopg.conninfo.conninfo_to_dict(dropped.url)["dbname"]
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name))))
        enqueue(good)
        await_that(lambda: done(good) == {"completed": 1})
        await_that(lambda: running.ask(lambda s: s.list_hot()) == [], "and does not stay hot")
