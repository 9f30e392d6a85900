"""Sessions that are ended and servers that go away while refreshes are in flight.

Lies it would catch: a refresh believed committed, or lost, because nobody heard; an instance that ends with its
connection; a consistent-looking table whose frontier is from after the crash and its rows from before.
Oracle: PostgreSQL; when all is quiet every stream table must become equal to its query by itself.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.server import require_server
from support.waiting import until

from chaos.conftest import Start, prepare
from chaos.load import assert_settled, load
from trickle import embedded
from trickle.catalog import migrate

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

TERMINATE = (
    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND application_name LIKE 'pg\\_trickle\\_%'"
)


def test_backends_are_terminated(shop: Database, start: Start, watcher: psycopg.Connection[Any]) -> None:
    instance = start(children=2)
    with load(shop.url):
        for _ in range(8):
            ended = until(lambda: watcher.execute(TERMINATE.encode()).fetchall(), seconds=60, what="sessions to end")
            until(
                lambda ended=ended: not {pid for pid, _ in ended} & _backends(watcher),
                seconds=15,
                what="they are gone",
            )
            assert instance.process.poll() is None, instance.log.read_text()[-2000:]
    assert_settled(watcher)
    assert instance.drain() == 0


@pytest.mark.parametrize(
    ("runs", "reads"), [("worker", "pgtrickle.pgt_stream_tables"), ("relay", "pgtrickle.pgt_relay_pipelines")]
)
def test_the_lock_session_ends_in_the_middle_of_a_statement(
    shop: Database, start: Start, runs: str, reads: str
) -> None:
    """Then a heartbeat meets the end, which says nothing: the statement goes on, and is not lost with it."""
    instance = start(runs=runs, heartbeat_seconds=0.05)
    joined = "SELECT backend_pid FROM pgtrickle.instances WHERE is_live"
    with shop.connect() as watcher, shop.connect() as blocker:
        [(locks,)] = until(lambda: watcher.execute(joined).fetchall(), seconds=60, what="it has joined")
        with blocker.transaction():
            blocker.execute(f"LOCK TABLE {reads}".encode())
            waits = "SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND wait_event = 'relation'"
            until(lambda: watcher.execute(waits).fetchall(), seconds=30, what="a statement waits")
            watcher.execute("SELECT pg_terminate_backend(%s)", (locks,))
            until(lambda: locks not in _backends(watcher), seconds=15, what="the session has ended")
            time.sleep(0.5)  # for heartbeats, of which no trace is to be seen
        found = until(lambda: watcher.execute(joined).fetchall(), seconds=15, what="it has joined again")
        assert found != [(locks,)]
    assert instance.process.poll() is None, instance.log.read_text()[-2000:]
    assert instance.drain() == 0


@pytest.mark.parametrize("runs", ["worker", "relay"])
def test_news_do_not_put_off_the_next_tick(shop: Database, start: Start, runs: str) -> None:
    start(runs=runs)
    looked = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'pg_trickle_scheduler' AND query_start > %s"
    )
    with shop.connect() as watcher:
        joined = "SELECT FROM pgtrickle.instances WHERE is_live"
        until(lambda: watcher.execute(joined).fetchall(), seconds=60, what="it has joined")
        for _ in range(40):
            watcher.execute("NOTIFY pgtrickle_wake, 'members'")
            time.sleep(0.03)
        time.sleep(1)  # for what the last of them leads to
        now = watcher.execute("SELECT clock_timestamp()").fetchone()
        until(lambda: watcher.execute(looked, now).fetchall(), seconds=15, what="it looks by itself, every second")


def _backends(watcher: psycopg.Connection[Any]) -> set[int]:
    return {pid for (pid,) in watcher.execute("SELECT pid FROM pg_stat_activity").fetchall()}


@pytest.fixture
def home() -> Iterator[Path]:
    """A server of this test alone, at a path short enough for its socket to stay where it is."""
    require_server()
    with tempfile.TemporaryDirectory(prefix="t") as short:
        directory = Path(short) / "s"
        embedded.start(directory, settings={"fsync": False}, die_with_parent=True)
        yield directory
        embedded.stop(directory, "immediate")


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_the_server_restarts(home: Path, start_on: Start, how: str) -> None:
    server = embedded.status(home)
    assert server is not None
    migrate.init(server.url())
    prepare(server.url())
    instance = start_on(server.url())
    with load(server.url()):
        for _ in range(2):
            with psycopg.connect(server.url(), autocommit=True) as watcher:
                before = watcher.execute("SELECT max(refresh_id) FROM pgtrickle.pgt_refresh_history").fetchone()
                until(
                    lambda before=before, watcher=watcher: (
                        watcher.execute("SELECT max(refresh_id) FROM pgtrickle.pgt_refresh_history").fetchone()
                        != before
                    ),
                    seconds=60,
                    what="work goes on",
                )
            embedded.stop(home, how)
            embedded.start(home, settings={"fsync": False}, port=server.port, die_with_parent=True)
    with psycopg.connect(server.url(), autocommit=True) as watcher:
        assert_settled(watcher)
    assert instance.process.poll() is None, instance.log.read_text()[-2000:]
    assert instance.drain() == 0
